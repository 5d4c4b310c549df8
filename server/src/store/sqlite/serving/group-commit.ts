import { Refusal } from "../../../session/errors.ts";
import type { StoreEvents } from "../../ports/lifecycle.ts";
import type { Displacement } from "../files/file-guard.ts";
import type { WriterOptions } from "../options.ts";
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
 * The queue in front of the writer thread. While the disk is busy with one group, further commands gather for the
 * next, so that all of them share the cost of one commit.
 *
 *   idle --submit--> gathering --end of this turn of the event loop--> committing
 *   committing --submit--> committing (the command waits for the next group)
 *   committing --reply--> idle, or committing the next group at once if commands wait
 *   any --the writer thread dies--> idle, with a new thread; the outcome of its group is unknown
 *
 * One group is under way at a time: what the cache learns from a reply is never older than what a reader may have
 * seen in the file.
 */

/** Options of the queue; times in milliseconds. */
export interface GroupCommitOptions extends WriterOptions {
  /** The maximum number of waiting commands; further ones are refused at once. */
  readonly maxPending: number;
  /** How long a command waits for the disk before it is refused. */
  readonly timeout: number;
  readonly events: StoreEvents;
  /** Records that are stored before the commands of the next group, whatever it is. */
  readonly buffer: RecordBuffer;
  /** Called before a group is sent. */
  onSend(): void;
  /** Called with each stored command before its caller learns of it, even if that has given up. */
  onStored(command: Command, outcome: Outcome): void;
  /** Called with each command whose outcome is unknown. */
  onUnknown(command: Command): void;
}

/** A command whose caller waits for its outcome. */
interface Pending {
  readonly command: Command;
  readonly since: number;
  readonly resolve: (outcome: never) => void;
  readonly reject: (error: unknown) => void;
  /** True if the caller was refused because of the timeout. */
  isSettled: boolean;
}

/** The maximum number of commands in a group, so that nobody waits long for its commit. */
const MAX_GROUP = 2048;
const RETRY_AFTER_SECONDS = 1;
/** How long (ms) buffered records wait for commands to share a commit with, and for a retry after a failure. */
const BUFFER_WAIT = 50;
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
  /** True if buffered records have waited long enough, but the disk is busy. */
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

  /** The number of commands that wait for the disk. */
  get pending(): number {
    return this.#waiting.length + this.#sent.length;
  }

  /** True while a group is under way: what is read from the file now may change at any moment. */
  get isBusy(): boolean {
    return this.#sent.length > 0 || this.#hasRecords || !this.#worker.isRunning;
  }

  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Fault of the data's files, if the last group failed because of it. */
  get displaced(): Displacement | null {
    return this.#displaced;
  }

  /** Runs an operation. Fulfilled when the disk has its group; rejects with `Refusal` `unavailable`. */
  submit<K extends Kind>(kind: K, parameters: ParametersOf<K>): Promise<Outcome<K>> {
    return new Promise((resolve, reject) => {
      const isClosing = this.#onClosed !== undefined;
      if (isClosing || this.#waiting.length >= this.#options.maxPending) {
        const message = isClosing ? "the store is closing" : "too many changes wait";
        reject(this.#unavailable(new Error(message)));
        return;
      }
      const command = { kind, ...parameters } as unknown as Command;
      const since = performance.now();
      this.#waiting.push({ command, since, resolve, reject, isSettled: false });
      this.#scheduleFlush();
    });
  }

  /** Sends buffered records within `BUFFER_WAIT`. */
  wake(): void {
    this.#wakeIn(BUFFER_WAIT);
  }

  /** Commits what waits, and ends the thread. Later commands are refused. */
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
    const commands = JSON.stringify(this.#sent.map(({ command }) => command));
    this.#worker.send({ commands, lines: records?.lines ?? "", linesAt: records?.at ?? 0 });
  }

  #onReply(result: GroupResult): void {
    const group = this.#sent;
    const error =
      result.kind === "committed" ? undefined : storeError(result.message, result.fault);
    if (this.#hasRecords || group.some(({ command }) => !isRead(command))) {
      this.#displaced = result.kind === "committed" ? null : result.displaced;
      this.#isWritable = error === undefined;
      const commands = group.length + Number(this.#hasRecords);
      if (error !== undefined) this.#options.events.failed(error);
      else this.#options.events.committed(commands, performance.now() - this.#sentAt);
    }
    this.#sent = [];
    const outcomes = [...result.outcomes];
    if (this.#hasRecords) this.#settleRecords(error === undefined, outcomes.shift() ?? null);
    for (const [i, entry] of group.entries()) {
      const outcome = outcomes[i] ?? null;
      if (error === undefined || outcome !== null) this.#settle(entry, outcome);
      else if (result.kind === "unknown") this.#giveUp(entry, error);
      else refuse(entry, this.#unavailable(error));
    }
    // At once, not in the next turn: a caller that continues now is in the group after this one.
    if (this.#waiting.length > 0 || this.#isBufferDue || this.#onClosed !== undefined)
      this.#flush();
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
    // There is no retry when the store is closing, or when the records fail by themselves.
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
