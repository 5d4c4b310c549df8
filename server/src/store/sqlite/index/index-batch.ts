import type { DatabaseSync } from "node:sqlite";
import { fieldsOfBitSet, idFields, idFieldTable } from "../../../session/fields.ts";
import { type Identity, identityOf } from "../../../session/session.ts";
import { idColumns } from "../tables/session-row.ts";
import type { IdHash } from "./id-hash.ts";
import type { IndexEntry } from "./sorted-runs.ts";

/** A change of the holder of a visit: the session begins to hold the visit or, if `isRelease` is true, releases it. */
export interface Hold extends IndexEntry {
  readonly isRelease: boolean;
}

/** A row of the index log, in the form in which it is kept in memory. */
export interface IndexChange {
  readonly session: number;
  readonly entries: readonly IndexEntry[];
  readonly hold: Hold | undefined;
}

interface Bucket {
  entries: IndexEntry[];
  holds: Hold[];
}

/** The number of buckets. The first 8 of a hash's 48 bits are the number of its bucket. */
export const BUCKETS = 256;
const BUCKET_SIZE = 2 ** 40;

/** The bit in the column `fields` of the index log that is set if the session holds its visit. */
export const HOLDS = 16;

/** A part of the index log in memory, in buckets by hash. A merge writes one batch. */
export class IndexBatch {
  readonly buckets = Array.from({ length: BUCKETS }, (): Bucket => ({ entries: [], holds: [] }));
  /** Row keys of each visit's holders, by the visit's hash. A single holder, which most have, needs no array. */
  readonly #holders = new Map<number, number | number[]>();
  length = 0;
  /** The sequence of the last row of the index log in the batch. */
  lastSequence = 0;

  bucketOf(hash: number): Bucket {
    return this.buckets[Math.floor(hash / BUCKET_SIZE)] as Bucket;
  }

  add({ entries, hold }: IndexChange): void {
    for (const entry of entries) this.bucketOf(entry.hash).entries.push(entry);
    if (hold !== undefined) this.bucketOf(hold.hash).holds.push(hold);
    this.length++;
  }

  addHolder(hash: number, session: number): void {
    const known = this.#holders.get(hash);
    this.#holders.set(hash, known === undefined ? session : [known, session].flat());
  }

  /**
   * Returns the row keys of all sessions that began to hold the visit in this batch. They include sessions that have
   * released it since, and sessions that were removed from the batch.
   */
  holders(hash: number): number | readonly number[] {
    return this.#holders.get(hash) ?? [];
  }

  remove(removed: IndexEntry): void {
    filterBucket(this.bucketOf(removed.hash), (entry) => !isSame(entry, removed));
  }

  removeSessions(sessions: ReadonlySet<number>, fromBucket: number, toBucket: number): void {
    for (const bucket of this.buckets.slice(fromBucket, toBucket)) {
      filterBucket(bucket, ({ session }) => !sessions.has(session));
    }
  }
}

function filterBucket(bucket: Bucket, isKept: (entry: IndexEntry) => boolean): void {
  bucket.entries = bucket.entries.filter(isKept);
  bucket.holds = bucket.holds.filter(isKept);
}

/** Returns true if both entries are for the same id and session. */
export function isSame(one: IndexEntry, other: IndexEntry): boolean {
  return one.hash === other.hash && one.session === other.session;
}

/** Returns an entry for each id that is set. */
export function entriesOf(hashOf: IdHash, session: number, ids: Identity): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const field of idFields) {
    const id = ids[field];
    if (id !== null) entries.push({ hash: hashOf(idFieldTable[field].bit, id), session });
  }
  return entries;
}

export function visitHash(hashOf: IdHash, visitId: string): number {
  return hashOf(idFieldTable.visitId.bit, visitId);
}

/** Returns the change for a session that has received these ids. If `isHolder` is true, the session holds its visit. */
export function additionOf(hashOf: IdHash, session: number, ids: Identity, isHolder: boolean): IndexChange {
  const entries = entriesOf(hashOf, session, ids);
  if (!isHolder || ids.visitId === null) return { session, entries, hold: undefined };
  const hash = visitHash(hashOf, ids.visitId);
  return { session, entries, hold: { hash, session, isRelease: false } };
}

/** Returns the change for a session that releases the visit with this hash. */
export function releaseOf(session: number, hash: number): IndexChange {
  return { session, entries: [], hold: { hash, session, isRelease: true } };
}

type LogRow = [sequence: number, session: number, fields: number, hash: number | null, ...ids: (string | null)[]];

/** Reads the index log in batches of `size` rows. The last batch has fewer rows. */
export function* readBatches(database: DatabaseSync, hashOf: IdHash, size: number): Generator<IndexBatch> {
  // A deleted session has no row in `sessions`, so its ids are NULL here, and no entries are made for it.
  const rows = database.prepare(
    `SELECT l.sequence, l.session, l.fields, l.hash,
       ${idColumns.map((column) => `s.${column}`).join(", ")}
     FROM index_log l LEFT JOIN sessions s ON s.id = l.session
     WHERE l.sequence > ? ORDER BY l.sequence LIMIT ?`,
  );
  rows.setReturnArrays(true);
  for (let last = 0, length = size; length === size; ) {
    const batch = new IndexBatch();
    for (const row of rows.iterate(last, size) as Iterable<unknown>) {
      const change = changeOf(row as LogRow, hashOf);
      batch.lastSequence = (row as LogRow)[0];
      batch.add(change);
      if (change.hold?.isRelease === false) batch.addHolder(change.hold.hash, change.session);
    }
    length = batch.length;
    last = batch.lastSequence;
    yield batch;
  }
}

function changeOf([, session, fields, hash, ...ids]: LogRow, hashOf: IdHash): IndexChange {
  if (hash !== null) return releaseOf(session, hash);
  const set = fieldsOfBitSet(fields);
  const given = identityOf((field, i) => (set.includes(field) ? (ids[i] ?? null) : null));
  return additionOf(hashOf, session, given, (fields & HOLDS) !== 0);
}
