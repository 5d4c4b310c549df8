import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../../session/errors.ts";
import { renewed } from "../../session/lifetime.ts";
import { isBare } from "../../session/session.ts";
import { noEventLog } from "../no-event-log.ts";
import { StoreOpenError } from "../open-error.ts";
import type { AuditStore } from "../ports/audit.ts";
import type { CredentialStore } from "../ports/credentials.ts";
import type { DataStore } from "../ports/data.ts";
import type { StoreEngine } from "../ports/engine.ts";
import type { ErasureStore } from "../ports/erasure.ts";
import type { EventLog } from "../ports/events.ts";
import type { IdempotencyStore } from "../ports/idempotency.ts";
import type { LifecycleStore } from "../ports/lifecycle.ts";
import type { RecordStore } from "../ports/records.ts";
import type { SessionSearch } from "../ports/search.ts";
import type { SessionStore } from "../ports/sessions.ts";
import type { TransferStore } from "../ports/transfer.ts";
import { createAdmission } from "./connection/admission.ts";
import { RedisFault } from "./connection/faults.ts";
import { inaccessible, openConnection } from "./connection/open-connection.ts";
import { Engine, type Operation } from "./engine.ts";
import { RedisEventLog } from "./events/event-log.ts";
import { appendErasure, hideEvents } from "./events/event-writer.ts";
import { Expiry } from "./events/expiry.ts";
import { EventUpkeep } from "./events/upkeep.ts";
import * as audit from "./globals/audit-trail.ts";
import * as credentials from "./globals/credentials.ts";
import { Heartbeat } from "./globals/heartbeat.ts";
import { Lease } from "./globals/lease.ts";
import * as state from "./globals/store-state.ts";
import { IndexRepair } from "./index/index-repair.ts";
import { listSessions } from "./index/session-search.ts";
import { lastByteForVisit } from "./layout/key-names.ts";
import { newNonce } from "./layout/nonce.ts";
import { NoteWorker } from "./notes/note-worker.ts";
import { exportPage } from "./operations/export.ts";
import * as responses from "./operations/idempotency.ts";
import { createOnce, isDone, rotateOnce, storeRecordsOnce } from "./operations/idempotent-changes.ts";
import { importItems } from "./operations/import.ts";
import type { RedisStoreOptions } from "./options.ts";
import { readRecordPage } from "./records/record-pages.ts";
import { RecordQueue } from "./records/record-queue.ts";
import { SetAsideRecords } from "./records/set-aside.ts";
import { associateIds } from "./sessions/association.ts";
import { changeSessionData, DataChanges, findWithData } from "./sessions/data.ts";
import { moveOldClaims } from "./sessions/old-claims.ts";
import * as sessions from "./sessions/sessions.ts";
import { initLiveCount, statisticsPort } from "./statistics/statistics-port.ts";
import { eraseDeliveries } from "./webhooks/deliveries.ts";
import { eraseCustomerDeliveries } from "./webhooks/erase-customer.ts";
import { webhookPort } from "./webhooks/webhook-port.ts";

/** The parts of an open store, from which the ports are made. */
interface OpenStore {
  readonly engine: Engine;
  readonly records: RecordQueue;
  readonly setAside: SetAsideRecords;
  readonly notes: NoteWorker;
  readonly heartbeat: Heartbeat;
  readonly lease: Lease;
  readonly repair: IndexRepair;
  /** Both `undefined` if no events are published. */
  readonly events: RedisEventLog | undefined;
  readonly upkeep: EventUpkeep | undefined;
}

/** Maximum time (ms) to store queued records before sessions are listed, so that those with nothing else are found. */
const FLUSH_TIMEOUT = 1000;

/** Opens the Redis engine. It caches no sessions, as other processes may change them. Throws `StoreOpenError`. */
export async function openRedisStore(options: RedisStoreOptions): Promise<StoreEngine> {
  const admission = createAdmission(options.maxPending, options.events);
  const connection = await openConnection({
    ...options,
    isRepeatable: true,
    failed: admission.failed,
    waiting: (message) => options.events.noticed("warn", message),
  });
  try {
    const store = await openStore(new Engine(connection, admission, options));
    return {
      ...sessionPort(store),
      ...dataPort(store),
      ...recordPort(store),
      ...responsePort(store),
      ...auditPort(store),
      ...credentialPort(store),
      ...transferPort(store),
      ...webhookPort(store.engine),
      ...statisticsPort(store.engine),
      ...lifecyclePort(store),
      ...eventPort(store),
    };
  } catch (error) {
    connection.close();
    throw error instanceof StoreOpenError ? error : inaccessible(options, error);
  }
}

async function openStore(engine: Engine): Promise<OpenStore> {
  const { purpose } = engine.options;
  if (purpose === "look" && !(await state.identifyStore(engine.begin())).hasState) {
    throw new StoreOpenError("missing", missingText(engine.keys.state));
  }
  const claims = await state.initStore(engine.begin());
  const hasServer = () => isServed(() => state.readServedAt(engine.begin()));
  if (purpose === "move" && (await hasServer())) {
    throw new StoreOpenError("in-use", "A server runs on the data in Redis: stop it first.");
  }
  // Commands give no session a visit, and an older release may still serve beside them.
  if (claims !== "present" && purpose === "serve") await moveClaims(engine, claims, hasServer);
  engine.advance(await state.readHighWaterMark(engine.begin()));
  await initLiveCount(engine.begin());
  if (engine.publishes) await Expiry.init(engine.begin());
  const records = new RecordQueue(engine);
  const setAside = new SetAsideRecords(engine, records);
  const heartbeat = await Heartbeat.start(engine);
  const lease = new Lease();
  const notes = new NoteWorker(engine, lease);
  const repair = new IndexRepair(engine, lease);
  const parts = { engine, records, setAside, notes, heartbeat, lease, repair };
  if (!engine.publishes) return { ...parts, events: undefined, upkeep: undefined };
  const settleOwn = () => notes.settleOwn();
  const events = new RedisEventLog(engine, settleOwn);
  notes.appended = (last) => events.appended(last);
  return { ...parts, events, upkeep: new EventUpkeep(engine, lease, settleOwn) };
}

/** Gives old claims their present form, unless another process has done it meanwhile. Refuses while an older release serves. */
async function moveClaims(engine: Engine, claims: state.Claims, hasServer: () => Promise<boolean>): Promise<void> {
  if (claims === "old" && (await hasServer()) && (await state.initStore(engine.begin())) === "old") {
    const text =
      "A server of an earlier version runs on the data in Redis, and would not see the visits of this one: stop all of them first.";
    throw new StoreOpenError("in-use", text);
  }
  if ((await state.initStore(engine.begin())) === "present") return;
  await state.noteMove(engine.begin(), false);
  await moveOldClaims(engine);
  await state.noteMove(engine.begin(), true);
}

function sessionPort({
  engine,
  records,
  setAside,
  notes,
  events,
}: OpenStore): SessionStore & SessionSearch & ErasureStore {
  return {
    getCached: () => undefined,
    find: (handle) => sessions.find(engine.begin(), handle),
    // One server holds all keys, so there all handles are alike.
    lastByteOfHandle: (visitId) =>
      visitId === null || engine.connection.isOneServer ? undefined : lastByteForVisit(visitId),
    create: (session, now, idempotent) =>
      engine.change(now, (operation) => {
        if (idempotent !== undefined) return createOnce(operation, session, idempotent);
        return isBare(session) ? Promise.resolve({ outcome: "created" }) : sessions.create(operation, session);
      }),
    associate: (request) =>
      engine.change(request.now, async (operation) => {
        const flushed = records.flush(operation, request.handle);
        if (flushed !== undefined) await flushed;
        // Awaiting a boolean would cost every association a turn of the microtask queue.
        const isLost = sessions.isLost(operation, request.handle);
        if (isLost !== false && (await isLost)) return { outcome: "absent" };
        const { idempotent, rotate } = request;
        const result =
          idempotent === undefined
            ? await associateIds(operation, { ...request, rotation: rotate === true ? newNonce() : "" })
            : await rotateOnce(operation, request, idempotent);
        // The association has stored the record that was set aside, unless it was refused.
        if (result.outcome !== "associated") await setAside.storeNow(operation, request.handle);
        return result;
      }),
    rotatedAt: (handle, generation) => sessions.rotatedAt(engine.begin(), handle, generation),
    renew(session, now) {
      sessions.renew(engine, session, now);
      return renewed(session, now, engine.policy.lifetimes);
    },
    end: (request) =>
      engine.change(request.now, async (operation) => {
        const isLost = sessions.isLost(operation, request.handle);
        if (isLost !== false && (await isLost)) return false;
        return sessions.end(operation, request);
      }),
    async listSessions(request) {
      const operation = engine.begin(request.now);
      await records.flushAll(operation.within(FLUSH_TIMEOUT)).catch((error: unknown) => {
        // Records that wait for one node of a cluster do not keep other sessions from being found.
        if (engine.connection.isOneServer) throw error;
      });
      // Later pages continue at sessions that the first page could have found.
      const incomplete = request.after === null ? await notes.settle() : new Set<string>();
      return listSessions(operation, request, incomplete);
    },
    async eraseSessions(handles, now) {
      for (const handle of handles) records.discard(handle);
      if (events !== undefined) {
        await engine.change(now, (operation) => hideEvents(operation, handles));
        // An erased session gets no more notes, and its end must be counted.
        await Promise.all(handles.map((handle) => engine.change(now, (operation) => endForErasure(operation, handle))));
      }
      await Promise.all(
        handles.map((handle) =>
          engine.change(now, async (operation) => {
            await responses.eraseResponses(operation, handle);
            await sessions.erase(operation, handle);
          }),
        ),
      );
      await engine.change(now, (operation) => eraseDeliveries(operation, handles));
      // Erased sessions get no more notes. Those that they have contain parts of the hashes of their ids.
      const { size } = await notes.settle();
      if (size > 0) throw notSettled();
    },
    eraseCustomerApiKeys: (customerId, customerHash, now) =>
      engine.change(now, async (operation) => {
        await eraseCustomerDeliveries(operation, customerId);
        const erased = await credentials.eraseApiKeys(operation, customerId);
        if (events !== undefined) {
          await appendErasure(operation, { customerHash, at: now });
          events.notify();
        }
        return erased;
      }),
  };
}

async function endForErasure(operation: Operation, handle: string): Promise<void> {
  await sessions.end(operation, { handle, now: operation.now, scope: "everyone", reason: "operator" });
}

function dataPort({ engine }: OpenStore): DataStore {
  const changes = new DataChanges();
  return {
    getCachedWithData: () => undefined,
    findWithData: (handle) => findWithData(engine.begin(), handle),
    changeData: (request) =>
      engine.change(request.now, (operation) =>
        changes.run(request.handle, () => changeSessionData(operation, request)),
      ),
  };
}

function eventPort({ events }: OpenStore): EventLog {
  if (events === undefined) return noEventLog;
  const { eventBounds, readEvents, onEvents } = events;
  return { eventBounds, readEvents, onEvents };
}

function recordPort({ engine, records, setAside }: OpenStore): RecordStore {
  return {
    enqueueRecords(handle, accepted, now) {
      engine.advance(now);
      return records.enqueue(handle, accepted, now);
    },
    setAside: (request) => setAside.add(request),
    storeSetAside: (session, now) => setAside.store(session, now),
    storeRecords: (request) =>
      engine.change(request.now, async (operation) => {
        if (request.idempotent !== undefined) {
          return storeRecordsOnce(operation, records, request, request.idempotent);
        }
        await records.store(operation, request.handle, request.records);
        return { outcome: "recorded" };
      }),
    async readRecordPage(request) {
      const operation = engine.begin(request.now);
      await records.flush(operation, request.handle);
      // A caller who has only the handle does not use the session.
      if (request.generation === undefined) return readRecordPage(operation, request);
      return readRecordPage(operation, request, () => setAside.storeNow(operation, request.handle));
    },
  };
}

function responsePort({ engine, records }: OpenStore): IdempotencyStore {
  return {
    findReplay(idempotent, now) {
      const operation = engine.begin(now);
      return responses.findReplay(operation, idempotent, (handle, need) => isDone(operation, records, handle, need));
    },
    listStoredResponses: (handle, now) => responses.responsesAbout(engine.begin(now), handle),
  };
}

function auditPort({ engine }: OpenStore): AuditStore {
  return {
    appendAuditEntry: (entry) => engine.change(entry.at, (operation) => audit.append(operation, entry)),
    async lastAuditEntry() {
      return (await audit.read(engine.begin(), -1, -1))[0];
    },
    readAuditEntries: (after, limit) => audit.read(engine.begin(), after, after + limit - 1),
  };
}

function credentialPort({ engine, heartbeat }: OpenStore): CredentialStore {
  /** Returns the API keys or secrets that `read` has read. Rejects if the data in Redis are gone or another store's. */
  async function ofThisStore<T>(read: Promise<T>): Promise<T> {
    const result = await read;
    if (heartbeat.isKnown(await credentials.readSecretTexts(engine.begin()))) return result;
    throw notThisStore();
  }

  return {
    listApiKeys: () => ofThisStore(credentials.readApiKeys(engine.begin())),
    addApiKey: (key) => engine.change(key.createdAt, (operation) => credentials.addApiKey(operation, key)),
    revokeApiKey: (id, now) => engine.change(now, (operation) => credentials.revokeApiKey(operation, id)),
    replaceApiKey: (id, successor, expiresAt) =>
      engine.change(successor.createdAt, (operation) => credentials.replaceApiKey(operation, id, successor, expiresAt)),
    recordApiKeyUse: (uses) => engine.change(engine.latest, (operation) => credentials.noteApiKeyUse(operation, uses)),
    listSecrets: () => ofThisStore(credentials.readSecrets(engine.begin())),
    addSecret({ bytes, createdAt }) {
      const secret = { base64: Buffer.from(bytes).toString("base64"), createdAt };
      return engine.change(createdAt, (operation) => credentials.addSecrets(operation, [secret], false));
    },
    addSignOut: (signOut, now) => engine.change(now, (operation) => credentials.addSignOut(operation, signOut)),
    listSignOuts: () => credentials.readSignOuts(engine.begin()),
  };
}

function transferPort({ engine, records, heartbeat }: OpenStore): TransferStore {
  return {
    async exportPage(after, now) {
      await records.flushAll(engine.begin(now));
      return exportPage(engine, after);
    },
    importItems(request) {
      heartbeat.beginImport();
      return engine.admission.admit(() => importItems(engine, request));
    },
    importCursor: () => state.readImportCursor(engine.begin()),
  };
}

function lifecyclePort(store: OpenStore): LifecycleStore {
  const { engine, records, setAside, notes, heartbeat, lease, repair, events, upkeep } = store;
  const { connection, admission } = engine;
  return {
    async clockHighWaterMark() {
      return Math.max(engine.latest, await state.readHighWaterMark(engine.begin()));
    },
    advanceClock: (now) =>
      engine.change(now, async (operation) => {
        const pulse = await state.heartbeat(operation, heartbeat.known);
        if (!heartbeat.isIntact(pulse)) throw notThisStore();
      }),
    // Redis removes expired keys by itself. The records that this process has set aside are counted and removed here.
    async purgeExpired(now, sessionTime = now) {
      engine.advance(now);
      setAside.removeOverdue(now);
      return (await upkeep?.slice(Math.min(now, sessionTime))) ?? { expired: 0, isExpiring: false, hasMore: false };
    },
    status: () => ({
      writable: admission.isWritable && !heartbeat.isSuspended && !heartbeat.isAlarmed,
      pending: admission.pending,
      unindexed: engine.notes.size,
      bytes: heartbeat.bytes,
      lostShards: engine.losses.count,
      shardsToRepair: engine.losses.toRepair,
    }),
    async close() {
      if (setAside.size > 0) engine.options.events.noticed("info", leftText(setAside.size));
      await repair.close();
      await records.close();
      await admission.close();
      events?.close();
      await notes.close();
      if (engine.publishes) await lease.release(engine.begin()).catch(() => undefined);
      await heartbeat.close();
      await state.heartbeat(engine.begin(), heartbeat.known).catch(() => undefined);
      connection.close();
    },
  };
}

/** Pause (ms) between two looks for a heartbeat of a server. */
const LOOK_PAUSE = 100;
/** Number of looks without a heartbeat after which no server is assumed to run: three times the heartbeat interval. */
const LOOKS = 15;

/** Returns whether a server runs on the store. `read` returns the time of a server's last heartbeat. */
async function isServed(read: () => Promise<string | null>): Promise<boolean> {
  const first = await read();
  if (first === null) return false;
  // Counts looks, not time: while this machine or Redis stands still, there is no heartbeat to see.
  for (let i = 0; i < LOOKS; i++) {
    await delay(LOOK_PAUSE);
    if ((await read()) !== first) return true;
  }
  return false;
}

function leftText(records: number): string {
  return `Up to ${records} provisional records of visitors who had not come back were not stored. They stay in Redis for at most a minute, where other servers find them.`;
}

function missingText(name: string): string {
  return `There is no data in Redis under the name ${name}: no server has run on it, or its data is gone. Nothing was written. Check the address, the number of the database and redisPrefix.`;
}

function notSettled(): Refusal {
  const cause = new RedisFault(
    "",
    "some notes cannot be worked off while a node of the cluster fails or a slot is moved",
  );
  return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
}

function notThisStore(): Refusal {
  const cause = new RedisFault("", "the data in Redis is gone or that of another store");
  return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
}
