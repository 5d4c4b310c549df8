import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FileGuard } from "../files/file-guard.ts";
import type { PageGaps } from "../files/page-gaps.ts";
import type { GroupResult, Kind } from "./writer-protocol.ts";

/** Frames of the write-ahead log at which it is checkpointed into the database file. */
const CHECKPOINT_AT = 1000;
/** Pages whose gaps are cleared at a time: in the background, while a caller waits, at most by an erasure. */
const PAGES_CLEARED = { background: 256, waiting: 1024, erasure: 4096 };

/** Checkpoints the write-ahead log after commits, and clears deleted data from it and from page gaps. */
export class Checkpoints {
  readonly #database: DatabaseSync;
  readonly #guard: FileGuard;
  readonly #gaps: PageGaps;
  readonly #frames;
  readonly #passive;
  readonly #truncate;
  /** True if the log may contain deleted data; the log of an earlier process may. */
  #isLogDirty = true;

  constructor(database: DatabaseSync, guard: FileGuard, gaps: PageGaps) {
    this.#database = database;
    this.#guard = guard;
    this.#gaps = gaps;
    this.#frames = database.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.#passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    this.#truncate = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /** True if more page gaps wait than an erasure should clear. */
  get hasManyGaps(): boolean {
    return this.#gaps.left > PAGES_CLEARED.erasure;
  }

  /** Works on the files after a group with writes of these kinds. */
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
      // The same failure will meet a write, which reports it.
    }
  }

  #framesInLog(): number {
    return this.#frames.get()?.["log"] as number;
  }

  /** Returns false if the log cannot be reset because somebody reads an older state of the data. */
  #checkpoint(kind: StatementSync): boolean {
    this.#gaps.note(this.#framesInLog());
    try {
      return kind.get()?.["busy"] === 0;
    } finally {
      // Also after a failure: on a full disk a part may have been written.
      this.#guard.noteWrite();
    }
  }

  /** Truncates the log and clears all page gaps; later if somebody reads an older state of the data. */
  #clearLog(): void {
    try {
      this.#database.exec("PRAGMA busy_timeout = 100");
      if (!this.#checkpoint(this.#truncate)) return;
      // Cached pages still have the old gaps, and would be written again with them.
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
