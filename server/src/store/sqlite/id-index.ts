import type { DatabaseSync } from "node:sqlite";
import type { IdField } from "../../session/errors.ts";
import { type Identity, idFields } from "../../session/session.ts";
import { createIdHash, type IdHash } from "./id-hash.ts";
import {
  createIdRuns,
  type GoneSessions,
  type IdEntry,
  RUNS_START,
  type RunPlace,
} from "./id-runs.ts";

/*
 * Which sessions have an id of a caller, and which of them may hold their visit.
 *
 * Ids are random, so an index that is updated in place rewrites a page of it for each: for visits alone
 * that was three quarters of what creating a session cost. Here a change is a row at the end of a log
 * (`id_log`) and some entries in memory; every quarter of a million changes are merged, a bucket of
 * hashes at a time: holders of visits into an index (`visits`), in whose pages neighbours then share
 * their writes, and everything into a run of its own (`id-runs.ts`). Every create asks who holds a
 * visit; who else has an id is asked by people. All of it is written in the transactions of the changes.
 *
 *   collecting --log is long--> merging bucket 0 … 255 --> trimming the log --> old runs go --> collecting
 *
 * A crash in between costs nothing: the log is read again at the next start, and merging repeats.
 *
 * What look-ups give is a hint: whoever asks reads the sessions themselves. So entries too many do no
 * harm; entries that are missing would.
 *
 * But they are personal data: they say which session, at which time, had which id. When the sweep deletes a
 * session, it is noted in `id_gone`, and a purge removes the entries of many such sessions at a time from the
 * log, the index and the runs:
 *
 *   collecting --purge--> log --> entries in memory --> old runs --> runs --> note --> collecting
 *
 * Merging and purging never run at the same time. A crash loses nothing here either: the note stays until all
 * its entries are removed, and purging repeats.
 */

/** Row keys by id. Used by the writer alone, inside its transactions but for `settle`. */
export interface IdIndex {
  /** Row keys of all sessions that may hold the visit. */
  holders(visitId: string): number[];
  /** At most `limit` row keys before `before` of sessions that may have the id, the newest first. */
  sessions(field: IdField, id: string, before: number, limit: number): number[];
  /** The session has these ids from now on; it holds its visit, unless it is over. */
  add(session: number, ids: Identity, isOver: boolean): void;
  /** The session will never hold the visit again. */
  release(visitId: string, session: number): void;
  /** Takes everything out that tells of these sessions, by their row keys with the ids that they have. */
  remove(sessions: ReadonlyMap<number, Identity>): void;
  /** Notes that the row of a session is deleted: the next purge removes its entries. */
  forget(session: number): void;
  /**
   * Removes a slice of the entries of deleted sessions; returns true while there is more to do. Finishes
   * a merge first. A transaction does at most one slice of this or of `maintain`.
   */
  purge(): boolean;
  /** Whether a purge has begun, or waits for a merge. */
  readonly isPurging: boolean;
  /** The sequence number of the session that was last noted as deleted, in the order of `forget`. */
  readonly forgotten: number;
  /** The sequence number up to which nothing is left of any deleted session. */
  readonly purged: number;
  /** A slice of merging; true while there is more to do. */
  maintain(): boolean;
  /** Whether merging falls behind the changes: else it has time, and leaves it to the requests. */
  readonly isPressed: boolean;
  /** Called when the transaction at hand has been committed, or rolled back. */
  settle(isCommitted: boolean): void;
}

/** Merging begins when the log has so many rows. */
const MERGE_AT = 262_144;
const BUCKETS = 256;
/** The first 8 of 48 bits. */
const BUCKET_SIZE = 2 ** 40;
/** How many log rows a slice of trimming deletes, and how many entries one of merging writes. */
const TRIM_ROWS = 8192;
const ENTRIES_MERGED = 4096;
/** The maximum number of deleted sessions in one purge. */
const SESSIONS_PURGED = 65_536;
/** How many buckets of entries in memory a slice of a purge scans. */
const BUCKETS_PURGED = 64;

const VISIT = idFields.indexOf("visitId");
/** In `fields` of the log, besides those of the ids: the session holds its visit. */
const HOLDS = 16;

/** A session that came to hold a visit, or let go of it. */
interface Holding extends IdEntry {
  readonly isRelease: boolean;
}

/** What was logged since the last merge began. */
interface Batch {
  /** Row keys by hash of the visit, of those that came to hold it; hardly ever more than one. */
  readonly holders: Map<number, number | number[]>;
  readonly holdings: Holding[][];
  readonly entries: IdEntry[][];
  /** Rows of the log, the last of which is `lastSequence`. */
  length: number;
  lastSequence: number;
}

/** A purge in progress. */
interface Purge {
  readonly gone: GoneSessions;
  /** The last rows of `id_gone` and of the log that it includes. */
  readonly lastGone: number;
  readonly lastLogged: number;
  step: "log" | "memory" | "old runs" | "runs" | "note";
  /** Its progress: a row of the log, a bucket, a place in the runs. */
  logged: number;
  bucket: number;
  place: RunPlace;
}

/** The index in `database`; reads what the log has. `mergeAt` is for tests. */
export function createIdIndex(database: DatabaseSync, mergeAt = MERGE_AT): IdIndex {
  const held = database.prepare("SELECT session FROM visits WHERE hash = ?");
  const log = database.prepare("INSERT INTO id_log VALUES (?, ?, ?, ?)");
  const hold = database.prepare("INSERT OR IGNORE INTO visits VALUES (?, ?)");
  const release = database.prepare("DELETE FROM visits WHERE hash = ? AND session = ?");
  const trim = database.prepare("DELETE FROM id_log WHERE sequence <= ?");
  const removeLogged = database.prepare(
    "DELETE FROM id_log WHERE session IN (SELECT value FROM json_each(?))",
  );
  const firstLogged = database.prepare("SELECT min(sequence) AS first FROM id_log");
  const oldestSession = database.prepare("SELECT min(id) AS oldest FROM sessions");
  const noteGone = database.prepare("INSERT INTO id_gone VALUES (?, ?)");
  const someGone = database.prepare(
    `SELECT sequence, session FROM id_gone ORDER BY sequence LIMIT ${SESSIONS_PURGED}`,
  );
  const removeGone = database.prepare(
    `DELETE FROM id_gone WHERE sequence IN
     (SELECT sequence FROM id_gone WHERE sequence <= ? ORDER BY sequence LIMIT ${TRIM_ROWS})`,
  );
  const loggedAfter = database.prepare(
    `SELECT sequence, session, hash FROM id_log WHERE sequence > ? AND sequence <= ?
     ORDER BY sequence LIMIT ${TRIM_ROWS}`,
  );
  const removeLoggedRow = database.prepare("DELETE FROM id_log WHERE sequence = ?");
  held.setReturnArrays(true);
  loggedAfter.setReturnArrays(true);

  const hashOf = createIdHash(readSeed(database));
  const runs = createIdRuns(database);
  let collecting = emptyBatch();
  let merging: Batch | undefined;
  let step: "buckets" | "trimming" | "old runs" = "buckets";
  let bucket = 0;
  /** How many entries of the bucket at hand have been written. */
  let written = 0;
  let sequence = 0;
  /** What the transaction at hand has logged and removed, and what follows from its being committed. */
  let unsettled: { readonly session: number; readonly add: (batch: Batch) => void }[] = [];
  let removed: IdEntry[] = [];
  let onCommit: (() => void) | undefined;
  let purging: Purge | undefined;
  /** A purge waits for the current merge; no other merge begins before it. */
  let isPurgeDue = false;
  let { forgotten, purged } = readGone(database);
  let settledForgotten = forgotten;

  function append(session: number, fields: number, hash: number | null, add: (b: Batch) => void) {
    sequence++;
    log.run(sequence, session, fields, hash);
    unsettled.push({ session, add });
  }

  function startMerging(): void {
    merging = collecting;
    merging.lastSequence = sequence;
    collecting = emptyBatch();
    step = "buckets";
    bucket = 0;
    written = 0;
  }

  /** Whether it was removed by the transaction at hand. */
  function isRemoved(entry: IdEntry): boolean {
    return removed.some(({ hash, session }) => hash === entry.hash && session === entry.session);
  }

  /** Reads a part of a long bucket, since one id may belong to every session, or many short buckets. */
  function mergeSlice({ holdings, entries }: Batch): void {
    let [at, from] = [bucket, written];
    const merged: IdEntry[] = [];
    for (let room = ENTRIES_MERGED; room > 0 && at < BUCKETS; ) {
      const changes = from === 0 ? (holdings[at] ?? []) : [];
      const sorted = entries[at] ?? [];
      for (const change of changes.toSorted((a, b) => a.hash - b.hash)) {
        const { hash, session, isRelease } = change;
        if (!isRemoved(change)) (isRelease ? release : hold).run(hash, session);
      }
      if (from === 0) sorted.sort((a, b) => a.hash - b.hash || a.session - b.session);
      const part = sorted.slice(from, from + room);
      merged.push(...part.filter((entry) => !isRemoved(entry)));
      room -= part.length + changes.length;
      from += part.length;
      if (from < sorted.length) continue;
      at++;
      from = 0;
    }
    runs.append(merged);
    if (at === BUCKETS) runs.complete();
    onCommit = () => {
      written = from;
      bucket = at;
      if (bucket === BUCKETS) step = "trimming";
    };
  }

  /** Deletes what was merged from the log; false when nothing of it is left. */
  function trimLog(lastSequence: number): boolean {
    const first = (firstLogged.get()?.["first"] ?? lastSequence + 1) as number;
    if (first > lastSequence) return false;
    trim.run(Math.min(first + TRIM_ROWS - 1, lastSequence));
    return true;
  }

  function startPurging(): boolean {
    const rows = someGone.all();
    const keys = rows.map((row) => row["session"] as number);
    if (keys.length === 0) {
      isPurgeDue = false;
      return false;
    }
    const gone = { keys: new Set(keys), oldest: least(keys), newest: -least(keys.map((k) => -k)) };
    const lastGone = rows.at(-1)?.["sequence"] as number;
    const next: Purge = {
      ...{ gone, lastGone, lastLogged: sequence },
      ...{ step: "log", logged: 0, bucket: 0, place: RUNS_START },
    };
    // Notes made by this transaction itself count once it is committed.
    onCommit = () => {
      purging = next;
    };
    return true;
  }

  function purgeLog(work: Purge): void {
    const rows = loggedAfter.all(work.logged, work.lastLogged) as unknown as [
      sequence: number,
      session: number,
      hash: number | null,
    ][];
    for (const [row, session, hash] of rows) {
      if (!work.gone.keys.has(session)) continue;
      // These rows will not be merged, so do here what the merge would have done.
      if (hash !== null) release.run(hash, session);
      removeLoggedRow.run(row);
    }
    const last = rows.at(-1)?.[0];
    onCommit = () => {
      if (last === undefined) work.step = "memory";
      else work.logged = last;
    };
  }

  /** Entries in memory may be removed, since the deletion of these sessions is committed. */
  function purgeMemory(work: Purge): void {
    const stays = ({ session }: IdEntry) => !work.gone.keys.has(session);
    const end = Math.min(BUCKETS, work.bucket + BUCKETS_PURGED);
    for (let i = work.bucket; i < end; i++) {
      collecting.entries[i] = (collecting.entries[i] ?? []).filter(stays);
      collecting.holdings[i] = (collecting.holdings[i] ?? []).filter(stays);
    }
    work.bucket = end;
    if (end === BUCKETS) work.step = "old runs";
  }

  function purgeRuns(work: Purge): void {
    const next = runs.purge(work.gone, work.place);
    onCommit = () => {
      if (next === undefined) work.step = "note";
      else work.place = next;
    };
  }

  function removeNote(work: Purge): void {
    if (Number(removeGone.run(work.lastGone).changes) > 0) return;
    onCommit = () => {
      purged = work.lastGone;
      purging = undefined;
      isPurgeDue = false;
    };
  }

  function purge(): boolean {
    if (onCommit !== undefined) return true;
    if (purging === undefined) {
      isPurgeDue = true;
      if (merging === undefined) return startPurging();
      maintain();
    } else if (purging.step === "log") purgeLog(purging);
    else if (purging.step === "memory") purgeMemory(purging);
    else if (purging.step === "old runs") {
      if (!runs.letGo(oldestKept())) purging.step = "runs";
    } else if (purging.step === "runs") purgeRuns(purging);
    else removeNote(purging);
    return true;
  }

  function oldestKept(): number {
    return (oldestSession.get()?.["oldest"] ?? Number.MAX_SAFE_INTEGER) as number;
  }

  function maintain(): boolean {
    if (merging === undefined || onCommit !== undefined) return merging !== undefined;
    if (step === "buckets") mergeSlice(merging);
    else if (step === "trimming" && !trimLog(merging.lastSequence)) step = "old runs";
    else if (step === "old runs" && !runs.letGo(oldestKept())) merging = undefined;
    return merging !== undefined;
  }

  function settle(isCommitted: boolean): void {
    runs.settle(isCommitted);
    if (isCommitted) {
      for (const { add } of unsettled) {
        add(collecting);
        collecting.length++;
      }
      onCommit?.();
      for (const entry of removed) takeOut(entry);
      settledForgotten = forgotten;
      const isFree = merging === undefined && purging === undefined && !isPurgeDue;
      if (isFree && collecting.length >= mergeAt) startMerging();
    } else forgotten = settledForgotten;
    unsettled = [];
    removed = [];
    onCommit = undefined;
  }

  /** Takes an entry out of the batches; the map of holders may name too many. */
  function takeOut(gone: IdEntry): void {
    const i = bucketOf(gone.hash);
    const stays = ({ hash, session }: IdEntry) => hash !== gone.hash || session !== gone.session;
    for (const { holdings, entries } of merging === undefined
      ? [collecting]
      : [merging, collecting]) {
      const bucketed = entries[i] ?? [];
      if (entries === merging?.entries && i === bucket) {
        written -= bucketed.slice(0, written).filter((entry) => !stays(entry)).length;
      }
      entries[i] = bucketed.filter(stays);
      holdings[i] = (holdings[i] ?? []).filter(stays);
    }
  }

  /** A log that is longer than a batch, as after a migration, is merged at once, batch by batch. */
  function readLog(): void {
    for (const part of partsOfLog(database, hashOf, mergeAt)) {
      collecting = part;
      sequence = part.lastSequence;
      if (part.length < mergeAt) return;
      startMerging();
      while (merging !== undefined) {
        database.exec("BEGIN IMMEDIATE");
        maintain();
        database.exec("COMMIT");
        settle(true);
      }
    }
  }
  readLog();

  return {
    holders(visitId) {
      const hash = hashOf(2 ** VISIT, visitId);
      const inLog = [merging, collecting].flatMap((batch) => batch?.holders.get(hash) ?? []);
      return [...inLog, ...(held.all(hash) as unknown as [number][]).map(([session]) => session)];
    },
    sessions(field, id, before, limit) {
      const hash = hashOf(2 ** idFields.indexOf(field), id);
      const found = new Set(runs.sessions(hash, before, limit));
      for (const batch of [merging, collecting]) {
        for (const entry of batch?.entries[bucketOf(hash)] ?? []) {
          if (entry.hash === hash && entry.session < before) found.add(entry.session);
        }
      }
      return [...found].toSorted((a, b) => b - a).slice(0, limit);
    },
    add(session, ids, isOver) {
      let fields = 0;
      for (const [i, field] of idFields.entries()) if (ids[field] !== null) fields += 2 ** i;
      if (fields === 0) return;
      const holds = ids.visitId !== null && !isOver;
      const entries = entriesOf(hashOf, session, ids);
      // The next change of the same transaction sees the claim; if that fails it is a hint too many.
      const visit = holds ? hashOf(2 ** VISIT, ids.visitId) : 0;
      if (holds) remember(collecting, visit, session);
      append(session, fields + (holds ? HOLDS : 0), null, (batch) => {
        for (const entry of entries) batch.entries[bucketOf(entry.hash)]?.push(entry);
        if (holds) addHolding(batch, { hash: visit, session, isRelease: false });
      });
    },
    release(visitId, session) {
      const hash = hashOf(2 ** VISIT, visitId);
      append(session, 0, hash, (batch) => addHolding(batch, { hash, session, isRelease: true }));
    },
    remove(sessions) {
      removeLogged.run(JSON.stringify([...sessions.keys()]));
      unsettled = unsettled.filter(({ session }) => !sessions.has(session));
      for (const [session, ids] of sessions) {
        const entries = entriesOf(hashOf, session, ids);
        for (const entry of entries) runs.remove(entry);
        removed.push(...entries);
        if (ids.visitId !== null) release.run(hashOf(2 ** VISIT, ids.visitId), session);
      }
    },
    forget(session) {
      noteGone.run(++forgotten, session);
    },
    purge,
    get isPurging() {
      return isPurgeDue;
    },
    get forgotten() {
      return forgotten;
    },
    get purged() {
      return purged;
    },
    maintain,
    get isPressed() {
      return collecting.length * 2 >= mergeAt;
    },
    settle,
  };
}

function readGone(database: DatabaseSync): { forgotten: number; purged: number } {
  const row = database.prepare("SELECT min(sequence) AS first, max(sequence) AS last FROM id_gone");
  const { first, last } = row.get() as Record<"first" | "last", number | null>;
  return { forgotten: last ?? 0, purged: (first ?? 1) - 1 };
}

function least(keys: readonly number[]): number {
  return keys.reduce((one, other) => Math.min(one, other));
}

function emptyBatch(): Batch {
  const buckets = <Of>() => Array.from({ length: BUCKETS }, (): Of[] => []);
  return {
    holders: new Map(),
    holdings: buckets(),
    entries: buckets(),
    length: 0,
    lastSequence: 0,
  };
}

function bucketOf(hash: number): number {
  return Math.floor(hash / BUCKET_SIZE);
}

function entriesOf(hashOf: IdHash, session: number, ids: Identity): IdEntry[] {
  const entries: IdEntry[] = [];
  for (const [i, field] of idFields.entries()) {
    const id = ids[field];
    if (id !== null) entries.push({ hash: hashOf(2 ** i, id), session });
  }
  return entries;
}

function remember({ holders }: Batch, hash: number, session: number): void {
  const known = holders.get(hash);
  holders.set(hash, known === undefined ? session : [known, session].flat());
}

function addHolding({ holdings }: Batch, holding: Holding): void {
  holdings[bucketOf(holding.hash)]?.push(holding);
}

function readSeed(database: DatabaseSync): Uint8Array {
  return database.prepare("SELECT visit_seed FROM facts").get()?.["visit_seed"] as Uint8Array;
}

type LoggedRow = [
  sequence: number,
  session: number,
  fields: number,
  hash: number | null,
  ...ids: (string | null)[],
];

/** What the log has, in batches of `size` rows; the last one has fewer. */
function* partsOfLog(database: DatabaseSync, hashOf: IdHash, size: number): Generator<Batch> {
  // A session that is not there any more has no ids, and needs no entries.
  const columns = ["agent_id", "customer_id", "visit_id", "global_visit_id"];
  const rows = database.prepare(
    `SELECT l.sequence, l.session, l.fields, l.hash, ${columns.map((name) => `s.${name}`).join(", ")}
     FROM id_log l LEFT JOIN sessions s ON s.id = l.session WHERE l.sequence > ? ORDER BY 1 LIMIT ?`,
  );
  rows.setReturnArrays(true);
  for (let last = 0, length = size; length === size; ) {
    const batch = emptyBatch();
    for (const row of rows.iterate(last, size)) {
      const [sequence, session, fields, hash, ...ids] = row as unknown as LoggedRow;
      batch.lastSequence = sequence;
      batch.length++;
      if (hash !== null) {
        addHolding(batch, { hash, session, isRelease: true });
        continue;
      }
      const set = (i: number) => Math.floor(fields / 2 ** i) % 2 === 1;
      const given = idFields.map((field, i) => [field, set(i) ? (ids[i] ?? null) : null]);
      const identity = Object.fromEntries(given) as Identity;
      for (const entry of entriesOf(hashOf, session, identity)) {
        batch.entries[bucketOf(entry.hash)]?.push(entry);
      }
      if (fields < HOLDS || identity.visitId === null) continue;
      const visit = hashOf(2 ** VISIT, identity.visitId);
      remember(batch, visit, session);
      addHolding(batch, { hash: visit, session, isRelease: false });
    }
    length = batch.length;
    last = batch.lastSequence;
    yield batch;
  }
}
