import type { Clock } from "../runtime/clock.ts";
import type { LifecycleStore } from "../store/ports/lifecycle.ts";
import type { TransferStore } from "../store/ports/transfer.ts";
import type { EventQueues } from "../webhooks/queue-remaining.ts";
import type { TallyTimes } from "./tally.ts";

/** The store to copy from. No server may write to it, except with `isAhead`. */
export type Source = Pick<TransferStore, "exportPage">;

/** Progress of a migration. */
export interface Progress {
  readonly sessions: number;
  readonly records: number;
  /** Approximate share of the current pass that is done, 0 to 1. */
  readonly done: number;
  readonly phase: "copying" | "comparing";
}

/** Options of a migration. */
export interface MigrateOptions {
  readonly source: Source;
  /** The event log and the queues of the source; `null` with `isAhead`, because its servers queue the events. */
  readonly queues: EventQueues | null;
  /** Name of the source. The target stores it, so that a later run with another source is refused. */
  readonly from: string;
  readonly target: TransferStore & Pick<LifecycleStore, "purgeExpired">;
  readonly clock: Clock;
  readonly times: TallyTimes;
  /** Copies a source that servers still use, without a comparison. A later run without `isAhead` completes it. */
  readonly isAhead: boolean;
  onProgress(progress: Progress): void;
  /** Stops the migration after the page that is being copied. */
  readonly signal: AbortSignal;
}
