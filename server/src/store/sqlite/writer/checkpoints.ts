import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FileGuard } from "../files/file-guard.ts";
import type { PageGaps } from "../files/page-gaps.ts";
import type { GroupResult, Kind } from "./writer-protocol.ts";

/** The number of frames in the write-ahead log at which the log is checkpointed into the database file. */
const CHECKPOINT_AT = 1000;
/** Numbers of pages whose gaps are cleared after one group. */
const PAGES_CLEARED = {
  /** After a group with `purgeExpired`. */
  background: 256,
  /** After a group with `purgeIndex`, for which a caller waits. */
  waiting: 1024,
  /** The maximum number of pages that an erasure itself should have to clear. */
  erasure: 4096,
};

/** Checkpoints the write-ahead log after commits, and clears deleted data from the log and from page gaps. */
export class Checkpoints {
  readonly #database: DatabaseSync;
  readonly #guard: FileGuard;
  readonly #gaps: PageGaps;
  readonly #frames;
  readonly #passive;
  readonly #truncate;
  /** True if the log may contain deleted data; also at the start, as an earlier process may have left some. */
  #isLogDirty = true;

  constructor(database: DatabaseSync, guard: FileGuard, gaps: PageGaps) {
    this.#database = database;
    this.#guard = guard;
    this.#gaps = gaps;
    this.#frames = database.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.#passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    this.#truncate = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /** True if more page gaps are left than an erasure should clear by itself. */
  get hasManyGaps(): boolean {
    return this.#gaps.left > PAGES_CLEARED.erasure;
  }

  /** Makes the checkpoints and clears the data that are due after a group. `kinds` are the kinds of its writes. */
  afterGroup(kinds: ReadonlySet<Kind>, { kind, outcomes }: GroupResult): void {
    const isErasure = kinds.has("eraseSessions") || kinds.has("eraseCustomerApiKeys");
    if (isErasure || outcomes.some(isIndexPurged)) this.#isLogDirty = true;
    if (kind !== "committed") return;
    try {
      if (this.#framesInLog() >= CHECKPOINT_AT) this.#checkpoint(this.#passive);
      const isWaiting = kinds.has("purgeIndex");
      const isHousekeeping = isWaiting || kinds.has("purgeExpired");
      const left = this.#isLogDirty ? PAGES_CLEARED.erasure : 0;
      if (!isErasure && isHousekeeping && this.#gaps.left > left) {
        this.#gaps.clean(PAGES_CLEARED[isWaiting ? "waiting" : "background"]);
        this.#guard.noteWrite();
      } else if (this.#isLogDirty) this.#clearLog();
    } catch {
      // Not reported here: the next write meets the same failure and reports it.
    }
  }

  #framesInLog(): number {
    return this.#frames.get()?.["log"] as number;
  }

  /** Makes a checkpoint. Returns false if SQLite cannot reset the log, because a reader uses an older state. */
  #checkpoint(kind: StatementSync): boolean {
    this.#gaps.note(this.#framesInLog());
    try {
      return kind.get()?.["busy"] === 0;
    } finally {
      // This is necessary after a failure too, since a part of the pages may have been written before the disk was
      // full.
      this.#guard.noteWrite();
    }
  }

  /** Truncates the log and clears all page gaps. While a reader uses an older state, leaves this to the next group. */
  #clearLog(): void {
    try {
      this.#database.exec("PRAGMA busy_timeout = 100");
      if (!this.#checkpoint(this.#truncate)) return;
      // Pages in SQLite's cache have the old gaps, which would be written again with these pages. So the cache is
      // emptied.
      this.#database.exec("PRAGMA shrink_memory");
      this.#gaps.clean(Number.MAX_SAFE_INTEGER);
      this.#guard.noteWrite();
      this.#isLogDirty = false;
    } finally {
      this.#database.exec("PRAGMA busy_timeout = 5000");
    }
  }
}

function isIndexPurged(outcome: GroupResult["outcomes"][number]): boolean {
  const isObject = typeof outcome === "object" && outcome !== null;
  return isObject && "isIndexPurged" in outcome && outcome.isIndexPurged;
}
