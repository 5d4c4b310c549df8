import * as crypto from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

/*
 * Which sessions may hold a visit: a map from 48-bit hashes of visit ids to row keys of sessions.
 *
 * Visit ids are random, so an index that is updated in place rewrites a page of it for each claim: that
 * was three quarters of what creating a session cost. Here a claim is a row at the end of a log
 * (`visit_log`) and an entry in memory; every quarter of a million claims are merged into the index
 * (`visits`) in the order of their hashes, a bucket at a time, so that those that share a page share
 * its write. All of it is written in the transactions of the changes themselves.
 *
 *   collecting --log is long--> merging bucket 0 … 255 --> trimming the log --> collecting
 *
 * A crash in between costs nothing: the log is read again at the next start, and merging repeats.
 *
 * What `candidates` gives is a hint: whoever asks reads the sessions themselves. So entries too many
 * do no harm; entries that are missing would.
 */

/** Row keys by visit. Used by the writer alone, inside its transactions but for `settle`. */
export interface VisitIndex {
  /** Row keys of all sessions that may hold the visit. */
  candidates(visitId: string): number[];
  /** The session may hold the visit from now on. */
  add(visitId: string, session: number): void;
  /** The session will never hold it again. */
  remove(visitId: string, session: number): void;
  /** A slice of merging; true while there is more to do. */
  maintain(): boolean;
  /** Whether merging falls behind the claims: else it has time, and leaves it to the requests. */
  readonly isPressed: boolean;
  /** Called when the transaction at hand has been committed, or rolled back. */
  settle(isCommitted: boolean): void;
}

/** Merging begins when the log has so many entries. */
const MERGE_AT = 262_144;
const BUCKETS = 256;
/** The first 8 of 48 bits. */
const BUCKET_SIZE = 2 ** 40;
/** How many log rows a slice of trimming deletes. */
const TRIM_ROWS = 8192;

interface Entry {
  readonly hash: number;
  readonly session: number;
  readonly isRemoval: boolean;
}

/** What was logged since the last merge began. */
interface Batch {
  /** Row keys by hash, of additions alone; hardly ever more than one. */
  readonly sessions: Map<number, number | number[]>;
  readonly buckets: Entry[][];
  length: number;
  /** The last row of the log that belongs to it. */
  lastSequence: number;
}

/** The index in `database`; reads what the log has. `mergeAt` is for tests. */
export function createVisitIndex(database: DatabaseSync, mergeAt = MERGE_AT): VisitIndex {
  const indexed = database.prepare("SELECT session FROM visits WHERE hash = ?");
  const log = database.prepare("INSERT INTO visit_log VALUES (?, ?, ?, ?)");
  const insert = database.prepare("INSERT OR IGNORE INTO visits VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM visits WHERE hash = ? AND session = ?");
  const trim = database.prepare("DELETE FROM visit_log WHERE sequence <= ?");
  const firstLogged = database.prepare("SELECT min(sequence) AS first FROM visit_log");
  indexed.setReturnArrays(true);

  const hashOf = createVisitHash(readVisitSeed(database));
  let collecting = readLog(database);
  let merging: Batch | undefined;
  let nextBucket = 0;
  let sequence = collecting.lastSequence;
  /** What the transaction at hand has logged, and what follows from its being committed. */
  let unsettled: Entry[] = [];
  let onCommit: (() => void) | undefined;

  function append(entry: Entry): void {
    sequence++;
    log.run(sequence, entry.hash, entry.session, entry.isRemoval ? 1 : 0);
    unsettled.push(entry);
    // The next change of the same transaction sees the claim; if that fails it is a hint too many.
    if (!entry.isRemoval) remember(collecting, entry);
  }

  function startMerging(): void {
    merging = collecting;
    merging.lastSequence = sequence;
    collecting = emptyBatch();
    nextBucket = 0;
  }

  function mergeBucket(bucket: Entry[]): void {
    for (const { hash, session, isRemoval } of bucket.toSorted((a, b) => a.hash - b.hash)) {
      (isRemoval ? remove : insert).run(hash, session);
    }
    onCommit = () => {
      nextBucket++;
    };
  }

  /** Deletes what was merged from the log; false when nothing of it is left. */
  function trimLog(lastSequence: number): boolean {
    const first = (firstLogged.get()?.["first"] ?? lastSequence + 1) as number;
    if (first > lastSequence) return false;
    trim.run(Math.min(first + TRIM_ROWS - 1, lastSequence));
    return true;
  }

  return {
    candidates(visitId) {
      const key = hashOf(visitId);
      const inLog = [merging, collecting].flatMap((batch) => batch?.sessions.get(key) ?? []);
      return [...inLog, ...(indexed.all(key) as unknown as [number][]).map(([session]) => session)];
    },
    add: (visitId, session) => append({ hash: hashOf(visitId), session, isRemoval: false }),
    remove: (visitId, session) => append({ hash: hashOf(visitId), session, isRemoval: true }),

    maintain() {
      if (merging === undefined) return false;
      const bucket = merging.buckets[nextBucket];
      if (bucket !== undefined) mergeBucket(bucket);
      else if (!trimLog(merging.lastSequence)) merging = undefined;
      return merging !== undefined;
    },

    get isPressed() {
      return collecting.length * 2 >= mergeAt;
    },

    settle(isCommitted) {
      if (isCommitted) {
        for (const entry of unsettled) collect(collecting, entry);
        onCommit?.();
        if (merging === undefined && collecting.length >= mergeAt) startMerging();
      }
      unsettled = [];
      onCommit = undefined;
    },
  };
}

function emptyBatch(): Batch {
  const buckets = Array.from({ length: BUCKETS }, (): Entry[] => []);
  return { sessions: new Map(), buckets, length: 0, lastSequence: 0 };
}

function remember({ sessions }: Batch, { hash, session }: Entry): void {
  const known = sessions.get(hash);
  sessions.set(hash, known === undefined ? session : [known, session].flat());
}

function collect(batch: Batch, entry: Entry): void {
  batch.buckets[Math.floor(entry.hash / BUCKET_SIZE)]?.push(entry);
  batch.length++;
}

/** 48-bit hashes of visit ids under a key: nobody can choose visits that share one. */
function createVisitHash(seed: Uint8Array): (visitId: string) => number {
  const prefix = Buffer.from(seed).toString("hex");
  return (visitId) =>
    Number.parseInt(crypto.hash("sha256", prefix + visitId, "hex").slice(0, 12), 16);
}

function readVisitSeed(database: DatabaseSync): Uint8Array {
  return database.prepare("SELECT visit_seed FROM facts").get()?.["visit_seed"] as Uint8Array;
}

function readLog(database: DatabaseSync): Batch {
  const batch = emptyBatch();
  const rows = database.prepare("SELECT sequence, hash, session, gone FROM visit_log ORDER BY 1");
  rows.setReturnArrays(true);
  for (const row of rows.iterate()) {
    const [sequence, hash, session, gone] = row as unknown as [number, number, number, number];
    const entry = { hash, session, isRemoval: gone === 1 };
    collect(batch, entry);
    if (!entry.isRemoval) remember(batch, entry);
    batch.lastSequence = sequence;
  }
  return batch;
}
