import { Worker } from "node:worker_threads";
import { Refusal } from "../../session/errors.ts";
import type { StoreEvents } from "../store.ts";
import type { Change, GroupOutcome, GroupResult, Outcome, Outcomes } from "./changes.ts";
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
}

/** The queue in front of the writer thread. */
export interface GroupCommit {
  /** Fulfilled when the change is on disk; rejects with `Refusal` `unavailable`. */
  submit<K extends Change["kind"]>(change: Extract<Change, { kind: K }>): Promise<Outcomes[K]>;
  readonly pending: number;
  readonly writable: boolean;
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

/** Starts the writer thread. */
export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  let waiting: Waiting[] = [];
  let underWay: Waiting[] = [];
  let isFlushScheduled = false;
  let writable = true;
  let closed: (() => void) | undefined;
  let startedAt = 0;
  let worker = startWorker();
  const deadlines = setInterval(rejectOverdue, Math.max(10, Math.min(250, options.timeout / 4)));
  deadlines.unref();

  function startWorker(): Worker {
    const started = new Worker(new URL("./writer.ts", import.meta.url), {
      workerData: { file: options.file, lifetimes: options.lifetimes } satisfies WriterOptions,
    });
    started.on("message", (text: string) => onResult(JSON.parse(text) as GroupResult));
    started.on("error", (error) => options.events.failed(error));
    started.on("exit", onExit);
    return started;
  }

  function scheduleFlush(): void {
    if (isFlushScheduled || underWay.length > 0) return;
    isFlushScheduled = true;
    setImmediate(flush);
  }

  function flush(): void {
    isFlushScheduled = false;
    if (underWay.length > 0) return;
    const live = waiting.filter((entry) => !entry.isSettled);
    if (live.length === 0) {
      waiting = live;
      if (closed !== undefined) worker.postMessage("close");
      return;
    }
    underWay = live.slice(0, MAX_GROUP);
    waiting = live.slice(MAX_GROUP);
    startedAt = performance.now();
    worker.postMessage(JSON.stringify(underWay.map((entry) => entry.change)));
  }

  function onResult(result: GroupResult): void {
    const group = underWay;
    underWay = [];
    writable = result.kind === "committed";
    if (result.kind === "committed") {
      options.events.committed(group.length, performance.now() - startedAt);
      for (const [i, entry] of group.entries()) settle(entry, result.outcomes[i] as GroupOutcome);
    } else {
      const error = new Error(result.message);
      options.events.failed(error);
      if (result.kind === "unknown") loseAll(group, error);
      else for (const entry of group) refuse(entry, unavailable(error));
    }
    // At once, not in the next turn: whoever is answered now asks again in the next group.
    if (waiting.length > 0 || closed !== undefined) flush();
  }

  function settle(entry: Waiting, outcome: GroupOutcome): void {
    if (typeof outcome === "object" && outcome !== null && "failure" in outcome) {
      const error = new Error(outcome.failure);
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

  function loseAll(group: readonly Waiting[], error: Error): void {
    for (const entry of group) {
      options.lost(entry.change);
      refuse(entry, unavailable(error, "unknown"));
    }
  }

  function rejectOverdue(): void {
    const latest = performance.now() - options.timeout;
    const error = new Error(`the disk did not answer within ${options.timeout} ms`);
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
    if (closed !== undefined && waiting.length === 0 && underWay.length === 0) {
      closed();
      return;
    }
    const error = new Error("the writer thread ended unexpectedly");
    writable = false;
    options.events.failed(error);
    const group = underWay;
    underWay = [];
    loseAll(group, error);
    setTimeout(() => {
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
    get pending() {
      return waiting.length + underWay.length;
    },
    get writable() {
      return writable;
    },
    async close() {
      clearInterval(deadlines);
      const done = new Promise<void>((resolve) => {
        closed = resolve;
      });
      if (underWay.length === 0 && !isFlushScheduled) flush();
      await done;
    },
  };
}

function unavailable(cause: Error, outcome?: "unknown"): Refusal {
  const reason = { code: "unavailable", retryAfterSeconds: RETRY_AFTER_SECONDS } as const;
  return new Refusal(outcome === undefined ? reason : { ...reason, outcome }, cause);
}
