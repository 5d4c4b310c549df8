// runs: faults

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { SessionInfo } from "@antechamber/client/protocol";
import { sessionOf } from "../support/api.ts";
import { createCaller, NoResponse } from "../support/caller.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { createRecordSender, type RecordSender } from "./record-ledger.ts";

const ROUNDS = long ? 50 : 3;
const SESSIONS = 16;

/** A session with one caller, who sends records and repeats every request that gets no response. */
interface Visitor {
  readonly sessionId: string;
  /** Paths of the records that the server accepted, in order. */
  readonly done: string[];
  /** The request without a response, which is sent again with the same idempotency key. */
  open: { readonly key: string; readonly path: string } | undefined;
}

async function recordUntilGone(sender: RecordSender, visitor: Visitor): Promise<void> {
  try {
    for (;;) {
      visitor.open ??= { key: randomUUID(), path: `/${visitor.done.length + 1}` };
      const { key, path } = visitor.open;
      const headers = { "idempotency-key": key };
      assert.equal(await sender.send(visitor.sessionId, [path], false, headers), 202);
      visitor.done.push(path);
      visitor.open = undefined;
    }
  } catch (error) {
    if (!(error instanceof NoResponse)) throw error;
  }
}

test(`over ${ROUNDS} kills, records that are sent again until there is a response are stored once`, async () => {
  const random = createRandom(runSeed());
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const visitors: Visitor[] = [];
  let repeated = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using server = await startServer({ dataDir });
    using sender = createRecordSender(server.url);
    using caller = createCaller(server.url);
    while (visitors.length < SESSIONS) {
      const { sessionId } = sessionOf(await caller.create());
      visitors.push({ sessionId, done: [], open: undefined });
    }
    repeated += visitors.filter(({ open }) => open !== undefined).length;
    const loads = visitors.map((visitor) => recordUntilGone(sender, visitor));
    await Promise.race([delay(random.between(50, 500)), ...loads]);
    await server.kill("SIGKILL");
    await Promise.all(loads);
  }
  await using server = await startServer({ dataDir });
  using sender = createRecordSender(server.url);
  for (const { sessionId, done, open } of visitors) {
    if (open !== undefined) {
      const headers = { "idempotency-key": open.key };
      assert.equal(await sender.send(sessionId, [open.path], false, headers), 202);
      done.push(open.path);
    }
    assert.deepEqual(await sender.paths(sessionId), done);
  }
  assert.ok(repeated > 0, "no request was without an answer");
});

test("a create that is sent again after a kill returns the session that the stored response names", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const keys = Array.from({ length: 32 }, () => randomUUID());
  const create = async (url: string, key: string): Promise<SessionInfo> => {
    const headers = { "idempotency-key": key, "content-type": "application/json" };
    const body = JSON.stringify({ visitId: key });
    const answer = await fetch(`${url}/sessions/new`, { method: "PUT", headers, body });
    assert.equal(answer.status, 200, "an unknown session holds a visit");
    return (await answer.json()) as SessionInfo;
  };
  const promised = new Map<string, SessionInfo>();
  for (let round = 0; round < 3; round++) {
    await using server = await startServer({ dataDir });
    const work = keys.map(async (key) => {
      const session = await create(server.url, key);
      assert.deepEqual(promised.get(key) ?? session, session);
      promised.set(key, session);
    });
    const settled = Promise.allSettled(work);
    await Promise.race([Promise.any(work), delay(5000)]);
    await server.kill("SIGKILL");
    const failures = (await settled).filter(({ status }) => status === "rejected");
    for (const failure of failures) {
      const { reason } = failure as { readonly reason: unknown };
      // A request that the kill cut off may fail, but no response may be wrong.
      assert.ok(!(reason instanceof assert.AssertionError), String(reason));
    }
  }
  await using server = await startServer({ dataDir });
  for (const key of keys) {
    const session = await create(server.url, key);
    assert.equal(session.visitId, key);
    assert.deepEqual(promised.get(key) ?? session, session);
  }
});
