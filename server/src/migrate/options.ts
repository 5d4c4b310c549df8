import type { Clock } from "../runtime/clock.ts";
import type { LifecycleStore } from "../store/ports/lifecycle.ts";
import type { TransferStore } from "../store/ports/transfer.ts";
import type { TallyTimes } from "./tally.ts";

/** A store that is read. Nobody writes to it, unless a later run completes the copy (`isAhead`). */
export type Source = Pick<TransferStore, "exportPage">;

/** Progress of a migration. */
export interface Progress {
  readonly sessions: number;
  readonly records: number;
  /** Approximate share of this pass that is done, 0 to 1. */
  readonly done: number;
  readonly phase: "copying" | "comparing";
}

/** Options of a migration. */
export interface MigrateOptions {
  readonly source: Source;
  /** Identifies the source. */
  readonly from: string;
  readonly target: TransferStore & Pick<LifecycleStore, "purgeExpired">;
  readonly clock: Clock;
  readonly times: TallyTimes;
  /** The source is in use: copies what there is, and leaves the rest to another run. */
  readonly isAhead: boolean;
  onProgress(progress: Progress): void;
  /** Ends the run after the current page. */
  readonly signal: AbortSignal;
}
