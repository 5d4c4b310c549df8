import type { DatabaseSync } from "node:sqlite";
import { bitSetOf, type IdField, idFields, idFieldTable } from "../../../session/fields.ts";
import type { Identity } from "../../../session/session.ts";
import type { Transactional } from "../transactional.ts";
import { createIdHash } from "./id-hash.ts";
import {
  additionOf,
  entriesOf,
  HOLDS,
  IndexBatch,
  type IndexChange,
  readBatches,
  releaseOf,
  visitHash,
} from "./index-batch.ts";
import { IndexMerge } from "./index-merge.ts";
import { type DeletedRow, IndexPurge } from "./index-purge.ts";
import { type IndexStatements, prepareIndexStatements } from "./index-statements.ts";
import { type IndexEntry, SortedRuns } from "./sorted-runs.ts";

/*
 * The secondary index finds the sessions that have an id of a caller, and the sessions that may hold a visit.
 *
 * Ids are random, so an index that is updated in place rewrites a page for each id. Here a change is a row of a log
 * and some entries in memory. Later a merge writes the entries of many changes in the order of their hashes, so that
 * many entries are written with one page. It writes to `visit_holders`, which every request that sets a visit
 * reads, and to a sorted run, which only searches for sessions read.
 *
 *   collecting --log is long--> merging --> collecting
 *   collecting --sessions were deleted some minutes ago--> purging --> collecting
 *
 * A look-up returns sessions that may match, and its caller reads each of them to be sure. So superfluous entries do
 * no harm, but a missing entry would. Entries are personal data, so the entries of deleted sessions are purged, for
 * many sessions at a time.
 */

/** The number of log rows at which a merge begins. */
const MERGE_AT = 262_144;

/**
 * The index on the writer's connection. Every method that changes the index runs inside a transaction, except
 * `commit` and `rollback`.
 */
export class SecondaryIndex implements Transactional {
  readonly #database: DatabaseSync;
  readonly #mergeAt: number;
  readonly #hashOf;
  readonly #runs: SortedRuns;
  readonly #sql: IndexStatements;
  #collecting = new IndexBatch();
  #merge: IndexMerge | undefined;
  #purge: IndexPurge | undefined;
  /** True until a requested purge is done. The purge waits for the current merge. Meanwhile no other merge begins. */
  #isPurgeRequested = false;
  /** The sequence of the last log row. */
  #sequence = 0;
  #lastDeleted: number;
  #committedDeleted: number;
  #lastPurged: number;
  /** The changes that the current transaction has logged. */
  #uncommitted: IndexChange[] = [];
  /** The entries that the current transaction has removed. */
  #removed: IndexEntry[] = [];
  /** A function to call after the commit of the current transaction. */
  #onCommit: (() => void) | undefined;

  /** Opens the index and reads the log. Only tests set `mergeAt`. */
  constructor(database: DatabaseSync, mergeAt = MERGE_AT) {
    this.#database = database;
    this.#mergeAt = mergeAt;
    const seed = database.prepare("SELECT hash_seed FROM facts").get()?.["hash_seed"];
    this.#hashOf = createIdHash(seed as Uint8Array);
    this.#runs = new SortedRuns(database);
    this.#sql = prepareIndexStatements(database);
    this.#sql.holders.setReturnArrays(true);
    const { first, last } = database
      .prepare("SELECT min(sequence) AS first, max(sequence) AS last FROM index_deleted")
      .get() as Record<"first" | "last", number | null>;
    this.#lastDeleted = last ?? 0;
    this.#committedDeleted = this.#lastDeleted;
    this.#lastPurged = (first ?? 1) - 1;
    this.#readLog();
  }

  /** Returns the row keys of all sessions that may hold the visit. */
  holders(visitId: string): number[] {
    const hash = visitHash(this.#hashOf, visitId);
    const stored = this.#sql.holders.all(hash) as unknown as [number][];
    return [this.#merge?.batch.holders(hash) ?? [], this.#collecting.holders(hash), ...stored].flat();
  }

  /** Returns at most `limit` row keys below `before` of sessions that may have the id, newest first. */
  sessions(field: IdField, id: string, before: number, limit: number): number[] {
    const hash = this.#hashOf(idFieldTable[field].bit, id);
    const found = new Set(this.#runs.sessions(hash, before, limit));
    for (const batch of [this.#merge?.batch, this.#collecting]) {
      for (const entry of batch?.bucketOf(hash).entries ?? []) {
        if (entry.hash === hash && entry.session < before) found.add(entry.session);
      }
    }
    return [...found].toSorted((a, b) => b - a).slice(0, limit);
  }

  /** Adds the ids that a session has received. The session holds a visit among them, unless `isOver` is true. */
  add(session: number, ids: Identity, isOver: boolean): void {
    const fields = bitSetOf(idFields.filter((field) => ids[field] !== null));
    if (fields === 0) return;
    const change = additionOf(this.#hashOf, session, ids, !isOver);
    // The holder is added before the commit, for later changes of the same transaction. After a rollback the
    // entry is superfluous, which does no harm.
    if (change.hold !== undefined) this.#collecting.addHolder(change.hold.hash, session);
    this.#append(session, fields + (change.hold === undefined ? 0 : HOLDS), null, change);
  }

  /** Notes that the session has released the visit, and will never hold it again. */
  release(visitId: string, session: number): void {
    const hash = visitHash(this.#hashOf, visitId);
    this.#append(session, 0, hash, releaseOf(session, hash));
  }

  /** Removes all entries of these sessions. `sessions` has the ids of each session by its row key. */
  remove(sessions: ReadonlyMap<number, Identity>): void {
    this.#sql.deleteLogOf.run(JSON.stringify([...sessions.keys()]));
    this.#uncommitted = this.#uncommitted.filter(({ session }) => !sessions.has(session));
    for (const [session, ids] of sessions) {
      const entries = entriesOf(this.#hashOf, session, ids);
      for (const entry of entries) this.#runs.remove(entry);
      this.#removed.push(...entries);
      if (ids.visitId !== null) this.#sql.release.run(visitHash(this.#hashOf, ids.visitId), session);
    }
  }

  /** Notes that the row of a session was deleted, so that the next purge removes its entries. */
  noteDeleted(session: number): void {
    this.#sql.noteDeleted.run(++this.#lastDeleted, session);
  }

  /** The sequence in `index_deleted` of the session that was deleted last. */
  get lastDeleted(): number {
    return this.#lastDeleted;
  }

  /** The sequence in `index_deleted` up to which deleted sessions are purged from the index. */
  get lastPurged(): number {
    return this.#lastPurged;
  }

  /** True if a purge is under way, or is waiting for a merge. */
  get isPurging(): boolean {
    return this.#isPurgeRequested;
  }

  /** True if changes arrive faster than they are merged. Then the merge should continue without pauses. */
  get isMergeOverdue(): boolean {
    return this.#collecting.length * 2 >= this.#mergeAt;
  }

  /**
   * Does a slice of a purge, which removes the entries of deleted sessions. If a merge is under way, does a slice of
   * the merge instead, since a purge can only begin after it. Returns false when there is nothing more to do. A
   * transaction does at most one slice, of either `purge` or `merge`.
   */
  purge(): boolean {
    if (this.#onCommit !== undefined) return true;
    if (this.#purge !== undefined) {
      this.#onCommit = this.#purge.slice(this.#collecting);
      return true;
    }
    this.#isPurgeRequested = true;
    if (this.#merge !== undefined) {
      this.merge();
      return true;
    }
    return this.#startPurge();
  }

  /** Does a slice of the current merge. Returns false when there is nothing more to do. */
  merge(): boolean {
    if (this.#merge !== undefined && this.#onCommit === undefined) {
      this.#onCommit = this.#merge.slice(this.#removed);
      if (this.#merge.isDone) this.#merge = undefined;
    }
    return this.#merge !== undefined;
  }

  commit(): void {
    this.#runs.commit();
    for (const change of this.#uncommitted) this.#collecting.add(change);
    this.#onCommit?.();
    for (const entry of this.#removed) {
      this.#merge?.remove(entry);
      this.#collecting.remove(entry);
    }
    this.#committedDeleted = this.#lastDeleted;
    this.#endTransaction();
    if (this.#purge?.isDone) {
      this.#lastPurged = this.#purge.lastDeleted;
      this.#purge = undefined;
      this.#isPurgeRequested = false;
    }
    const isFree = this.#merge === undefined && !this.#isPurgeRequested;
    if (isFree && this.#collecting.length >= this.#mergeAt) this.#startMerge();
  }

  rollback(): void {
    this.#runs.rollback();
    this.#lastDeleted = this.#committedDeleted;
    this.#endTransaction();
  }

  #endTransaction(): void {
    this.#uncommitted = [];
    this.#removed = [];
    this.#onCommit = undefined;
  }

  #append(session: number, fields: number, hash: number | null, change: IndexChange): void {
    this.#sql.log.run(++this.#sequence, session, fields, hash);
    this.#uncommitted.push(change);
  }

  #startMerge(): void {
    const batch = this.#collecting;
    batch.lastSequence = this.#sequence;
    this.#collecting = new IndexBatch();
    this.#merge = new IndexMerge(this.#sql, this.#runs, batch);
  }

  #startPurge(): boolean {
    const deleted = this.#sql.deleted.all() as unknown as DeletedRow[];
    if (deleted.length === 0) {
      this.#isPurgeRequested = false;
      return false;
    }
    const purge = new IndexPurge(this.#sql, this.#runs, deleted, this.#sequence);
    // The purge begins after the commit. `deleted` may include sessions that this transaction deletes, and the
    // transaction may still be rolled back.
    this.#onCommit = () => {
      this.#purge = purge;
    };
    return true;
  }

  /** Reads the log at the start. Every batch that is full is merged at once. */
  #readLog(): void {
    for (const batch of readBatches(this.#database, this.#hashOf, this.#mergeAt)) {
      this.#collecting = batch;
      this.#sequence = batch.lastSequence;
      if (batch.length < this.#mergeAt) return;
      this.#startMerge();
      while (this.#merge !== undefined) {
        this.#database.exec("BEGIN IMMEDIATE");
        this.merge();
        this.#database.exec("COMMIT");
        this.commit();
      }
    }
  }
}
