import { associate } from "../../session/association.ts";
import { NO_DATA } from "../../session/data.ts";
import { type Lifetimes, renewed } from "../../session/lifetime.ts";
import { isReached } from "../../session/permissions.ts";
import { mayHaveSetAside } from "../../session/provisional.ts";
import type { RequestRecord } from "../../session/record.ts";
import { isBare, isLive, type Session } from "../../session/session.ts";
import { noEventLog } from "../no-event-log.ts";
import type { CredentialStore } from "../ports/credentials.ts";
import type { DataStore } from "../ports/data.ts";
import type { StoreEngine } from "../ports/engine.ts";
import type { ErasureStore } from "../ports/erasure.ts";
import type { EventLog } from "../ports/events.ts";
import type { RecordStore } from "../ports/records.ts";
import type { AssociationRequest, AssociationResult, SessionStore } from "../ports/sessions.ts";
import type { WebhookStore } from "../ports/webhooks.ts";
import { recordOf } from "../record-line.ts";
import { databaseFile, fileSize, prepareDatabase } from "./files/database.ts";
import { explaining } from "./files/file-errors.ts";
import { holdFiles, release } from "./files/held-files.ts";
import { lockDataDir } from "./files/lock.ts";
import type { SqliteStoreOptions } from "./options.ts";
import { journalLine } from "./records/journal-lines.ts";
import { DataCache } from "./serving/data-cache.ts";
import { SqliteEventLog } from "./serving/event-log.ts";
import { GroupCommit } from "./serving/group-commit.ts";
import { RecordBuffer } from "./serving/record-buffer.ts";
import { SessionCache } from "./serving/session-cache.ts";
import { SetAsideRecords } from "./serving/set-aside.ts";
import { StoredReader } from "./serving/stored-reader.ts";
import { readApiKeys } from "./tables/api-key-table.ts";
import { readAuditEntries, readLastAuditEntry } from "./tables/audit-table.ts";
import { readClock, readImportCursor, readSecrets, readSignOuts } from "./tables/meta-tables.ts";
import { implicitSessionOf } from "./tables/session-row.ts";
import { readRotation } from "./tables/session-table.ts";
import { readLiveCount, readStatistics } from "./tables/statistics-table.ts";
import { readDeliveries, readDue, readEndpoints, readQueue } from "./webhooks/webhook-reads.ts";

interface Parts {
  readonly writer: GroupCommit;
  readonly reader: StoredReader;
  readonly cache: SessionCache;
  readonly dataCache: DataCache;
  readonly buffer: RecordBuffer;
  readonly setAside: SetAsideRecords;
  readonly lifetimes: Lifetimes;
}

/**
 * Opens the SQLite engine, in which a serving thread reads and a writer thread writes (`DESIGN.md`). Throws
 * `StoreOpenError` if the data directory is in use or cannot be opened.
 */
export function openSqliteStore(options: SqliteStoreOptions): StoreEngine {
  const { dataDir, lifetimes, events, eventRetention } = options;
  const file = databaseFile(dataDir);
  const { reader, files, unlock } = openFiles(dataDir, options.now);
  const cache = new SessionCache(options.cacheSessions);
  const dataCache = new DataCache(options.cacheSessions);
  const eventLog = new SqliteEventLog(reader);
  const buffer = new RecordBuffer((records) => events.recordsLost(records));
  const writer = new GroupCommit({
    ...options,
    file,
    files,
    buffer,
    onSend: () => reader.releaseSnapshot(),
    onStored(command, outcome) {
      cache.update(command, outcome);
      dataCache.update(command, outcome);
    },
    onEvents: () => eventLog.notify(),
    onUnknown(command) {
      cache.forget(command);
      dataCache.forget(command);
    },
  });
  const setAside = new SetAsideRecords({
    enqueue: (handle, record, now) => enqueueRecords(writer, buffer, handle, [record], now),
    async hasRecords(handle, now) {
      const page = await writer.submit("readRecordPage", { handle, scope: "everyone", after: 0, limit: 1, now });
      return page !== null && page.total > 0;
    },
    dropped: events.recordsDropped,
    lost: events.recordsLost,
  });
  const parts = { writer, reader, cache, dataCache, buffer, setAside, lifetimes };
  const sessions = sessionStore(parts);
  return {
    ...sessions,
    ...dataStore(parts, sessions.find),
    ...recordStore(parts),
    ...erasureStore(parts),
    ...credentialStore(parts),
    ...webhookStore(parts),
    listSessions: (request) => writer.submit("listSessions", request),
    findReplay: async ({ key, fingerprint }, now) =>
      (await writer.submit("findReplay", { key, fingerprint, now })) ?? undefined,
    listStoredResponses: (handle, now) => writer.submit("listStoredResponses", { handle, now }),

    ...(eventRetention === null ? noEventLog : eventPort(eventLog)),

    appendAuditEntry: (entry) => writer.submit("appendAuditEntry", { entry, now: entry.at }),
    lastAuditEntry: async () => reader.read(readLastAuditEntry),
    readAuditEntries: async (after, limit) => reader.read((database) => readAuditEntries(database, after, limit)),

    exportPage: (after, now) => writer.submit("exportPage", { after, now }),
    importItems: (request) => writer.submit("importItems", request),
    importCursor: async () => reader.read(readImportCursor),

    async storeStatistics(request) {
      await writer.submit("storeStatistics", request);
    },
    readStatistics: async (from, to) => reader.read((database) => readStatistics(database, from, to)),
    countLive: async () => reader.read(readLiveCount),

    clockHighWaterMark: async () => reader.read(readClock),
    async advanceClock(now) {
      await writer.submit("advanceClock", { now });
    },
    async purgeExpired(now, sessionTime = now) {
      setAside.removeOverdue(now);
      return await writer.submit("purgeExpired", { now, sessionTime: Math.min(now, sessionTime) });
    },
    status: () => ({
      writable: writer.isWritable,
      pending: writer.pending,
      unindexed: undefined,
      bytes: fileSize(file) + fileSize(`${file}-wal`),
      lostShards: 0,
      shardsToRepair: 0,
    }),
    async close() {
      const dropped = setAside.close();
      if (dropped > 0) events.noticed("info", droppedText(dropped));
      // The reader closes first. SQLite makes a checkpoint when the last connection closes, which a connection that
      // only reads cannot make.
      reader.close();
      await writer.close();
      release(files);
      unlock();
    },
  };
}

/** Locks the data directory, creates or migrates the database, opens its files. On failure frees the lock. */
function openFiles(dataDir: string, now: number) {
  const file = databaseFile(dataDir);
  const unlock = lockDataDir(dataDir);
  let reader: StoredReader | undefined;
  try {
    prepareDatabase(dataDir, now);
    reader = new StoredReader(file);
    return { reader, files: explaining(file, () => holdFiles(dataDir, file)), unlock };
  } catch (error) {
    reader?.close();
    unlock();
    throw error;
  }
}

function droppedText(records: number): string {
  return `Provisional records of ${records} visitors who had not come back were dropped.`;
}

function enqueueRecords(
  writer: GroupCommit,
  buffer: RecordBuffer,
  handle: string,
  records: readonly RequestRecord[],
  now: number,
): boolean {
  const isAccepted = buffer.add(handle, records, now);
  writer.wake();
  return isAccepted;
}

function dataStore(
  { writer, reader, cache, dataCache, setAside }: Parts,
  find: (handle: string, id?: string) => Session,
): DataStore {
  return {
    getCachedWithData(id) {
      const session = cache.getById(id);
      return session && dataCache.getWith(session);
    },
    findWithData(handle, id) {
      const session = find(handle, id);
      let data = dataCache.get(session.handle);
      if (data === undefined) {
        data = reader.findData(session.handle, writer) ?? NO_DATA;
        dataCache.set(session.handle, data);
      }
      return { session, data };
    },
    changeData(request) {
      setAside.store(request.handle, request.now);
      return writer.submit("changeData", request);
    },
  };
}

function sessionStore({ writer, reader, cache, setAside, lifetimes }: Parts) {
  return {
    getCached: (id) => cache.getById(id),
    find(handle, id) {
      const cached = id === undefined ? cache.get(handle) : cache.open(handle, id);
      if (cached !== undefined) return cached;
      const session = reader.findSession(handle, writer) ?? implicitSessionOf(handle, lifetimes);
      cache.offer(handle, session);
      return session;
    },
    lastByteOfHandle: () => undefined,
    create: (session, now, idempotent) => writer.submit("create", { session, now, ...(idempotent && { idempotent }) }),
    async associate(request) {
      // A group stores the queued records before its commands, so the record comes before the association.
      setAside.store(request.handle, request.now);
      const cached = cache.get(request.handle);
      return associateCached(cached, request, lifetimes) ?? (await writer.submit("associate", request));
    },
    rotatedAt: async (handle, generation) => reader.read((database) => readRotation(database, handle, generation)),
    renew(session, now) {
      const next = renewed(session, now, lifetimes);
      cache.set(next.handle, next);
      writer.submit("renew", { handle: session.handle, now }).catch(() => {
        // The renewal was not stored, so the old session returns to the cache. The next use renews it again.
        if (cache.get(session.handle) === next) cache.set(session.handle, session);
      });
      return next;
    },
    async end(request) {
      setAside.store(request.handle, request.now);
      return (await writer.submit("end", request)) !== null;
    },
  } satisfies SessionStore;
}

/**
 * Returns the result of an association if the cached session is enough to determine it, otherwise `undefined`. A stored
 * id never changes. So an association that repeats stored ids or conflicts with them needs no transaction.
 */
function associateCached(
  session: Session | undefined,
  { generation, ids, traits, scope, now, rotate }: AssociationRequest,
  lifetimes: Lifetimes,
): AssociationResult | undefined {
  if (rotate) return undefined;
  // The writer decides about an expired session, because it also stores the current time. So the session stays
  // expired even if the clock is set back before the next start.
  if (session === undefined || !isLive(session, now)) return undefined;
  if (!isReached(session, generation, scope)) return { outcome: "absent" };
  const result = associate(session, ids, now, lifetimes, false, traits);
  if (result.outcome === "conflict") return result;
  return result.outcome === "unchanged" ? { outcome: "associated", session } : undefined;
}

function recordStore({ writer, buffer, setAside }: Parts): RecordStore {
  return {
    enqueueRecords: (handle, records, now) => enqueueRecords(writer, buffer, handle, records, now),
    setAside: (request) => setAside.add(request),
    storeSetAside(session, now) {
      // The conditions spare nearly every retrieval the look-up.
      if (setAside.size > 0 && isBare(session) && mayHaveSetAside(session.createdAt, now)) {
        setAside.store(session.handle, now);
      }
    },
    storeRecords({ handle, records, now, idempotent }) {
      const lines = records.map((record) => journalLine(handle, record)).join("");
      return writer.submit("storeRecords", { lines, now, ...(idempotent && { idempotent, handle }) });
    },
    async readRecordPage(request) {
      // A caller who has only the handle does not use the session.
      if (request.generation !== undefined) setAside.store(request.handle, request.now);
      const page = await writer.submit("readRecordPage", request);
      if (page === null) return undefined;
      const { lines, ...rest } = page;
      return { ...rest, records: lines.map(recordOf) };
    },
  };
}

function erasureStore({ writer, setAside }: Parts): ErasureStore {
  /**
   * Removes the index entries of deleted sessions. It includes the sessions of all customers, since nothing is left
   * that shows whose they were. `firstUpTo` is the last session to include, as a sequence in `index_deleted`: 0
   * includes none, `null` all that are deleted now. Also clears most page gaps, so that few are left for the erasure.
   */
  async function purgeIndex(firstUpTo: number | null, now: number): Promise<void> {
    for (let upTo = firstUpTo; ; ) {
      const slice = await writer.submit("purgeIndex", { upTo, now });
      if (slice.isDone) return;
      upTo = slice.upTo;
    }
  }

  return {
    async eraseSessions(handles, now) {
      for (const handle of handles) setAside.delete(handle);
      await purgeIndex(0, now);
      // A group stores the queued records before its commands. So the groups of these commands store all records
      // that were queued before, and the erasure finds them in the journal.
      const scope = "everyone";
      await Promise.all(handles.map((handle) => writer.submit("end", { handle, now, scope, reason: "operator" })));
      await writer.submit("eraseSessions", { handles, now });
    },
    async eraseCustomerApiKeys(customerId, customerHash, now) {
      await purgeIndex(null, now);
      return writer.submit("eraseCustomerApiKeys", { customerId, customerHash, now });
    },
  };
}

function eventPort({ eventBounds, readEvents, onEvents }: SqliteEventLog): EventLog {
  return { eventBounds, readEvents, onEvents };
}

function credentialStore({ writer, reader }: Parts): CredentialStore {
  return {
    listApiKeys: async () => reader.read(readApiKeys),
    async addApiKey(key) {
      await writer.submit("addApiKey", { key, now: key.createdAt });
    },
    revokeApiKey: (id, now) => writer.submit("revokeApiKey", { id, now }),
    replaceApiKey: (id, successor, expiresAt) =>
      writer.submit("replaceApiKey", { id, successor, expiresAt, now: successor.createdAt }),
    async recordApiKeyUse(uses) {
      const now = Math.max(0, ...uses.map(({ at }) => at));
      if (uses.length > 0) await writer.submit("recordApiKeyUse", { uses, now });
    },
    listSecrets: async () => reader.read(readSecrets),
    async addSecret({ bytes, createdAt }) {
      const base64 = Buffer.from(bytes).toString("base64");
      await writer.submit("addSecret", { base64, now: createdAt });
    },
    async addSignOut(signOut, now) {
      await writer.submit("addSignOut", { signOut, now });
    },
    listSignOuts: async () => reader.read(readSignOuts),
  };
}

function webhookStore({ writer, reader }: Parts): WebhookStore {
  return {
    listEndpoints: async () => reader.read(readEndpoints),
    addEndpoint: (endpoint) => writer.submit("addEndpoint", { endpoint, now: endpoint.createdAt }),
    replaceEndpoint: (endpoint) => writer.submit("replaceEndpoint", { endpoint, now: endpoint.updatedAt }),
    removeEndpoint: (id, now) => writer.submit("removeEndpoint", { id, now }),
    readQueue: async (endpointId) => reader.read((database) => readQueue(database, endpointId)),
    queueDeliveries: async (request) => (await writer.submit("queueDeliveries", request)) ?? undefined,
    listDue: async (endpointId, dueBy, limit) => reader.read((database) => readDue(database, endpointId, dueBy, limit)),
    async storeAttempt(result) {
      await writer.submit("storeAttempt", result);
    },
    failOverdue: (endpointId, queuedBefore, limit, now) =>
      writer.submit("failOverdue", { endpointId, queuedBefore, limit, now }),
    redeliver: async (endpointId, deliveryId, now) =>
      (await writer.submit("redeliver", { endpointId, deliveryId, now })) ?? undefined,
    listDeliveries: async (request) => reader.read((database) => readDeliveries(database, request)),
    purgeDeliveries: (now) => writer.submit("purgeDeliveries", { now }),
    // The process holds the lock of the data directory, so no other process can deliver.
    holdLease: async () => true,
    releaseLease: async () => undefined,
  };
}
