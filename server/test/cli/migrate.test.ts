// runs: once

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { run, runHere, succeed, succeedJson } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { launcher, startServer } from "../support/server-process.ts";
import { ids } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface Moved {
  readonly resumed: boolean;
  readonly copied: { readonly sessions: number; readonly records: number };
  readonly comparison: {
    readonly isEqual: boolean;
    readonly kinds: readonly {
      readonly kind: string;
      readonly target: { readonly count: number };
    }[];
  } | null;
}

interface Visitor {
  readonly id: string;
  readonly customer: string;
}

async function visit(url: string, customer: string): Promise<Visitor> {
  const headers = { gkc_customerId: customer, "content-type": "application/json" };
  const created = await fetch(`${url}/sessions/new`, {
    method: "PUT",
    headers: { gkc_customerId: customer },
  });
  const { sessionId } = (await created.json()) as { sessionId: string };
  const body = JSON.stringify([1, 2, 3].map((i) => ({ method: "GET", path: `/${customer}/${i}` })));
  const path = `/sessions/${sessionId}/requests?durable=true`;
  const recorded = await fetch(`${url}${path}`, { method: "POST", headers, body });
  assert.equal(recorded.status, 202);
  return { id: sessionId, customer };
}

/** Returns each visitor's session as a server shows it. */
async function toldOf(url: string, visitors: readonly Visitor[]): Promise<unknown[]> {
  return Promise.all(
    visitors.map(async ({ id, customer }) => {
      const headers = { gkc_customerId: customer };
      const session = (await (await fetch(`${url}/sessions/${id}`, { headers })).json()) as {
        sessionId: string;
      };
      assert.equal(session.sessionId, id);
      const timeline = await fetch(`${url}/sessions/${id}/requests`, { headers });
      return [session, await timeline.json()];
    }),
  );
}

test("a store is migrated with --ahead while its server runs, completed after it stopped, and migrated back without loss", async () => {
  await using here = temporaryDirectory();
  await using folder = temporaryDirectory();
  const [there, back] = [join(folder.path, "there"), join(folder.path, "back")];
  const move = ["migrate", "--from", `sqlite:${here.path}`, "--to", `sqlite:${there}`];
  const visitors: Visitor[] = [];
  let told: unknown[];
  {
    await using server = await startServer({ dataDir: here.path });
    for (let i = 0; i < 20; i++) visitors.push(await visit(server.url, `c${i}`));
    const ahead = await succeedJson<Moved>([...move, "--ahead"]);
    assert.deepEqual([ahead.copied, ahead.comparison], [{ sessions: 20, records: 60 }, null]);
    visitors.push(await visit(server.url, "late"));
    const early = await runHere(move);
    assert.equal(early.code, 4);
    assert.match(early.stderr, /a server runs on .*: stop it, or copy ahead/);
    const unfinished = await run(["serve", "--port", "0", "--data-dir", there]);
    assert.equal(unfinished.code, 4);
    assert.match(unfinished.stderr, /is not complete: finish it/);
    told = await toldOf(server.url, visitors);
    await server.kill();
  }
  const moved = await succeed(move);
  assert.match(moved, /^sessions +21 +21 +equal\nrecords +63 +63 +equal$/m);
  await succeed(["migrate", "--from", `sqlite:${there}`, "--to", `sqlite:${back}`]);
  for (const dataDir of [there, back]) {
    assert.equal((await runHere(["doctor", "--data-dir", dataDir])).code, 0);
    await using server = await serve({ config: { dataDir } });
    assert.deepEqual(await toldOf(server.url, visitors), told);
    await server.stop();
  }
});

test("a store is migrated from SQLite to Redis and back without loss", async () => {
  await using here = temporaryDirectory();
  await using back = temporaryDirectory();
  await using redis = await startSingleRedis();
  const redisPrefix = "moved:";
  const visitors: Visitor[] = [];
  const told: unknown[][] = [];
  // The second server adds sessions, so that the migration back also copies new data.
  for (const [store, name] of [
    ["sqlite", "at first"],
    [redis.url, "moved"],
  ] as const) {
    const served = { dataDir: here.path, store: parseStoreUrl(store) as StoreUrl, redisPrefix };
    await using server = await serve({ config: served });
    if (told.length > 0) assert.deepEqual(await toldOf(server.url, visitors), told.at(-1));
    for (let i = 0; i < 10; i++) visitors.push(await visit(server.url, `${name} ${i}`));
    told.push(await toldOf(server.url, visitors));
    await server.stop();
    // An option that is left out is the Redis of the setting `store`, so that a password need not be in a flag.
    const move = store === "sqlite" ? ["--from", `sqlite:${here.path}`] : ["--to", `sqlite:${back.path}`];
    const env = { ANTECHAMBER_STORE: redis.url };
    const { code, stdout: moved, stderr } = await run(["migrate", ...move, "--redis-prefix", redisPrefix], { env });
    assert.equal(code, 0, stderr);
    const [sessions, records] = [visitors.length, 3 * visitors.length];
    const lines = `^sessions +${sessions} +${sessions} +equal\\nrecords +${records} +${records} +equal$`;
    assert.match(moved, new RegExp(lines, "m"));
  }
  await using server = await serve({ config: { dataDir: back.path } });
  assert.deepEqual(await toldOf(server.url, visitors), told.at(-1));
});

test("an error of a Redis that cannot be read or written names the option with its address", async () => {
  await using here = temporaryDirectory();
  await fill(here.path, 1);
  await using redis = await startSingleRedis();
  const set = (...words: string[]) => redis.node.command("CONFIG", "SET", ...words);
  const acl = (...words: string[]) => redis.node.command("ACL", "SETUSER", ...words);
  await acl("poor", "on", ">p", "~*", "+@all", "-eval", "-evalsha");
  const filling = ["migrate", "--from", `sqlite:${here.path}`, "--to"];
  const read = ["migrate", "--to", `sqlite:${here.path}/new`, "--from"];
  await set("maxmemory", "1");
  const missing = await runHere(filling.slice(0, -1));
  assert.deepEqual([missing.code, missing.stderr.includes("--to is missing: give it, or name a Redis")], [2, true]);
  for (const [args, message] of [
    [[...filling, redis.url], /--to: Redis at 127\.0\.0\.1:\d+ cannot be used: OOM: /],
    [[...filling, redis.url.replace("//", "//poor:p@")], /--to: .*NOPERM.* EVAL/],
    [[...filling, redis.url.replace("redis:", "redis+cluster:")], /--to: .*is no cluster; name it/],
    [[...read, `${redis.url}/99`], /--from: .*database 99/],
    [[...read, redis.url.replace("//", "//poor:wrong@")], /--from: .*WRONGPASS/],
  ] as const) {
    const { code, stderr } = await runHere(args);
    assert.equal(code, 4, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\.\. |[.;] *[.;]|Look at store/);
  }
});

test("a migration is refused while a server runs on Redis", async () => {
  await using here = temporaryDirectory();
  await using redis = await startSingleRedis();
  await using server = await serve({ config: { store: parseStoreUrl(redis.url) as StoreUrl } });
  await visit(server.url, "one");
  const move = ["migrate", "--from", redis.url, "--to", `sqlite:${here.path}`];
  const { code, stderr } = await runHere(move);
  assert.equal(code, 4, stderr);
  assert.match(stderr, /a server runs on .*: stop it, or copy ahead of that \(--ahead\)/);
  await succeed([...move, "--ahead"]);
  await server.stop();
  assert.match(await succeed(move), /^sessions +1 +1 +equal$/m);
});

/** Starts a migration, and kills it when it has copied some sessions. Returns whether that came before its end. */
async function killWhileCopying(move: readonly string[], target: string): Promise<boolean> {
  const child = spawn(launcher, move, { stdio: "ignore" });
  const ended = once(child, "exit");
  while (child.exitCode === null && !/sessions \d+/.test(noteIn(target))) await delay(5);
  child.kill("SIGKILL");
  const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  return signal === "SIGKILL" && /sessions \d+/.test(noteIn(target));
}

test("a killed migration is resumed", async () => {
  await using here = temporaryDirectory();
  await using targets = temporaryDirectory();
  const sessions = 20_000;
  await fill(here.path, sessions);
  const moveTo = (there: string) => ["migrate", "--from", `sqlite:${here.path}`, "--to", `sqlite:${there}`];
  let there = join(targets.path, "0");
  // On a busy machine the migration may end before it can be killed.
  for (let attempt = 1; !(await killWhileCopying(moveTo(there), there)); attempt++) {
    assert.ok(attempt < 10, "it ended before it could be killed");
    there = join(targets.path, String(attempt));
  }
  const move = moveTo(there);
  const result = await succeedJson<Moved>(move);
  assert.equal(result.resumed, true);
  assert.ok(result.copied.sessions < sessions, `${result.copied.sessions} were copied again`);
  assert.equal(result.comparison?.isEqual, true);
  assert.equal(result.comparison.kinds[0]?.target.count, sessions);
  const again = await runHere(move);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /it holds sessions, answers, keys or an audit trail already/);
});

test("a migration is refused if a store is invalid or both are the same", async () => {
  await using here = temporaryDirectory();
  await fill(here.path, 1);
  const from = ["migrate", "--from", `sqlite:${here.path}`];
  for (const [args, code, message] of [
    [[...from, "--to", `sqlite:${here.path}/.`], 2, /are the same store/],
    [[...from, "--to", "elsewhere"], 2, /--to is sqlite:<folder>/],
    [["migrate", "--from", "sqlite:/nowhere", "--to", "sqlite:/nothing"], 4, /there is no data in/],
  ] as const) {
    const result = await runHere(args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, message);
  }
});

const lifetime = { idle: 1_800_000, total: 86_400_000 };
const lifetimes = { anonymous: lifetime, recognized: lifetime };

/** Stores `sessions` sessions in a folder without a server. */
async function fill(dataDir: string, sessions: number): Promise<void> {
  const now = Date.now();
  const store = openSqliteStore({
    dataDir,
    lifetimes,
    events: unheard,
    maxRecords: 10_000,
    retention: 86_400_000,
    eventRetention: 86_400_000,
    cacheSessions: 1000,
    maxPending: sessions,
    timeout: 60_000,
    now,
  });
  const issuer = createIdIssuer(await store.listSecrets());
  const created = Array.from({ length: sessions }, (_, i) => {
    const { id, createdAt } = issuer.issue(now);
    return store.create(newSession(id, createdAt, ids({ customerId: `c${i}` }), lifetimes), now);
  });
  for (const { outcome } of await Promise.all(created)) assert.equal(outcome, "created");
  await store.close();
}

/** Returns the stored progress of a migration into a folder, or "" if none has begun. */
function noteIn(dataDir: string): string {
  // A reader in the moment before SQLite switches to its write-ahead log would end the migration.
  if (!existsSync(join(dataDir, "antechamber.db-wal"))) return "";
  try {
    using database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
    return String(database.prepare("SELECT import_cursor FROM facts").get()?.["import_cursor"] ?? "");
  } catch {
    return "";
  }
}
