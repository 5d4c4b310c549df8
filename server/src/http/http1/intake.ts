import type { Transport } from "./transport.ts";

/** What is kept of bytes that nobody has asked for yet, before no more is received. */
export const MAX_HELD = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Bytes received on a connection and not yet read. If there are many, no more are received. They are kept in
 * separate memory, never in the runtime's pool, where a few bytes would pin the whole block.
 */
export class Intake {
  readonly #transport: Transport;
  #held: Buffer = NOTHING;
  /** The allocation that begins with `#held`, if there is room after it. */
  #room: Buffer = NOTHING;
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

  /** What is held, and `bytes` after it. */
  with(bytes: Buffer): Buffer {
    if (this.isEmpty) return bytes;
    const held = this.#held;
    const length = held.length + bytes.length;
    if (length > this.#room.length) {
      // Bytes that arrive one by one must not cause a new copy each time.
      this.#room = Buffer.allocUnsafeSlow(length < MAX_HELD ? 2 * length : length);
      held.copy(this.#room);
    }
    bytes.copy(this.#room, held.length);
    return this.#room.subarray(0, length);
  }

  /** Keeps what follows `start`. */
  hold(bytes: Buffer, start: number): void {
    const rest = bytes.subarray(start);
    const hasRoom = start === 0 && bytes.buffer === this.#room.buffer;
    if (!hasRoom) this.#room = NOTHING;
    // A few bytes are not to keep the many alive that they came with.
    this.#held = rest.length < start ? copyOf(rest) : rest;
    if (rest.length > MAX_HELD) this.pause();
  }

  /** Gives what is held, and lets go of it. */
  take(): Buffer {
    const held = this.#held;
    this.#held = NOTHING;
    return held;
  }

  /** Frees the room for more when nothing is held. */
  settle(): void {
    if (this.isEmpty) this.#room = NOTHING;
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

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
