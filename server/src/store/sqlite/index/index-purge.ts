import { BUCKETS, type IndexBatch } from "./index-batch.ts";
import type { IndexStatements } from "./index-statements.ts";
import { type DeletedSessions, RUNS_START, type SortedRuns } from "./sorted-runs.ts";

/** The number of buckets in memory that a slice searches. */
const BUCKETS_PURGED = 64;

/** A row of `index_deleted`: `session` is the row key of a deleted session. */
export interface DeletedRow {
  readonly sequence: number;
  readonly session: number;
}

type LogRow = DeletedRow & { readonly hash: number | null };

/**
 * Removes the index entries of deleted sessions, a slice in each transaction:
 *
 *   log --> batch in memory --> drop old sorted runs --> other sorted runs --> rows of `index_deleted` --> done
 *
 * A purge and a merge never run at the same time. The rows of `index_deleted` are deleted last, so that a purge is
 * repeated after a crash.
 */
export class IndexPurge {
  /** The sequence of the last session in `index_deleted` that the purge includes. */
  readonly lastDeleted: number;
  readonly #deleted: DeletedSessions;
  /** The sequence of the last log row that the purge includes. */
  readonly #lastLogged: number;
  readonly #sql: IndexStatements;
  readonly #runs: SortedRuns;
  #step: "log" | "memory" | "old runs" | "runs" | "notes" | "done" = "log";
  #logged = 0;
  #bucket = 0;
  #position = RUNS_START;

  /** `deleted` are rows of `index_deleted`, at least one. `lastLogged` is the sequence of the last log row. */
  constructor(sql: IndexStatements, runs: SortedRuns, deleted: readonly DeletedRow[], lastLogged: number) {
    this.#sql = sql;
    this.#runs = runs;
    const keys = deleted.map(({ session }) => session).toSorted((a, b) => a - b);
    this.#deleted = { keys: new Set(keys), oldest: keys[0] ?? 0, newest: keys.at(-1) ?? 0 };
    this.lastDeleted = deleted.at(-1)?.sequence ?? 0;
    this.#lastLogged = lastLogged;
  }

  get isDone(): boolean {
    return this.#step === "done";
  }

  /** Does a slice of the tables or of `batch` in memory. Returns a function to call after the commit, if any. */
  slice(batch: IndexBatch): (() => void) | undefined {
    switch (this.#step) {
      case "log":
        return this.#purgeLog();
      case "memory":
        return this.#purgeMemory(batch);
      case "old runs":
        if (!this.#runs.dropOld()) this.#step = "runs";
        return undefined;
      case "runs":
        return this.#purgeRuns();
      default:
        return this.#purgeNotes();
    }
  }

  #purgeLog(): () => void {
    const rows = this.#sql.logAfter.all(this.#logged, this.#lastLogged) as unknown as LogRow[];
    for (const { sequence, session, hash } of rows) {
      if (!this.#deleted.keys.has(session)) continue;
      // The log row is deleted before any merge, so the visit that it releases is released here.
      if (hash !== null) this.#sql.release.run(hash, session);
      this.#sql.deleteLogRow.run(sequence);
    }
    const last = rows.at(-1)?.sequence;
    return () => {
      if (last === undefined) this.#step = "memory";
      else this.#logged = last;
    };
  }

  /** Changes memory before the commit. A rollback does no harm: the sessions were deleted by earlier transactions. */
  #purgeMemory(batch: IndexBatch): undefined {
    const end = Math.min(BUCKETS, this.#bucket + BUCKETS_PURGED);
    batch.removeSessions(this.#deleted.keys, this.#bucket, end);
    this.#bucket = end;
    if (end === BUCKETS) this.#step = "old runs";
  }

  #purgeRuns(): () => void {
    const next = this.#runs.purge(this.#deleted, this.#position);
    return () => {
      if (next === undefined) this.#step = "notes";
      else this.#position = next;
    };
  }

  #purgeNotes(): (() => void) | undefined {
    if (Number(this.#sql.trimDeleted.run(this.lastDeleted).changes) > 0) return undefined;
    return () => {
      this.#step = "done";
    };
  }
}
