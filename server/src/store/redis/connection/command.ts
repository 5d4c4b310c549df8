import { Command } from "ioredis";
import type { Expiring } from "./deadlines.ts";

/** The stream of the connection to one server. Commands are written to it. */
export type CommandStream = Parameters<Command["toWritable"]>[0] & {
  cork(): void;
  uncork(): void;
};

/** A PING that is written instead of an expired command. Its reply is ignored. */
const PLACEHOLDER = "*1\r\n$4\r\nPING\r\n";

/** Streams that buffer their commands until the end of this turn of the event loop. */
const corked = new Set<CommandStream>();
/** Functions to call at the end of this turn, before the streams send their buffers. */
let callbacks: (() => void)[] = [];
let isTurning = false;

function endTurn(): void {
  const due = callbacks;
  callbacks = [];
  for (const callback of due) callback();
  for (const stream of corked) stream.uncork();
  corked.clear();
  isTurning = false;
  if (callbacks.length > 0) beginTurn();
}

function beginTurn(): void {
  if (isTurning) return;
  isTurning = true;
  setImmediate(endTurn);
}

/**
 * Calls `callback` at the end of this turn of the event loop. `callback` must not throw. The commands that it sends
 * leave in the same write as all other commands of this turn.
 */
export function atTurnsEnd(callback: () => void): void {
  callbacks.push(callback);
  beginTurn();
}

/** Buffers a stream until the end of this turn, so all its commands leave in one write: each write is a system call. */
function buffer(stream: CommandStream): void {
  if (corked.has(stream)) return;
  beginTurn();
  corked.add(stream);
  stream.cork();
}

/**
 * A command with a deadline. The client library may keep commands while it connects or follows redirections. A command
 * must not be sent after its deadline, because its caller has given up by then. The deadline is checked when the
 * command is written. This is a subclass of the library's own class because the library calls `toWritable` to write a
 * command.
 */
export class TimedCommand extends Command implements Expiring {
  /** Deadline on the clock of `performance.now()`. */
  readonly deadline: number;
  /** Number of times that the command was written. If it is 0, the command certainly was not carried out. */
  writes = 0;
  /** The stream to which the command was written last. */
  stream: CommandStream | undefined;

  constructor(name: string, args: (string | Buffer)[], deadline: number) {
    super(name, args, { replyEncoding: "utf8" });
    this.deadline = deadline;
    // Skips the library's preparation for tracing, which this service does not use.
    this.isTraced = true;
  }

  /** Rejects the command; a later reply is ignored. */
  expire(): void {
    this.reject(new Error("no answer in time"));
  }

  override toWritable(stream: object): string | Buffer {
    if (performance.now() >= this.deadline) {
      // The command is rejected now, so that the reply to the placeholder cannot become the command's reply.
      this.expire();
      return PLACEHOLDER;
    }
    this.writes++;
    this.stream = stream as CommandStream;
    buffer(this.stream);
    return super.toWritable(stream);
  }
}
