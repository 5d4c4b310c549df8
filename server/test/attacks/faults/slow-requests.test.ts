// runs: alone
// needs: slowhttptest

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify, stripVTControlCharacters } from "node:util";
import { startServer } from "../../support/server-process.ts";
import { long } from "../../support/tier.ts";
import { assertNotSlowed, measureBackgroundLoad } from "./background-load.ts";

const SECONDS = long ? 120 : 3;
const CONNECTIONS = long ? 1000 : 300;
/** Seconds after which the server counts as unavailable for a request of slowhttptest itself. */
const PROBE_TIMEOUT = long ? "2" : "30";

/** Path of the longest response of the server (1.6 MB). */
const LONGEST = "docs/swagger-ui-bundle.js";

/** Arguments of slowhttptest for its attacks: slow headers, slow bodies, slow reading of responses. */
const ways = {
  headers: ["-H", "-i", "1"],
  bodies: ["-B", "-i", "1", "-s", "8192", "-t", "PUT", "-f", "application/json"],
  readers: ["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1", "-k", "3"],
} as const;

async function attack(url: string, way: readonly string[]): Promise<string> {
  const pace = ["-c", `${CONNECTIONS}`, "-r", `${CONNECTIONS}`, "-l", `${SECONDS}`, "-p", PROBE_TIMEOUT];
  // slowhttptest uses a whole core while it waits. Its low priority keeps it from slowing the server down that way.
  const args = ["-n", "19", "slowhttptest", ...way, ...pace, "-u", url];
  const { stdout } = await promisify(execFile)("nice", args);
  return stripVTControlCharacters(stdout);
}

// test/faults/junk.test.ts tests that the server closes slow connections.
for (const runtime of long ? (["bun", "node"] as const) : (["bun"] as const)) {
  test(`${CONNECTIONS} slow connections of each kind do not delay other callers (${runtime})`, async () => {
    await using server = await startServer({ runtime });
    await measureBackgroundLoad(server.url, 500);
    const alone = await measureBackgroundLoad(server.url, long ? 10_000 : 1500);
    await assertNotSlowed(`${CONNECTIONS} slow headers, bodies and readers`, alone, async () => {
      const attacks = Object.entries(ways).map(([what, way]) =>
        attack(`${server.url}/${what === "readers" ? LONGEST : "sessions/new"}`, way),
      );
      const during = await measureBackgroundLoad(server.url, SECONDS * 1000);
      for (const report of await Promise.all(attacks)) {
        assert.match(report, /service available: +YES/);
        assert.doesNotMatch(report, /service available: +NO/);
      }
      return during;
    });
  });
}
