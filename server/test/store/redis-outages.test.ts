import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Refusal } from "../../src/session/errors.ts";
import { StoreOpenError } from "../../src/store/open-error.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { eventually } from "../support/eventually.ts";
import { draft } from "../support/redis/changes.ts";
import { startSecuredRedis } from "../support/redis/secured.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { collectStores, openRedisAt } from "../support/redis/store.ts";
import { HOUR } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { record } from "./contract/timeline.ts";

/* Operations while Redis cannot be reached, does not reply, or refuses the process. */

const created = { outcome: "created" };

/** Returns the reason for which a call is refused. Fails if the call is not refused. */
async function refusalOf(call: Promise<unknown>): Promise<Refusal["reason"]> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Refusal, String(error));
  return error.reason;
}

const unavailable = { code: "unavailable", retryAfterSeconds: 1 } as const;
const unknown = { ...unavailable, outcome: "unknown" } as const;

function end(store: StoreEngine, handle: string) {
  return store.end({ handle, scope: "everyone", now: Date.now() });
}

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis("everysec");
});

const { open, closeAll } = collectStores();

/**
 * Opens a store whose operations fail after `timeout` ms. On a busy machine they may fail while Redis responds, so the tests
 * expect only failures of it, or try again.
 */
function openImpatient(timeout: number, more: Parameters<typeof open>[1] = {}): Promise<StoreEngine> {
  return eventually(() => open(redis.url, { timeout, ...more }));
}
after(async () => {
  await closeAll();
  await redis[Symbol.asyncDispose]();
});

test("TLS with a user and a password works, and only with the trusted certificate and one of the service", async () => {
  await using secured = await startSecuredRedis();
  await using directory = temporaryDirectory();
  const files = { caFile: secured.caFile, certFile: join(directory.path, "certificate.pem"), keyFile: secured.keyFile };
  copyFileSync(secured.caFile, files.certFile);
  const store = await openRedisAt(secured.url, files);
  assert.deepEqual(await store.create(draft({ visitId: "v" }), Date.now()), created);
  // The certificate is renewed while the store is open, and Redis closes the connection.
  writeFileSync(files.certFile, "");
  await secured.node.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await eventually(async () => assert.equal(store.status().writable, false));
  copyFileSync(secured.caFile, files.certFile);
  await eventually(async () => assert.equal(store.status().writable, true));
  // Closed now, because closing a store takes long after its Redis has ended.
  await store.close();
  for (const missing of ["caFile", "certFile"] as const) {
    const opening = () => openRedisAt(secured.url, { ...files, [missing]: undefined, openTimeout: 500 });
    const refused = () =>
      assert.rejects(opening, (error) => {
        assert.ok(error instanceof StoreOpenError && error.fault === "inaccessible");
        assert.match(error.message, /redisCaFile has the CA .* redisCertFile is set/);
        assert.ok(!error.message.includes(secured.password));
        return true;
      });
    // On a busy machine the time may be over before TLS has failed.
    await eventually(refused);
  }
});

test("while Redis is unreachable requests are refused, and afterwards the store continues", async () => {
  const [patient, store] = [await open(redis.url), await openImpatient(400)];
  const session = draft({ customerId: "c" });
  await patient.create(session, Date.now());
  await redis.node.kill();
  await eventually(async () => assert.equal(store.status().writable, false));
  assert.deepEqual(await refusalOf(store.create(draft({ visitId: "away" }), Date.now())), unavailable);
  assert.deepEqual(await refusalOf(Promise.resolve(store.find(session.handle))), unavailable);
  assert.equal(store.status().writable, false);
  assert.equal(store.enqueueRecords(session.handle, [record("away")], Date.now()), true);
  await redis.node.restart();
  await eventually(async () => assert.equal(store.status().writable, true));
  assert.deepEqual(
    await patient.create(draft({ visitId: "away" }), Date.now()),
    created,
    "the refused creation is not stored late",
  );
  const request = {
    handle: session.handle,
    scope: "everyone",
    after: 0,
    limit: 9,
    now: Date.now(),
  } as const;
  await eventually(async () => assert.equal((await store.readRecordPage(request))?.total, 1, "stored once"));
});

test("a renewal that cannot be stored while Redis is unreachable does no harm", async () => {
  const [patient, store] = [await open(redis.url), await openImpatient(300)];
  const session = draft({ visitId: "renewed" });
  await patient.create(session, Date.now());
  await redis.node.kill();
  try {
    store.renew(session, Date.now() + HOUR);
    // It is pending only for a moment, so each turn of the event loop is looked at.
    while (store.status().pending === 0) await turn();
    // The renewal fails now. If its promise had no rejection handler, the test would fail.
    await eventually(async () => assert.equal(store.status().pending, 0));
  } finally {
    await redis.node.restart();
  }
  await eventually(async () => assert.deepEqual(await store.find(session.handle), session));
});

test("a change without a reply has an unknown outcome, and is made at most once", async () => {
  const [patient, store] = [await open(redis.url), await openImpatient(400)];
  const session = draft({});
  // Loads the script. Otherwise Redis would reply to the change below that it lacks the script.
  await end(patient, draft({}).handle);
  await eventually(async () => assert.equal(store.status().writable, true));
  redis.node.pause();
  const reason = await refusalOf(end(store, session.handle)).finally(() => redis.node.resume());
  assert.deepEqual(reason, unknown);
  await eventually(async () => assert.equal(store.status().writable, true));
  assert.equal((await patient.find(session.handle)).ended, true);
});

test("a change that too few replicas have has an unknown outcome", async () => {
  const store = await openImpatient(300, { minReplicasAck: 1 });
  const create = () => store.create(draft({ customerId: "c" }), Date.now());
  await eventually(async () => assert.deepEqual(await refusalOf(create()), unknown));
});
