// runs: alone
// needs: wrk

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { startServer } from "../../support/server-process.ts";
import { long } from "../../support/tier.ts";
import { assertNotSlowed, measureBackgroundLoad } from "./background-load.ts";

const SECONDS = long ? 60 : 2;
const CONNECTIONS = 16;

/** Sends as many requests as possible from one address, and returns how many there were per second. */
async function flood(url: string): Promise<number> {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${SECONDS}s`, "-H", "X-Forwarded-For: 192.0.2.66"];
  const { stdout } = await promisify(execFile)("wrk", [...args, `${url}/sessions/unknown`]);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

for (const runtime of ["bun", "node"] as const) {
  test(`while one address floods the server, requests from other addresses are not delayed (${runtime})`, async (t) => {
    const env = {
      ANTECHAMBER_TRUSTED_PROXIES: "127.0.0.1",
      ANTECHAMBER_REQUESTS_PER_ADDRESS: "10/1s",
      ANTECHAMBER_MISSES_PER_ADDRESS: "10/1s",
    };
    await using server = await startServer({ runtime, env });
    // Warm-up: the first requests after a start are slow.
    await measureBackgroundLoad(server.url, 500);
    const alone = await measureBackgroundLoad(server.url, SECONDS * 1000);
    await assertNotSlowed("a flood", alone, async () => {
      const [rate, during] = await Promise.all([flood(server.url), measureBackgroundLoad(server.url, SECONDS * 1000)]);
      t.diagnostic(`a flood of ${Math.round(rate)} requests a second`);
      assert.ok(rate > 0);
      return during;
    });
  });
}
