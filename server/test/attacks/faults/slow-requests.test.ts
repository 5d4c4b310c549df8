// runs: faults
// needs: slowhttptest

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify, stripVTControlCharacters } from "node:util";
import { startServer } from "../../support/server-process.ts";
import { long } from "../../support/tier.ts";
import { assertUnharmed, waitsBeside } from "./background-load.ts";

const SECONDS = long ? 120 : 3;
const CONNECTIONS = long ? 1000 : 300;

/** What the server has most to send of: 1.6 MB. */
const LONGEST = "docs/swagger-ui-bundle.js";

/** How slowhttptest is slow: in its headers, in its body, in reading the answer. */
const ways = {
  headers: ["-H", "-i", "1"],
  bodies: ["-B", "-i", "1", "-s", "8192", "-t", "PUT", "-f", "application/json"],
  readers: ["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1", "-k", "3"],
} as const;

async function attack(url: string, way: readonly string[]): Promise<string> {
  const pace = ["-c", `${CONNECTIONS}`, "-r", `${CONNECTIONS}`, "-l", `${SECONDS}`, "-p", "2"];
  // Attackers bring processors of their own. These would share the server's, and slowhttptest spends a
  // core on waiting: as if it were elsewhere, it gets what others leave.
  const args = ["-n", "19", "slowhttptest", ...way, ...pace, "-u", url];
  const { stdout } = await promisify(execFile)("nice", args);
  return stripVTControlCharacters(stdout);
}

// What each server does with such connections, that it cuts them off, test/faults/junk.test.ts shows.
for (const runtime of long ? (["bun", "node"] as const) : (["bun"] as const)) {
  test(`${CONNECTIONS} connections of each slow kind hold up nobody (${runtime})`, async () => {
    await using server = await startServer({ runtime });
    await waitsBeside(server.url, 500);
    const alone = await waitsBeside(server.url, long ? 10_000 : 1500);
    const attacks = Object.entries(ways).map(([what, way]) =>
      attack(`${server.url}/${what === "readers" ? LONGEST : "sessions/new"}`, way),
    );
    const beside = await waitsBeside(server.url, SECONDS * 1000);
    assertUnharmed(`${CONNECTIONS} slow headers, bodies and readers`, alone, beside);
    for (const report of await Promise.all(attacks)) {
      assert.match(report, /service available: +YES/);
      assert.doesNotMatch(report, /service available: +NO/);
    }
  });
}
