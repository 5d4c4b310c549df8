import { BUCKETS, type Hold, type IndexBatch, isSame } from "./index-batch.ts";
import type { IndexStatements } from "./index-statements.ts";
import type { IndexEntry, SortedRuns } from "./sorted-runs.ts";

/** The number of entries after which a slice ends. */
const ENTRIES_WRITTEN = 4096;

/**
 * Merges a batch of index entries, a slice in each transaction:
 *
 *   buckets 0 … 255 into `visit_holders` and a new sorted run --> delete the log rows --> drop old runs --> done
 *
 * A crash during a merge loses nothing: the next start reads the log again and repeats the merge.
 */
export class IndexMerge {
  readonly batch: IndexBatch;
  readonly #sql: IndexStatements;
  readonly #runs: SortedRuns;
  #step: "buckets" | "log" | "old runs" | "done" = "buckets";
  #bucket = 0;
  /** The number of entries of the current bucket that have been written. */
  #written = 0;

  constructor(sql: IndexStatements, runs: SortedRuns, batch: IndexBatch) {
    this.#sql = sql;
    this.#runs = runs;
    this.batch = batch;
  }

  get isDone(): boolean {
    return this.#step === "done";
  }

  /**
   * Does a slice. Returns a function to call after the commit, if one is needed. `removed` are entries that the same
   * transaction has removed, and that must not be written.
   */
  slice(removed: readonly IndexEntry[]): (() => void) | undefined {
    if (this.#step === "buckets") return this.#mergeBuckets(removed);
    if (this.#step === "log") {
      const { changes } = this.#sql.trimLog.run(this.batch.lastSequence);
      if (Number(changes) === 0) this.#step = "old runs";
    } else if (!this.#runs.dropOld()) this.#step = "done";
    return undefined;
  }

  /** Removes an entry from the batch, after an erasure has removed it from the tables. */
  remove(removed: IndexEntry): void {
    const { buckets } = this.batch;
    const bucket = this.batch.bucketOf(removed.hash);
    if (bucket === buckets[this.#bucket]) {
      const written = bucket.entries.slice(0, this.#written);
      this.#written -= written.filter((entry) => isSame(entry, removed)).length;
    }
    this.batch.remove(removed);
  }

  /**
   * Writes several short buckets, or a part of a long one. A bucket can be as long as the whole batch, because all
   * sessions may share one id, such as a customer id.
   */
  #mergeBuckets(removed: readonly IndexEntry[]): () => void {
    const stays = (entry: IndexEntry) => !removed.some((one) => isSame(one, entry));
    let [at, from] = [this.#bucket, this.#written];
    const merged: IndexEntry[] = [];
    for (let room = ENTRIES_WRITTEN; room > 0 && at < BUCKETS; ) {
      const { entries, holds } = this.batch.buckets[at] as IndexBatch["buckets"][number];
      if (from === 0) {
        this.#writeHolds(holds.filter(stays));
        room -= holds.length;
        entries.sort((a, b) => a.hash - b.hash || a.session - b.session);
      }
      // At least one entry is written, even if the holds already reach `ENTRIES_WRITTEN`. Otherwise `from` would stay
      // 0, and the next slice would write the same holds again.
      const part = entries.slice(from, from + Math.max(1, room));
      merged.push(...part.filter(stays));
      room -= part.length;
      from += part.length;
      if (from < entries.length) continue;
      at++;
      from = 0;
    }
    this.#runs.append(merged);
    if (at === BUCKETS) this.#runs.complete();
    return () => {
      this.#written = from;
      this.#bucket = at;
      if (at === BUCKETS) this.#step = "log";
    };
  }

  #writeHolds(holds: readonly Hold[]): void {
    for (const { hash, session, isRelease } of holds.toSorted((a, b) => a.hash - b.hash)) {
      this.#sql[isRelease ? "release" : "hold"].run(hash, session);
    }
  }
}
