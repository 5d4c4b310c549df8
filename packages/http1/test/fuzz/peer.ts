import type { Transport, TransportEvents } from "../../src/transport.ts";
import type { Random } from "./random.ts";

/** Behaviour of the client of one connection. */
export interface Behavior {
  /** The probability that a piece of the stream is a single byte. */
  readonly byteByByte: number;
  /** The maximum number of bytes in a piece. */
  readonly maxPiece: number;
  /** The probability that the client does not accept written bytes at once. */
  readonly backPressure: number;
  /** Whether the client half-closes the connection after the stream. */
  readonly ends: boolean;
  /** The number of bytes of the stream after which the client disconnects; `undefined` if it stays. */
  readonly goneAfter: number | undefined;
  /** Whether the client sends a body that it announced with `Expect` only after a `100 Continue`. */
  readonly awaitsContinue: boolean;
}

/**
 * Matches heads of HTTP/1.1 after which a client may wait for `100 Continue`. A body may end with the beginning of a
 * head. No match runs from there into the next head, because no other line of a match contains a version.
 */
const LINES = String.raw`(?:(?![^\r\n]*HTTP/)[^\r\n]+\r\n)*`;
const EXPECTING = new RegExp(String.raw`HTTP/1\.1\r\n${LINES}Expect: 100-continue\r\n${LINES}\r\n`, "gi");

export function randomBehavior(random: Random, length: number): Behavior {
  // In small pieces a long input would take longer than a connection may be idle.
  const isLong = length > 30_000;
  return {
    byteByByte: isLong ? 0 : random.pick([0, 0, 0.1, 0.9]),
    maxPiece: random.pick(isLong ? [1_000, 70_000] : [3, 40, 1_000, 70_000]),
    backPressure: random.pick([0, 0, 0.3, 1]),
    ends: random.next() < 0.5,
    goneAfter: random.next() < 0.05 ? random.between(0, length) : undefined,
    awaitsContinue: random.next() < 0.5,
  };
}

/** A client on a connection inside this process: it sends a text in pieces, and stores what it receives. */
export class Peer implements Transport {
  readonly peer = "192.0.2.1";
  bufferedBytes = 0;
  /** Everything that the server wrote, one character per byte. */
  text = "";
  /** Whether the server has ended its side, or the connection. */
  isOver = false;
  /** Whether the client has ended the connection. */
  isGone = false;
  hasEnded = false;

  readonly stream: string;
  readonly behavior: Behavior;
  readonly #random: Random;
  /** Positions in the stream at which the client waits, each until it is allowed to continue. */
  readonly #stops: readonly number[];
  #leaves = 0;
  #sent = 0;
  #isPaused = false;
  #events: TransportEvents | undefined;

  constructor(stream: string, behavior: Behavior, random: Random) {
    this.stream = stream;
    this.behavior = behavior;
    this.#random = random;
    const heads = behavior.awaitsContinue ? [...stream.matchAll(EXPECTING)] : [];
    this.#stops = heads.map((head) => head.index + head[0].length);
  }

  connect(to: (transport: Transport) => TransportEvents): void {
    this.#events = to(this);
  }

  /** Whether the whole stream was sent. */
  get hasSentAll(): boolean {
    return this.#sent === this.stream.length;
  }

  /** Performs the client's next action; returns false if there is none. */
  step(): boolean {
    const events = this.#events;
    if (events === undefined || this.isGone) return false;
    const { goneAfter, ends } = this.behavior;
    if (goneAfter !== undefined && this.#sent >= goneAfter) return this.leave();
    if (this.bufferedBytes > 0 && this.#random.next() < 0.5) {
      this.bufferedBytes = 0;
      events.drained();
      return true;
    }
    // Bytes that were already sent still arrive.
    const mayArrive = !this.#isPaused || this.#random.next() < 0.02;
    if (!this.hasSentAll && mayArrive && !this.hasEnded && this.#sent < this.#mayGoTo()) {
      events.received(this.#nextPiece());
      return true;
    }
    if (this.hasSentAll && ends && !this.hasEnded && !this.#isPaused) {
      this.hasEnded = true;
      events.ended();
      return true;
    }
    return this.bufferedBytes > 0;
  }

  /** Ends the connection. */
  leave(): boolean {
    if (this.isGone) return false;
    this.isGone = true;
    this.#events?.closed();
    return true;
  }

  /** Returns the position up to which the client may send now. */
  #mayGoTo(): number {
    return this.#stops[this.#leaves] ?? this.stream.length;
  }

  #nextPiece(): Buffer {
    const { byteByByte, maxPiece } = this.behavior;
    const length = this.#random.next() < byteByByte ? 1 : this.#random.between(1, maxPiece);
    const end = Math.min(this.#mayGoTo(), this.#sent + length);
    const piece = Buffer.from(this.stream.slice(this.#sent, end), "latin1");
    this.#sent = end;
    return piece;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.isOver) throw new Error("written after the end");
    const written = bytes.toString("latin1", start, end);
    if (written.startsWith("HTTP/1.1 100 ")) this.#leaves++;
    this.text += written;
    if (this.bufferedBytes > 0 || this.#random.next() < this.behavior.backPressure) {
      this.bufferedBytes += end - start;
    }
    return this.bufferedBytes === 0;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  end(): void {
    this.isOver = true;
  }

  destroy(): void {
    this.isOver = true;
    this.isGone = true;
  }
}
