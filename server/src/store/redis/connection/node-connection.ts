import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type Carrier, flushAtTurnsEnd, TimedCommand } from "./command.ts";
import { faultOf, notRedis, RedisFault } from "./faults.ts";
import type { Address } from "./place.ts";
import { encodeAscii, encodeCommand, ReplyParser } from "./resp.ts";

const CONNECT_TIMEOUT_MS = 1000;
/** Time (ms) without a reply after which a connection is treated as broken. */
const SILENCE_MS = 5000;
/** Maximum duration (ms) of a command of `call`. */
const CALL_TIMEOUT_MS = 2000;
/** Interval (ms) at which the deadlines of commands without a reply are checked. */
const TICK_MS = 20;
/** Number of unsent bytes from which on further commands are refused, because the server does not read. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
/** Number of replies after which the queue of commands without a reply is shortened. */
const COMPACT_AT = 4096;

/**
 * A connection to one Redis server, which sends commands and assigns the replies to them in order. It is opened once:
 *
 *   connecting --TCP and TLS--> open --error, silence, `end`, `destroy`--> closed
 *
 * When it closes, commands without a reply are rejected. `TimedCommand.isSent` is false for those that certainly were
 * not sent.
 */
export class NodeConnection implements Carrier {
  readonly address: Address;
  /** Fulfilled when commands can be sent. Rejects with a `RedisFault` if the server cannot be reached. */
  readonly opened: Promise<void>;
  /** Fulfilled with the reason when the connection has been closed. */
  readonly closed: Promise<RedisFault>;
  readonly #socket: Socket;
  readonly #parser = new ReplyParser((reply) => this.#receive(reply));
  readonly #opening = Promise.withResolvers<void>();
  readonly #closing = Promise.withResolvers<RedisFault>();
  /** The reason why the connection was closed. */
  #fault: RedisFault | undefined;
  /** Commands in the order in which they were sent. Those before `#head` have their replies. */
  #commands: TimedCommand[] = [];
  #head = 0;
  /** Index of the first command that is not written yet. */
  #unwritten = 0;
  /** Commands that are not written yet, encoded as if they were ASCII. */
  #text = "";
  #isBuffering = false;
  /** Whether too many bytes are unsent. */
  #isFull = false;
  /** Whether the connection is to be closed when no command waits for its reply. */
  #isEnding = false;
  /** Time on the clock of `performance.now()` since which a reply is missing. */
  #silentSince = 0;
  /** Time of the last tick on the clock of `performance.now()`. */
  #tickedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Begins to connect; by TLS if there are options for it. */
  constructor(address: Address, tls: ConnectionOptions | undefined) {
    this.address = address;
    this.opened = this.#opening.promise;
    this.closed = this.#closing.promise;
    // The caller may look at `closed` only.
    this.opened.catch(() => undefined);
    const { host, port } = address;
    this.#socket = tls === undefined ? connect({ host, port }) : connectTls({ ...tls, host, port });
    const socket = this.#socket;
    const timer = setTimeout(() => this.destroy(new RedisFault("ETIMEDOUT", "connect ETIMEDOUT")), CONNECT_TIMEOUT_MS);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      clearTimeout(timer);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 10_000);
      this.#opening.resolve();
    });
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("drain", () => {
      this.#isFull = false;
    });
    socket.on("error", (error) => this.destroy(faultOf(error)));
    socket.on("close", () => {
      clearTimeout(timer);
      this.destroy();
    });
  }

  /** Sends a command at the end of this turn of the event loop, unless its deadline has passed. */
  send(command: TimedCommand): void {
    const now = performance.now();
    const fault = this.#fault ?? (this.#isFull ? new RedisFault("", "Redis does not read its commands") : undefined);
    if (fault !== undefined) command.reject(fault);
    else if (now >= command.deadline) command.expire();
    else this.#enqueue(command, now);
  }

  /** Sends a command that prepares the connection or finds out where data are. Rejects with a `RedisFault`. */
  call(...words: string[]): Promise<unknown> {
    const command = new TimedCommand(words, performance.now() + CALL_TIMEOUT_MS);
    this.send(command);
    return command.reply;
  }

  flush(): void {
    this.#isBuffering = false;
    if (this.#fault !== undefined) return;
    const text = this.#unwrittenText();
    this.#text = "";
    this.#unwritten = this.#commands.length;
    if (!this.#socket.write(text)) this.#isFull = this.#socket.writableLength > MAX_UNSENT_BYTES;
  }

  /** Closes the connection as soon as no command waits for its reply. */
  end(): void {
    this.#isEnding = true;
    if (this.#head === this.#commands.length) this.destroy();
  }

  /** Closes the connection now. */
  destroy(fault = new RedisFault("", "the connection to Redis was lost")): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    clearInterval(this.#timer);
    this.#socket.destroy();
    for (let i = this.#head; i < this.#commands.length; i++) {
      const command = this.#commands[i] as TimedCommand;
      if (command.isSettled) continue;
      command.isSent = i < this.#unwritten;
      command.reject(fault);
    }
    this.#commands = [];
    this.#opening.reject(fault);
    this.#closing.resolve(fault);
  }

  #enqueue(command: TimedCommand, now: number): void {
    if (this.#head === this.#commands.length) this.#silentSince = now;
    this.#commands.push(command);
    command.carrier = this;
    command.isSent = true;
    this.#text += encodeAscii(command.words);
    if (!this.#isBuffering) {
      this.#isBuffering = true;
      flushAtTurnsEnd(this);
    }
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  /** Returns the commands that are not written yet, encoded. Nearly all are ASCII, so one look at all is the fastest. */
  #unwrittenText(): string {
    const text = this.#text;
    if (Buffer.byteLength(text) === text.length) return text;
    const unwritten = this.#commands.slice(this.#unwritten);
    return unwritten.map(({ words }) => encodeCommand(words)).join("");
  }

  #read(bytes: Buffer): void {
    this.#silentSince = performance.now();
    try {
      this.#parser.push(bytes);
    } catch {
      // The remaining bytes cannot be assigned to commands.
      this.destroy(notRedis());
    }
  }

  #receive(reply: unknown): void {
    const command = this.#commands[this.#head];
    if (this.#fault !== undefined) return;
    if (command === undefined) throw new SyntaxError("a reply has arrived for no command");
    this.#head++;
    if (this.#head === this.#commands.length || this.#head === COMPACT_AT) this.#compact();
    command.receive(reply, this);
    if (this.#isEnding) this.end();
  }

  /** Removes the commands that have their replies. */
  #compact(): void {
    this.#commands.splice(0, this.#head);
    this.#unwritten = Math.max(0, this.#unwritten - this.#head);
    this.#head = 0;
  }

  /**
   * Rejects the commands whose deadline had passed at the tick before, and closes the connection if the server was silent
   * then. If the process stood still, the replies that have arrived meanwhile are read before the next tick.
   */
  #tick(): void {
    if (this.#head === this.#commands.length) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const before = this.#tickedAt;
    this.#tickedAt = performance.now();
    if (before - this.#silentSince > SILENCE_MS) {
      this.destroy(new RedisFault("ETIMEDOUT", "Redis does not answer"));
      return;
    }
    for (let i = this.#head; i < this.#commands.length; i++) {
      const command = this.#commands[i] as TimedCommand;
      if (!command.isSettled && command.deadline <= before) command.expire();
    }
  }
}
