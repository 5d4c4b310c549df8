import { faultOfReply, RedisFault } from "./faults.ts";
import type { Address } from "./place.ts";
import { ReplyError } from "./resp.ts";

/** Functions to call at the end of this turn of the event loop. */
let callbacks: (() => void)[] = [];
/** Connections that buffer commands until the end of this turn, and after `callbacks`. */
let buffering: Pick<Carrier, "flush">[] = [];
let isTurning = false;

function endTurn(): void {
  const due = callbacks;
  callbacks = [];
  for (const callback of due) callback();
  const full = buffering;
  buffering = [];
  for (const carrier of full) carrier.flush();
  isTurning = false;
  if (callbacks.length > 0 || buffering.length > 0) beginTurn();
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

/** Flushes a connection at the end of this turn, so all its commands leave in one write: each write is a system call. */
export function flushAtTurnsEnd(carrier: Pick<Carrier, "flush">): void {
  buffering.push(carrier);
  beginTurn();
}

/** A connection that carries commands to a server. */
export interface Carrier {
  readonly address: Address;
  send(command: TimedCommand): void;
  /** Writes the buffered commands. */
  flush(): void;
}

/**
 * Sends a command again if `error` is a redirection to another node, and returns whether it did. `from` is the
 * connection of the reply.
 */
export type Redirect = (command: TimedCommand, error: ReplyError, from: Carrier) => boolean;

/** A command with a deadline: it is not sent after it, because its caller has given up by then. */
export class TimedCommand {
  /** The command's name and its arguments. */
  readonly words: readonly string[];
  /** Deadline on the clock of `performance.now()`. */
  readonly deadline: number;
  /** Promise of the reply; rejects with a `RedisFault`. */
  readonly reply: Promise<unknown>;
  /** Whether the command may have been carried out: it was sent, and no error reply says that it was not. */
  isSent = false;
  /** The connection on which the command was sent last. */
  carrier: Carrier | undefined;
  /** Function that follows redirections; set by the client of a cluster. */
  redirect: Redirect | undefined;
  /** Number of redirections so far. */
  redirections = 0;
  isSettled = false;
  readonly #resolve: (reply: unknown) => void;
  readonly #reject: (fault: RedisFault) => void;

  constructor(words: readonly string[], deadline: number) {
    this.words = words;
    this.deadline = deadline;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.reply = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Settles the command with the reply that `from` has received, or follows the redirection in it. */
  receive(reply: unknown, from: Carrier): void {
    // Its caller has given up, so the reply does not matter, and the command must not be sent again.
    if (this.isSettled) return;
    if (!(reply instanceof ReplyError)) {
      this.isSettled = true;
      this.#resolve(reply);
      return;
    }
    this.isSent = false;
    if (this.redirect?.(this, reply, from) === true) return;
    const [name] = this.words;
    this.reject(faultOfReply(reply, String(name)));
  }

  reject(fault: RedisFault): void {
    this.isSettled = true;
    this.#reject(fault);
  }

  /** Rejects the command; a later reply is ignored. */
  expire(): void {
    this.reject(new RedisFault("", "no answer in time"));
  }
}
