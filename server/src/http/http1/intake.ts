import type { Transport } from "./transport.ts";

/** What is kept of bytes that nobody has asked for yet, before no more is received. */
export const MAX_HELD = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** What was received on a connection and is not looked at yet. When that is much, no more is received. */
export class Intake {
  readonly #transport: Transport;
  #held: Buffer = NOTHING;
  /** How much of it is known to be no whole head. */
  #tried = 0;
  #isPaused = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the beginning of a head is there, and was looked at. */
  get hasBegun(): boolean {
    return this.#tried > 0;
  }

  /** What is held, and `bytes` after it. */
  with(bytes: Buffer): Buffer {
    return this.isEmpty ? bytes : Buffer.concat([this.#held, bytes]);
  }

  /** Whether `all`, which begins with what is held, may tell more than that did. */
  isWorthTrying(all: Buffer): boolean {
    const known = this.#held.length;
    // A head that comes byte by byte is not read anew with each: only when it may be whole, or twice as long.
    return all.length >= 2 * this.#tried || all.includes("\r\n\r\n", Math.max(0, known - 3));
  }

  /** Keeps what follows `start`. */
  hold(bytes: Buffer, start: number): void {
    const rest = bytes.subarray(start);
    // A few bytes are not to keep the many alive that they came with.
    this.#held = rest.length < start ? Buffer.from(rest) : rest;
    if (rest.length > MAX_HELD) this.pause();
  }

  /** Keeps what follows `start`, which is the beginning of a head. */
  holdHead(bytes: Buffer, start: number): void {
    this.#tried = bytes.length - start;
    this.hold(bytes, start);
  }

  /** The head is whole. */
  headEnded(): void {
    this.#tried = 0;
  }

  /** Gives what is held, and lets go of it. */
  take(): Buffer {
    const held = this.#held;
    this.#held = NOTHING;
    return held;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#transport.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport.resume();
  }
}
