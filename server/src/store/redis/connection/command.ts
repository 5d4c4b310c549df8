import { Command } from "ioredis";
import type { Expiring } from "./deadlines.ts";

/** The connection to one server that a command is written to. */
export type CommandStream = Parameters<Command["toWritable"]>[0] & {
  cork(): void;
  uncork(): void;
};

/** Written instead of an expired command; its reply is ignored. */
const PLACEHOLDER = "*1\r\n$4\r\nPING\r\n";

/** Streams that buffer until the end of this turn of the event loop. */
const corked = new Set<CommandStream>();
/** Functions to call before the streams are uncorked. */
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

/** Calls `callback`, which must not throw, at the end of this turn of the event loop. What it sends joins the turn's write. */
export function atTurnsEnd(callback: () => void): void {
  callbacks.push(callback);
  beginTurn();
}

/** Joins all commands of one turn to one write: system calls are half of their cost. */
function buffer(stream: CommandStream): void {
  if (corked.has(stream)) return;
  beginTurn();
  corked.add(stream);
  stream.cork();
}

/**
 * A command with a deadline. The client library may hold commands back while it connects or follows redirections.
 * One that is written after its deadline must not be carried out, as its caller has given up. The class replaces the
 * library's own, which is why it is a class.
 */
export class TimedCommand extends Command implements Expiring {
  /** Time by `performance.now()`. */
  readonly deadline: number;
  /** How often it was written; 0 if it certainly was not carried out. */
  writes = 0;
  /** The stream that it was last written to. */
  stream: CommandStream | undefined;

  constructor(name: string, args: (string | Buffer)[], deadline: number) {
    super(name, args, { replyEncoding: "utf8" });
    this.deadline = deadline;
    // Skips the library's preparation for tracing, which noIdentity uses here.
    this.isTraced = true;
  }

  /** Rejects the command; a later reply is ignored. */
  expire(): void {
    this.reject(new Error("no answer in time"));
  }

  override toWritable(stream: object): string | Buffer {
    if (performance.now() >= this.deadline) {
      // Before the placeholder's reply arrives, which must not become that of the command.
      this.expire();
      return PLACEHOLDER;
    }
    this.writes++;
    this.stream = stream as CommandStream;
    buffer(this.stream);
    return super.toWritable(stream);
  }
}
