// runs: once

import assert from "node:assert/strict";
import { chmodSync, statSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { checkClock, checkFolder } from "../../src/runtime/start-warnings.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { DAY, HOUR, MINUTE } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { indexRows } from "../support/traces.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
/** A time (ms) in which the purge completes several batches. */
const SEVERAL_BATCHES_MS = 1200;

test("if the clock has jumped far ahead, the server warns at its start and purges nothing for ten minutes", async () => {
  await using server = await serve({ frozen: true });
  const api = createApi(server.url);
  for (let i = 0; i < 5; i++) {
    sessionOf(await api.create({ headers: { gkc_customerId: `c${i}` } }));
  }
  assert.doesNotMatch(server.log(), /clock/);
  await server.restart(() => server.step(20 * DAY));
  assert.match(server.log(), /"level":40,.*20 days ahead of when the data was last used.*stop the server/);
  await delay(SEVERAL_BATCHES_MS);
  assert.equal(indexRows(server.dataDir)["sessions"], 5);
  server.pass(10 * MINUTE);
  await eventually(async () => assert.equal(indexRows(server.dataDir)["sessions"], 0));
});

test("after a clock that was ahead is corrected, nothing is purged too early", async () => {
  await using server = await serve({ frozen: true });
  sessionOf(await createApi(server.url).create({ headers: { gkc_customerId: "c" } }));
  await server.restart(() => server.step(20 * DAY));
  // This request makes the server store the wrong time.
  sessionOf(await createApi(server.url).create({ headers: { gkc_customerId: "d" } }));
  await server.restart(() => server.step(-20 * DAY));
  assert.match(server.log(), /"level":40,.*20 days ahead of this machine's clock/);
  await delay(SEVERAL_BATCHES_MS);
  assert.equal(indexRows(server.dataDir)["sessions"], 2);
});

test("erasing a customer also erases sessions whose retention has passed but that are not purged yet", async () => {
  await using server = await serve({ frozen: true });
  sessionOf(await createApi(server.url).create({ headers: { gkc_customerId: "c" } }));
  await server.restart(() => server.step(20 * DAY));
  const erasure = await createApi(server.url).call("DELETE", "/customers/c");
  assert.deepEqual(JSON.parse(erasure.text), { sessions: 1, keys: 0, isComplete: true });
});

test("a server that starts within a day after its data were last used does not warn", () => {
  assert.deepEqual(checkClock(NOW, NOW - DAY), { warning: undefined, holdPurgeFor: 0 });
  assert.equal(checkClock(NOW, NOW + 9000).warning, undefined);
  assert.match(checkClock(NOW, NOW + HOUR).warning?.message ?? "", /is 60 minutes ahead of this/);
  assert.match(checkClock(NOW, NOW - 30 * HOUR).warning?.message ?? "", /is 30 hours ahead of when/);
  assert.equal(checkClock(NOW, NOW - 30 * HOUR).holdPurgeFor, 10 * MINUTE);
});

test("the server warns of a data folder that others can read or write, and creates a new one private", async () => {
  await using directory = temporaryDirectory();
  chmodSync(directory.path, 0o700);
  assert.equal(checkFolder(directory.path), undefined);
  for (const [mode, word] of [
    [0o755, "read"],
    [0o750, "read"],
    [0o777, "written"],
    [0o770, "written"],
  ] as const) {
    chmodSync(directory.path, mode);
    const message = checkFolder(directory.path)?.message ?? "";
    assert.match(message, new RegExp(`can be ${word} by other users`));
    assert.ok(message.includes(`chmod 700 ${directory.path}`), message);
  }
  const dataDir = `${directory.path}/made`;
  await using server = await serve({ config: { dataDir } });
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  assert.equal(statSync(`${dataDir}/antechamber.db`).mode & 0o777, 0o600);
  assert.doesNotMatch(server.log(), /chmod/);
});
