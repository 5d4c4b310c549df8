import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { associate } from "../../session/association.ts";
import { Refusal } from "../../session/errors.ts";
import { type Lifetimes, renewed } from "../../session/lifetime.ts";
import { isWithin } from "../../session/permissions.ts";
import { hasNoIds, isLive, type Session } from "../../session/session.ts";
import type { StoreEngine } from "../ports/engine.ts";
import type { StoreEvents } from "../ports/lifecycle.ts";
import type { AssociationRequest, AssociationResult, CreateResult } from "../ports/sessions.ts";
import { recordOf } from "../record-line.ts";
import { readAudit, readLastAudit } from "./audit-table.ts";
import { createRecordBacklog } from "./backlog.ts";
import { createCache } from "./cache.ts";
import type { Change, Outcome, Outcomes } from "./changes.ts";
import { databaseFile, openForReading, prepareDatabase } from "./database.ts";
import { explained, explaining } from "./file-errors.ts";
import { createGroupCommit } from "./group-commit.ts";
import { holdFiles, release } from "./held-files.ts";
import { journalLine } from "./journal-lines.ts";
import { lockDataDir } from "./lock.ts";
import { describedById } from "./rows.ts";
import { createSessionReader } from "./session-table.ts";
import { readFloor, readKeys, readMove, readSecrets } from "./small-tables.ts";

/**
 * Pages that SQLite keeps for reading. What is read again is kept as a session, so a large page cache
 * would hold pages that nobody asks for, and each would be read into memory that no processor cache has.
 */
const PAGE_CACHE_KIB = 256;

/** How the embedded engine is set up; times in milliseconds. */
export interface SqliteStoreOptions {
  readonly dataDir: string;
  readonly lifetimes: Lifetimes;
  /** How many records a session keeps; the oldest are let go. */
  readonly maxRecords: number;
  /** How long what is told of a session is kept after its end. */
  readonly retention: number;
  /** After how many changes the index of ids is merged; for tests. */
  readonly mergeIdsAt?: number;
  /** Sessions kept at hand on the serving thread. */
  readonly cacheSessions: number;
  /** Changes that may wait for the disk; one more is refused. */
  readonly maxPending: number;
  /** How long a change may wait for the disk. */
  readonly timeout: number;
  readonly events: StoreEvents;
  /** The time of the first start, for a new database. */
  readonly now: number;
}

/**
 * The embedded engine: one process, a serving thread that reads and a writer thread that writes.
 * Throws `StoreOpenError` when the data directory is in use or cannot be opened.
 *
 * The cache is coherent because every change passes through here: the writer's answers update it
 * before the callers hear of them.
 */
export function openSqliteStore(options: SqliteStoreOptions): StoreEngine {
  const file = databaseFile(options.dataDir);
  const unlock = prepareAndLock(options.dataDir, options.now);
  const { reader, files } = openHeld(options.dataDir, unlock);
  const snapshot = createSnapshot(reader);
  const readStored = createSessionReader(reader);
  const readable = readableFrom(file);
  const keys = readable(() => readKeys(reader));
  const secrets = readable(() => readSecrets(reader));
  const floor = readable(() => readFloor(reader));
  const move = readable(() => readMove(reader));
  const lastAudit = readable(() => readLastAudit(reader));
  const audit = readable((after: number, limit: number) => readAudit(reader, after, limit));
  const readSession = readable((id: string) => {
    if (writer.displaced === "overwritten") throw new Error("the data was overwritten");
    if (!writer.isBusy) snapshot.hold();
    return readStored(id);
  });
  const cache = createCache<Session>(options.cacheSessions);
  const { lifetimes, events } = options;
  const backlog = createRecordBacklog((records) => events.recordsLost(records));
  const writer = createGroupCommit({
    ...options,
    file,
    files,
    backlog,
    starting: () => snapshot.release(),
    stored(change, outcome) {
      if (change.kind === "erase") {
        for (const id of change.ids) cache.delete(id);
        for (const session of outcome as Outcomes["erase"]) cache.set(session.id, session);
        return;
      }
      const session = sessionAfter(change, outcome);
      if (session === undefined) return;
      const known = cache.get(session.id);
      // A later use has renewed it again meanwhile.
      const isOutdated =
        change.kind === "renew" && (known?.lastActiveAt ?? 0) > session.lastActiveAt;
      if (!isOutdated) cache.set(session.id, session);
    },
    lost(change) {
      for (const id of sessionIdsOf(change)) cache.delete(id);
    },
  });

  /** What is not stored is cached like what is: every change passes through here. */
  function find(id: string): Session {
    const cached = cache.get(id);
    if (cached !== undefined) return cached;
    const session = readSession(id) ?? describedById(id, lifetimes);
    cache.offer(id, session);
    return session;
  }

  /**
   * What associating comes to where that is certain without the writer: ids that are on disk stay,
   * so a repetition and a conflict with them need no transaction.
   */
  function settledAssociation(request: AssociationRequest): AssociationResult | undefined {
    const session = cache.get(request.id);
    if (session === undefined) return undefined;
    // That one is over is told by the writer, which notes the time: the clock may be set back.
    if (!isLive(session, request.now)) return undefined;
    if (!isWithin(session.customerId, request.scope)) return { outcome: "absent" };
    const result = associate(session, request.ids, request.now, lifetimes);
    if (result.outcome === "conflict") return result;
    return result.outcome === "unchanged" ? { outcome: "associated", session } : undefined;
  }

  /**
   * Removes the index entries of deleted sessions of all customers: their ids are no longer known, so the
   * entries of one customer cannot be selected. `atLeast`: up to which session; `null`: all of them. It also
   * clears the gaps of most pages written before, so that an erasure, which clears the rest, is quick.
   */
  async function purge(atLeast: number | null, now: number): Promise<void> {
    for (let upTo = atLeast; ; ) {
      const slice: Outcomes["purge"] = await writer.submit<"purge">({ kind: "purge", upTo, now });
      if (slice.isDone) return;
      upTo = slice.upTo;
    }
  }

  return {
    getCached: (text) => cache.get(text),
    find,

    create: (session, now, once) =>
      writer.submit<"create">({ kind: "create", session, now, ...(once && { once }) }),
    associate: async (request) =>
      settledAssociation(request) ??
      (await writer.submit<"associate">({ kind: "associate", ...request })),

    renew(session, now) {
      const next = renewed(session, now, lifetimes);
      cache.set(next.id, next);
      writer.submit<"renew">({ kind: "renew", id: session.id, now }).catch(() => {
        // Not stored: the next use finds the old session, of which a renewal is due again.
        if (cache.get(session.id) === next) cache.set(session.id, session);
      });
      return next;
    },

    end: async (id, now, scope = "everyone") =>
      (await writer.submit<"end">({ kind: "end", id, now, scope })) !== null,

    enqueueRecords(id, records, now) {
      const isAccepted = backlog.accept(id, records, now);
      writer.wake();
      return isAccepted;
    },
    storeRecords({ id, records, now, idempotent: once }) {
      const lines = records.map((record) => journalLine(id, record)).join("");
      return writer.submit<"record">({ kind: "record", lines, now, ...(once && { once, id }) });
    },
    async findReplay({ key, fingerprint }, now) {
      const change = { kind: "repetition", key, fingerprint, now } as const;
      return (await writer.submit<"repetition">(change)) ?? undefined;
    },
    async readRecordPage(request) {
      const found = await writer.submit<"stretch">({ kind: "stretch", ...request });
      if (found === null) return undefined;
      const { lines, ...rest } = found;
      return { ...rest, records: lines.map(recordOf) };
    },

    listSessions: (request) => writer.submit<"list">({ kind: "list", ...request }),
    listStoredResponses: (id, now) =>
      writer.submit<"answersAbout">({ kind: "answersAbout", id, now }),

    async eraseSessions(ids, now) {
      await purge(0, now);
      // Whatever is accepted for them before they have ended comes to the writer before the erasure.
      const scope = "everyone";
      await Promise.all(ids.map((id) => writer.submit<"end">({ kind: "end", id, now, scope })));
      await writer.submit<"erase">({ kind: "erase", ids, now });
    },
    async eraseCustomerApiKeys(customerId, now) {
      await purge(null, now);
      return writer.submit<"eraseKeys">({ kind: "eraseKeys", customerId, now });
    },

    appendAuditEntry: (entry) =>
      writer.submit<"appendAudit">({ kind: "appendAudit", entry, now: entry.at }),
    lastAuditEntry: async () => lastAudit(),
    readAuditEntries: async (after, limit) => audit(after, limit),

    listApiKeys: async () => keys(),
    async addApiKey(key) {
      await writer.submit<"addKey">({ kind: "addKey", key });
    },
    revokeApiKey: (id, now) => writer.submit<"revokeKey">({ kind: "revokeKey", id, now }),
    replaceApiKey(id, successor, expiresAt) {
      const now = successor.createdAt;
      return writer.submit<"replaceKey">({ kind: "replaceKey", id, successor, expiresAt, now });
    },
    async recordApiKeyUse(uses) {
      const now = Math.max(0, ...uses.map(({ at }) => at));
      if (uses.length > 0) await writer.submit<"keysUsed">({ kind: "keysUsed", uses, now });
    },

    listSecrets: async () => secrets(),
    async addSecret({ bytes, createdAt }) {
      const base64 = Buffer.from(bytes).toString("base64");
      await writer.submit<"addSecret">({ kind: "addSecret", base64, now: createdAt });
    },

    clockHighWaterMark: async () => floor(),
    async advanceClock(now) {
      await writer.submit<"touch">({ kind: "touch", now });
    },
    purgeExpired: (now, sweepTime = now) =>
      writer.submit<"sweep">({ kind: "sweep", now, sweepTime: Math.min(now, sweepTime) }),

    exportPage: (after, now) => writer.submit<"portion">({ kind: "portion", after, now }),
    async importItems(adoption) {
      const leftOut = await writer.submit<"adopt">({ kind: "adopt", ...adoption });
      for (const item of adoption.items) if (item.kind === "session") cache.delete(item.session.id);
      return leftOut;
    },
    importCursor: async () => move(),

    status: () => ({
      writable: writer.writable,
      pending: writer.pending,
      bytes: sizeOf(file) + sizeOf(`${file}-wal`),
    }),

    async close() {
      // The last connection to close moves the log into the database; one that reads cannot.
      snapshot.release();
      reader.close();
      await writer.close();
      release(files);
      unlock();
    },
  };
}

/** A state of the file that many reads share. */
interface Snapshot {
  hold(): void;
  release(): void;
}

/**
 * Each read takes and frees locks, which is a good part of its time; reads in one transaction do so
 * once. It must be over before anything is written: a log that is being read cannot be reset.
 */
function createSnapshot(reader: DatabaseSync): Snapshot {
  const begin = reader.prepare("BEGIN");
  const end = reader.prepare("COMMIT");
  let isHeld = false;
  return {
    hold() {
      if (isHeld) return;
      begin.run();
      isHeld = true;
    },
    release() {
      if (!isHeld) return;
      isHeld = false;
      // SQLite may have ended it by itself, after an error of the disk.
      if (reader.isTransaction) end.run();
    },
  };
}

/** Tells callers of a file that cannot be read what they are told of one that cannot be written. */
function readableFrom(file: string) {
  return <A extends unknown[], T>(read: (...given: A) => T): ((...given: A) => T) =>
    (...given) => {
      try {
        return read(...given);
      } catch (error) {
        const cause = explained(error, file);
        throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
      }
    };
}

/** Opens the reading connection and the other files that are held open; frees the lock if that fails. */
function openHeld(dataDir: string, unlock: () => void) {
  const file = databaseFile(dataDir);
  try {
    const reader = openForReading(file);
    try {
      reader.exec(`PRAGMA cache_size = ${-PAGE_CACHE_KIB}`);
      return { reader, files: explaining(file, () => holdFiles(dataDir, file)) };
    } catch (error) {
      reader.close();
      throw error;
    }
  } catch (error) {
    unlock();
    throw error;
  }
}

/** The session as a stored change left it, where the change was one of a session. */
function sessionAfter(change: Change, outcome: Outcome): Session | undefined {
  switch (change.kind) {
    case "create":
      // A session without ids is not stored (contract.md#rule-8).
      return (outcome as CreateResult).outcome === "created" && !hasNoIds(change.session)
        ? change.session
        : undefined;
    case "associate": {
      const result = outcome as AssociationResult;
      return result.outcome === "associated" ? result.session : undefined;
    }
    case "renew":
    case "end":
      return (outcome as Session | null) ?? undefined;
    default:
      return undefined;
  }
}

function sessionIdsOf(change: Change): readonly string[] {
  switch (change.kind) {
    case "create":
      return [change.session.id];
    case "associate":
    case "renew":
    case "end":
      return [change.id];
    case "erase":
      return change.ids;
    default:
      return [];
  }
}

function prepareAndLock(dataDir: string, now: number): () => void {
  const unlock = lockDataDir(dataDir);
  try {
    prepareDatabase(dataDir, now);
    return unlock;
  } catch (error) {
    unlock();
    throw error;
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
