import { Refusal } from "../../../session/errors.ts";
import type { StoreEvents } from "../../ports/lifecycle.ts";
import type { Displacement } from "../files/file-guard.ts";
import type { WriterOptions } from "../options.ts";
import { groupOf } from "../writer/messages.ts";
import {
  type Command,
  type GroupOutcome,
  type GroupResult,
  isFailure,
  isRead,
  type Kind,
  type Outcome,
  type ParametersOf,
} from "../writer/writer-protocol.ts";
import type { RecordBuffer } from "./record-buffer.ts";
import { storeError, WriterWorker } from "./writer-worker.ts";

/*
 * The queue in front of the writer thread. While the writer commits one group of commands, further commands gather
 * for the next group. In this way one commit, whose cost is high, serves many commands.
 *
 *   idle --submit--> gathering --end of this turn of the event loop--> committing
 *   committing --submit--> committing (the command waits for the next group)
 *   committing --reply--> idle, or committing the next group at once if commands wait
 *   any --the writer thread dies--> idle, once a new thread runs; the outcome of the dead thread's group is unknown
 *
 * Only one group is under way at a time, so a reply never puts older data into `SessionCache` than a reader may
 * have seen in the file.
 */

/** Options of the queue. Durations are in milliseconds. */
export interface GroupCommitOptions extends WriterOptions {
  /** The maximum number of waiting commands. Further ones are refused at once. */
  readonly maxPending: number;
  /** How long the caller of a command waits for the outcome before the command is refused. */
  readonly timeout: number;
  readonly events: StoreEvents;
  /** The records that wait to be stored. Each group stores them before its commands. */
  readonly buffer: RecordBuffer;
  /** Called before a group is sent. */
  onSend(): void;
  /** Called with each successful command before its caller gets the outcome, even after the caller's timeout. */
  onStored(command: Command, outcome: Outcome): void;
  /** Called after a group has stored events, before its callers get their outcomes. */
  onEvents(): void;
  /** Called with each command whose outcome is unknown. */
  onUnknown(command: Command): void;
}

/** A command whose caller waits for its outcome. */
interface Pending {
  readonly command: Command;
  readonly since: number;
  readonly resolve: (outcome: never) => void;
  readonly reject: (error: unknown) => void;
  /** True when the caller has got the outcome or a refusal. */
  isSettled: boolean;
}

/** The maximum number of commands in a group. It keeps the time of a commit short. */
const MAX_GROUP = 2048;
const RETRY_AFTER_SECONDS = 1;
/** How long (ms) buffered records wait for a group of commands whose commit they can share. */
const BUFFER_WAIT = 50;
/** The pause (ms) before buffered records are sent again after a failure. */
const BUFFER_RETRY = 1000;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #worker: WriterWorker;
  readonly #deadlines: NodeJS.Timeout;
  #waiting: Pending[] = [];
  #sent: Pending[] = [];
  #sentAt = 0;
  /** True if the group under way begins with buffered records. */
  #hasRecords = false;
  #bufferTimer: NodeJS.Timeout | undefined;
  /** True if buffered records have waited for `BUFFER_WAIT`, and must be sent as soon as no group is under way. */
  #isBufferDue = false;
  #isFlushScheduled = false;
  #isWritable = true;
  #displaced: Displacement | null = null;
  #onClosed: (() => void) | undefined;

  /** Starts the writer thread. */
  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#worker = new WriterWorker(options, {
      replied: (result) => this.#onReply(result),
      died: (error) => this.#onDeath(error),
      restarted: () => this.#scheduleFlush(),
      closed: () => this.#onClosed?.(),
      failed: (error) => options.events.failed(error),
    });
    const interval = Math.max(10, Math.min(250, options.timeout / 4));
    this.#deadlines = setInterval(() => this.#refuseOverdue(), interval).unref();
  }

  /** The number of commands that wait, or whose group is under way. */
  get pending(): number {
    return this.#waiting.length + this.#sent.length;
  }

  /** True while a group is under way, as the file may change then, and while there is no writer thread. */
  get isBusy(): boolean {
    return this.#sent.length > 0 || this.#hasRecords || !this.#worker.isRunning;
  }

  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** How the files of the data were displaced, if the last group failed for this reason, otherwise `null`. */
  get displaced(): Displacement | null {
    return this.#displaced;
  }

  /**
   * Runs an operation on the writer thread. The promise is fulfilled with the outcome when the operation's group is on
   * the disk. It is rejected with the `Refusal` `unavailable` if the operation cannot be run.
   */
  submit<K extends Kind>(kind: K, parameters: ParametersOf<K>): Promise<Outcome<K>> {
    return new Promise((resolve, reject) => {
      const isClosing = this.#onClosed !== undefined;
      if (isClosing || this.#waiting.length >= this.#options.maxPending) {
        const message = isClosing ? "the store is closing" : "as many changes wait as maxPendingWrites allows";
        reject(this.#unavailable(new Error(message)));
        return;
      }
      const command = { kind, ...parameters } as unknown as Command;
      const since = performance.now();
      this.#waiting.push({ command, since, resolve, reject, isSettled: false });
      this.#scheduleFlush();
    });
  }

  /** Sends buffered records after `BUFFER_WAIT`, unless a group takes them earlier. */
  wake(): void {
    this.#wakeIn(BUFFER_WAIT);
  }

  /** Commits all waiting commands and records, and ends the writer thread. Later commands are refused. */
  async close(): Promise<void> {
    clearInterval(this.#deadlines);
    clearTimeout(this.#bufferTimer);
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    if (!this.isBusy && !this.#isFlushScheduled) this.#flush();
    await closed;
  }

  #wakeIn(milliseconds: number): void {
    this.#bufferTimer ??= setTimeout(() => {
      this.#bufferTimer = undefined;
      this.#isBufferDue = true;
      this.#flush();
    }, milliseconds);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled || this.isBusy) return;
    this.#isFlushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    if (this.isBusy) return;
    this.#waiting = this.#waiting.filter((entry) => !entry.isSettled);
    const records = this.#options.buffer.take();
    if (this.#waiting.length === 0 && records === undefined) {
      if (this.#onClosed !== undefined) this.#worker.close();
      return;
    }
    clearTimeout(this.#bufferTimer);
    this.#bufferTimer = undefined;
    this.#isBufferDue = false;
    this.#hasRecords = records !== undefined;
    this.#sent = this.#waiting.slice(0, MAX_GROUP);
    this.#waiting = this.#waiting.slice(MAX_GROUP);
    this.#sentAt = performance.now();
    this.#options.onSend();
    const commands = this.#sent.map(({ command }) => command);
    this.#worker.send(groupOf(commands, records?.lines ?? "", records?.at ?? 0));
  }

  #onReply(result: GroupResult): void {
    const group = this.#sent;
    const error = result.kind === "committed" ? undefined : storeError(result.message, result.fault);
    if (this.#hasRecords || group.some(({ command }) => !isRead(command))) {
      this.#displaced = result.kind === "committed" ? null : result.displaced;
      this.#isWritable = error === undefined;
      const commands = group.length + Number(this.#hasRecords);
      if (error !== undefined) this.#options.events.failed(error);
      else this.#options.events.committed(commands, performance.now() - this.#sentAt);
    }
    this.#sent = [];
    if (result.hasEvents) this.#options.onEvents();
    const outcomes = [...result.outcomes];
    if (this.#hasRecords) this.#settleRecords(error === undefined, outcomes.shift() ?? null);
    for (const [i, entry] of group.entries()) {
      const outcome = outcomes[i] ?? null;
      if (error === undefined || outcome !== null) this.#settle(entry, outcome);
      else if (result.kind === "unknown") this.#giveUp(entry, error);
      else refuse(entry, this.#unavailable(error));
    }
    // The next group is sent at once, not in the next turn of the event loop. Commands that callers submit because
    // of this reply are in the group after it.
    if (this.#waiting.length > 0 || this.#isBufferDue || this.#onClosed !== undefined) this.#flush();
  }

  #onDeath(error: Error): void {
    this.#isWritable = false;
    this.#options.events.failed(error);
    const group = this.#sent;
    this.#sent = [];
    for (const entry of group) this.#giveUp(entry, error);
    if (this.#hasRecords) this.#options.buffer.drop(false);
    this.#hasRecords = false;
  }

  #settleRecords(isCommitted: boolean, outcome: GroupOutcome): void {
    this.#hasRecords = false;
    // Records are not tried again if the store is closing, or if they failed although the rest of their group was
    // committed.
    if (isCommitted || this.#onClosed !== undefined) {
      this.#options.buffer.drop(isCommitted && !isFailure(outcome));
    } else {
      this.#options.buffer.putBack();
      this.#wakeIn(BUFFER_RETRY);
    }
  }

  #settle(entry: Pending, outcome: GroupOutcome): void {
    if (isFailure(outcome)) {
      const error = storeError(outcome.failure);
      this.#options.events.failed(error);
      refuse(entry, this.#unavailable(error));
      return;
    }
    this.#options.onStored(entry.command, outcome);
    if (entry.isSettled) return;
    entry.isSettled = true;
    entry.resolve(outcome as never);
  }

  #giveUp(entry: Pending, error: Error): void {
    this.#options.onUnknown(entry.command);
    refuse(entry, this.#unavailable(error, "unknown"));
  }

  #refuseOverdue(): void {
    const { timeout, events } = this.#options;
    const latest = performance.now() - timeout;
    const isOverdue = ({ isSettled, since }: Pending) => !isSettled && since <= latest;
    const sent = this.#sent.filter(isOverdue);
    const waiting = this.#waiting.filter(isOverdue);
    if (sent.length + waiting.length === 0) return;
    const error = storeError(`the disk did not answer within ${timeout} ms`);
    for (const entry of sent) refuse(entry, this.#unavailable(error, "unknown"));
    for (const entry of waiting) refuse(entry, this.#unavailable(error));
    this.#waiting = this.#waiting.filter((entry) => !entry.isSettled);
    this.#isWritable = false;
    events.failed(error);
  }

  #unavailable(cause: Error, outcome?: "unknown"): Refusal {
    return new Refusal(
      {
        code: "unavailable",
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        ...(outcome && { outcome }),
        ...(this.#displaced && { why: "data-displaced" }),
      },
      cause,
    );
  }
}

function refuse(entry: Pending, refusal: Refusal): void {
  if (entry.isSettled) return;
  entry.isSettled = true;
  entry.reject(refusal);
}
