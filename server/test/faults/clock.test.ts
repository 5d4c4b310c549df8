// runs: faults
// needs: libfaketime

import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { problemOf, sessionOf } from "../support/api.ts";
import { type Caller, createCaller } from "../support/caller.ts";
import { endSession } from "../support/command-line.ts";
import { eventually, until } from "../support/eventually.ts";
import { type ServerProcess, type ServerProcessOptions, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { freshIds } from "./load.ts";
import { openStoredData } from "./stored-data.ts";

const ANONYMOUS_IDLE = 2000;

/** Returns the environment variables that make libfaketime control a server's wall clock. */
function fakeClock(settings: Record<string, string>): Record<string, string> {
  const library = readdirSync("/usr/lib")
    .map((name) => join("/usr/lib", name, "faketime/libfaketimeMT.so.1"))
    .find((path) => existsSync(path));
  assert.ok(library, "the Debian package libfaketime is missing");
  return {
    LD_PRELOAD: library,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    ANTECHAMBER_ANONYMOUS_IDLE: `${ANONYMOUS_IDLE}ms`,
    ...settings,
  };
}

/** The processes whose clock libfaketime controlled. It leaves shared memory behind if its process is killed. */
const controlled: number[] = [];
after(() => {
  for (const pid of controlled) {
    for (const name of ["faketime_shm_", "sem.faketime_sem_"]) rmSync(`/dev/shm/${name}${pid}`, { force: true });
  }
});

/** Starts a server whose wall clock libfaketime controls. */
async function startWithClock(
  settings: Record<string, string>,
  options: Pick<ServerProcessOptions, "dataDir"> = {},
): Promise<ServerProcess> {
  const server = await startServer({ ...options, env: fakeClock(settings) });
  controlled.push(server.pid);
  return server;
}

/** The sessions of a test: `live` ones, and those that have ended or expired (`over`). No wrong clock changes that. */
interface KnownSessions {
  readonly ledger: Ledger;
  readonly live: Set<string>;
  readonly over: Set<string>;
}

/** Asserts that sessions in `over` are still over, that those in `live` are live, and that new ones can be created. */
async function assertServes(server: ServerProcess, { ledger, live, over }: KnownSessions): Promise<void> {
  using caller = createCaller(server.url);
  await assertOver(caller, over);
  await ledger.verify(caller, [...live]);

  const ids = { ...freshIds(), customerId: "customer" };
  const stored = sessionOf(await ledger.create(caller, ids));
  assert.equal(
    problemOf(await ledger.create(caller, { ...freshIds(), visitId: ids.visitId }), 400).code,
    "already-exists",
  );
  // On a busy machine an anonymous session may expire before it is associated.
  const anonymous = await eventually(async () => {
    const created = await ledger.createAnonymous(caller);
    assert.equal((await ledger.associate(caller, created, { customerId: "customer" })).status, 200);
    return created;
  });
  await ledger.verify(caller, [stored.sessionId, anonymous]);
  live.add(stored.sessionId).add(anonymous);
}

async function assertOver(caller: Caller, over: ReadonlySet<string>): Promise<void> {
  for (const sessionId of over) {
    const shown = sessionOf(await caller.retrieve(sessionId));
    assert.notEqual(shown.sessionId, sessionId, "an ended or expired session is live again");
    const refused = problemOf(await caller.associate(sessionId, { customerId: "customer" }), 404);
    assert.equal(refused.code, "session-not-found");
  }
}

/** Creates an ended session, an expired one, and an expired implicit one, and adds them to `over`. */
async function createOver(server: ServerProcess, { over }: KnownSessions): Promise<void> {
  using caller = createCaller(server.url);
  const ended = sessionOf(await caller.create({ ...freshIds(), customerId: "customer" }));
  assert.ok(await endSession(server.dataDir, ended.sessionId));
  const stored = sessionOf(await caller.create(freshIds()));
  const unstored = sessionOf(await caller.create());
  // Retrieving the sessions would renew them, so the test waits for their lifetime instead.
  const lifeMs = Date.parse(unstored.expiresAt) - Date.parse(unstored.createdAt);
  const start = performance.now();
  await until("they expire", () => performance.now() - start > lifeMs + 10, 2 * ANONYMOUS_IDLE);
  for (const { sessionId } of [ended, stored, unstored]) over.add(sessionId);
  await assertOver(caller, over);
}

function newKnownSessions(): KnownSessions {
  return { ledger: createLedger(), live: new Set(), over: new Set() };
}

/** Moves all sessions to `over` after a day has passed. */
function markAllOver({ live, over }: KnownSessions): void {
  for (const sessionId of live) over.add(sessionId);
  live.clear();
}

test("whatever the wall clock is after a restart, no ended session is live again and no live session ends early", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const known = newKnownSessions();
  {
    await using server = await startWithClock({}, { dataDir });
    await assertServes(server, known);
    await createOver(server, known);
    await server.kill("SIGTERM");
  }
  // The time in 2038 is within the last seconds that a signed 32-bit time_t can represent.
  const clocks = ["-1h", "-1d", "@1970-01-01 00:00:01", "+1d", "+0", "@2038-01-19 03:14:05", "+0"];
  for (const FAKETIME of clocks) {
    if (FAKETIME === "+1d" || FAKETIME.startsWith("@2038")) markAllOver(known);
    await using server = await startWithClock({ FAKETIME }, { dataDir });
    await assertServes(server, known);
    if (FAKETIME.startsWith("@2038")) await createOver(server, known);
    await assertServes(server, known);
    await server.kill("SIGTERM");
    using stored = openStoredData(dataDir);
    assert.deepEqual(stored.integrity(), ["ok"]);
  }
});

test("setting the clock back while the server is down revives no ended session", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const known = newKnownSessions();
  {
    await using server = await startWithClock({}, { dataDir });
    await createOver(server, known);
    await server.kill("SIGKILL");
  }
  await using server = await startWithClock({ FAKETIME: "-1h" }, { dataDir });
  await assertServes(server, known);
});

test("setting the clock back or forward while the server runs revives no ended session", async () => {
  await using directory = temporaryDirectory();
  const clock = join(directory.path, "clock");
  const set = (offset: string) => writeFileSync(clock, `${offset}\n`);
  set("+0");
  const known = newKnownSessions();
  await using server = await startWithClock({ FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: "1" });
  await assertServes(server, known);
  await createOver(server, known);
  set("-1d");
  await assertServes(server, known);
  set("+1d");
  markAllOver(known);
  await assertServes(server, known);
  set("-1d");
  await assertServes(server, known);
});
