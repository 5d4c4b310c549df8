import { Worker } from "node:worker_threads";
import { Refusal } from "../../session/errors.ts";
import { StoreOpenError, type StoreOpenFault } from "../open-error.ts";
import type { StoreEvents } from "../ports/lifecycle.ts";
import {
  type Change,
  type Displacement,
  type Failure,
  type Group,
  type GroupOutcome,
  type GroupResult,
  isRead,
  type Outcome,
  type Outcomes,
} from "./changes.ts";
import type { WriterOptions } from "./writer.ts";

/*
 * The serving thread's end of the writer: gathers changes into groups while the disk is busy with
 * the group before, so that a commit's cost is shared by all who wait for it.
 *
 *   idle --submit--> gathering --end of this turn of the loop--> committing
 *   committing --submit--> committing (the change waits for the next group)
 *   committing --answer--> idle, or committing the next group at once when changes wait
 *   any --the writer thread dies--> idle, with a new thread; what it had is of unknown outcome
 *
 * One group is under way at a time: what the caches learn from its answer is never older than what
 * a reader may have seen in the file.
 */

/** How the queue behaves; times in milliseconds. */
export interface GroupCommitOptions extends WriterOptions {
  /** Changes that may wait; one more is refused at once (overload). */
  readonly maxPending: number;
  /** How long a change waits for the disk before its caller is told that it is unavailable. */
  readonly timeout: number;
  readonly events: StoreEvents;
  /** Hears of each change that was stored, before its caller does, also when that has given up. */
  stored(change: Change, outcome: Outcome): void;
  /** Hears of each change of which nobody knows whether it was stored. */
  lost(change: Change): void;
  /** Hears that a group is about to be written. */
  starting(): void;
  /** What has been accepted on trust: goes in front of the next group, whatever that is. */
  readonly backlog: Backlog;
}

/** Changes that nobody waits for, and that are kept until they are stored. */
export interface Backlog {
  /** All of it, and when the last of it was accepted (ms); `undefined` when there is none. */
  take(): { readonly lines: string; readonly at: number } | undefined;
  /** What was taken was not stored: it is to be tried again. */
  giveBack(): void;
  /** What was taken is stored, or, after the writer's death, perhaps not. */
  letGo(isStored: boolean): void;
}

/** The queue in front of the writer thread. */
export interface GroupCommit {
  /** Fulfilled when the change is on disk; rejects with `Refusal` `unavailable`. */
  submit<K extends Change["kind"]>(change: Extract<Change, { kind: K }>): Promise<Outcomes[K]>;
  /** Has the backlog stored within `BACKLOG_WAIT`. */
  wake(): void;
  readonly pending: number;
  /** Whether a group is under way: what is read now may change at any moment. */
  readonly isBusy: boolean;
  readonly writable: boolean;
  /** What happened to the files of the data, if the last group failed because of it. */
  readonly displaced: Displacement | null;
  /** Commits what waits and ends the thread. Later changes are refused. */
  close(): Promise<void>;
}

interface Waiting {
  readonly change: Change;
  readonly since: number;
  readonly resolve: (outcome: never) => void;
  readonly reject: (error: unknown) => void;
  /** Its caller was told already. */
  isSettled: boolean;
}

/** At most so many changes a group: a commit of more takes longer than those who wait like. */
const MAX_GROUP = 2048;
const RETRY_AFTER_SECONDS = 1;
const RESTART_PAUSE = 1000;
/** How long (ms) a backlog waits for others to share a commit with, and after a failure. */
const BACKLOG_WAIT = 50;
const BACKLOG_RETRY = 1000;

/** Starts the writer thread. */
export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  let waiting: Waiting[] = [];
  let underWay: Waiting[] = [];
  /** Whether the group under way begins with the backlog. */
  let hasBacklog = false;
  let backlogTimer: NodeJS.Timeout | undefined;
  /** Its time came while the disk was busy. */
  let isBacklogDue = false;
  let isFlushScheduled = false;
  /** The thread has died, and the next is not there yet: what was posted now would never be answered. */
  let isDown = false;
  let writable = true;
  let displaced: Displacement | null = null;
  /** Why the thread ended, if it has reported it. */
  let deathCause: Error | undefined;
  let closed: (() => void) | undefined;
  let startedAt = 0;
  let worker = startWorker();
  const deadlines = setInterval(rejectOverdue, Math.max(10, Math.min(250, options.timeout / 4)));
  deadlines.unref();

  function startWorker(): Worker {
    const started = new Worker(new URL("./writer.ts", import.meta.url), {
      workerData: {
        file: options.file,
        files: options.files,
        lifetimes: options.lifetimes,
        maxRecords: options.maxRecords,
        retention: options.retention,
        mergeIdsAt: options.mergeIdsAt,
      } satisfies WriterOptions,
    });
    started.on("message", (text: string) => {
      const result = JSON.parse(text) as GroupResult;
      if (result.kind === "dead") deathCause = storeError(result);
      else onResult(result);
    });
    started.on("error", (error) => options.events.failed(error));
    started.on("exit", onExit);
    return started;
  }

  function scheduleFlush(): void {
    if (isFlushScheduled || isBusy()) return;
    isFlushScheduled = true;
    setImmediate(flush);
  }

  function flush(): void {
    isFlushScheduled = false;
    if (isBusy()) return;
    const live = waiting.filter((entry) => !entry.isSettled);
    const backlog = options.backlog.take();
    if (live.length === 0 && backlog === undefined) {
      waiting = live;
      if (closed !== undefined) worker.postMessage("close");
      return;
    }
    clearTimeout(backlogTimer);
    backlogTimer = undefined;
    isBacklogDue = false;
    hasBacklog = backlog !== undefined;
    underWay = live.slice(0, MAX_GROUP);
    waiting = live.slice(MAX_GROUP);
    startedAt = performance.now();
    options.starting();
    const changes = underWay.map((entry) => entry.change);
    worker.postMessage({
      changes: JSON.stringify(changes),
      backlog: backlog?.lines ?? "",
      backlogAt: backlog?.at ?? 0,
    } satisfies Group);
  }

  function isBusy(): boolean {
    return underWay.length > 0 || hasBacklog || isDown;
  }

  function wakeIn(milliseconds: number): void {
    backlogTimer ??= setTimeout(() => {
      backlogTimer = undefined;
      isBacklogDue = true;
      flush();
    }, milliseconds);
  }

  function onResult(result: GroupResult): void {
    const group = underWay;
    const isWrite = hasBacklog || group.some(({ change }) => !isRead(change));
    const error = result.kind === "committed" ? undefined : storeError(result);
    if (isWrite) displaced = result.kind === "committed" ? null : result.displaced;
    underWay = [];
    if (isWrite) report(error, group.length + Number(hasBacklog));
    const outcomes = [...result.outcomes];
    if (hasBacklog) settleBacklog(error === undefined, outcomes.shift() ?? null);
    for (const [i, entry] of group.entries()) {
      const outcome = outcomes[i] ?? null;
      if (error === undefined || outcome !== null) settle(entry, outcome);
      else if (result.kind === "unknown") lose(entry, error);
      else refuse(entry, unavailable(error));
    }
    // At once, not in the next turn: whoever is answered now asks again in the next group.
    if (waiting.length > 0 || isBacklogDue || closed !== undefined) flush();
  }

  function report(error: Error | undefined, changes: number): void {
    writable = error === undefined;
    if (error === undefined) options.events.committed(changes, performance.now() - startedAt);
    else options.events.failed(error);
  }

  function settleBacklog(isCommitted: boolean, outcome: GroupOutcome): void {
    hasBacklog = false;
    // A store that is closing has no second try, and what fails by itself would fail for ever.
    if (isCommitted || closed !== undefined) {
      options.backlog.letGo(isCommitted && !isFailure(outcome));
    } else {
      options.backlog.giveBack();
      wakeIn(BACKLOG_RETRY);
    }
  }

  function settle(entry: Waiting, outcome: GroupOutcome): void {
    if (isFailure(outcome)) {
      const error = storeError({ message: outcome.failure });
      options.events.failed(error);
      refuse(entry, unavailable(error));
      return;
    }
    options.stored(entry.change, outcome);
    if (entry.isSettled) return;
    entry.isSettled = true;
    entry.resolve(outcome as never);
  }

  function refuse(entry: Waiting, refusal: Refusal): void {
    if (entry.isSettled) return;
    entry.isSettled = true;
    entry.reject(refusal);
  }

  function unavailable(cause: Error, outcome?: "unknown"): Refusal {
    return new Refusal(
      {
        code: "unavailable",
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        ...(outcome && { outcome }),
        ...(displaced && { why: "data-displaced" }),
      },
      cause,
    );
  }

  function lose(entry: Waiting, error: Error): void {
    options.lost(entry.change);
    refuse(entry, unavailable(error, "unknown"));
  }

  function rejectOverdue(): void {
    const latest = performance.now() - options.timeout;
    const error = storeError({
      message: `the disk did not answer within ${options.timeout} ms`,
    });
    let overdue = 0;
    for (const entry of underWay) {
      if (entry.isSettled || entry.since > latest) continue;
      overdue++;
      refuse(entry, unavailable(error, "unknown"));
    }
    for (const entry of waiting) {
      if (entry.isSettled || entry.since > latest) continue;
      overdue++;
      refuse(entry, unavailable(error));
    }
    if (overdue > 0) {
      waiting = waiting.filter((entry) => !entry.isSettled);
      writable = false;
      options.events.failed(error);
    }
  }

  function onExit(): void {
    if (closed !== undefined && waiting.length === 0 && !isBusy()) {
      closed();
      return;
    }
    const error = deathCause ?? storeError({ message: "the writer thread ended unexpectedly" });
    deathCause = undefined;
    writable = false;
    options.events.failed(error);
    const group = underWay;
    underWay = [];
    for (const entry of group) lose(entry, error);
    if (hasBacklog) options.backlog.letGo(false);
    hasBacklog = false;
    isDown = true;
    setTimeout(() => {
      isDown = false;
      worker = startWorker();
      scheduleFlush();
    }, RESTART_PAUSE);
  }

  return {
    submit(change) {
      return new Promise((resolve, reject) => {
        if (closed !== undefined || waiting.length >= options.maxPending) {
          reject(unavailable(new Error(closed ? "the store is closing" : "too many changes wait")));
          return;
        }
        waiting.push({ change, since: performance.now(), resolve, reject, isSettled: false });
        scheduleFlush();
      });
    },
    wake: () => wakeIn(BACKLOG_WAIT),
    get pending() {
      return waiting.length + underWay.length;
    },
    get isBusy() {
      return isBusy();
    },
    get writable() {
      return writable;
    },
    get displaced() {
      return displaced;
    },
    async close() {
      clearInterval(deadlines);
      clearTimeout(backlogTimer);
      const done = new Promise<void>((resolve) => {
        closed = resolve;
      });
      if (!isBusy() && !isFlushScheduled) flush();
      await done;
    },
  };
}

function isFailure(outcome: GroupOutcome): outcome is Failure {
  return typeof outcome === "object" && outcome !== null && "failure" in outcome;
}

/** The writer thread's report on a group that was not stored. */
interface StoreTrouble {
  readonly message: string;
  readonly fault?: StoreOpenFault | null;
}

/** Creates the error. A fault of the disk or the files is not a defect, so it has no stack. */
function storeError({ message, fault }: StoreTrouble): Error {
  const error = fault
    ? new StoreOpenError(fault, message)
    : Object.assign(new Error(message), { name: "StoreFault" });
  error.stack = `${error.name}: ${message}`;
  return error;
}
