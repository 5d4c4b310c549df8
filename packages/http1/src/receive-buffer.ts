import type { Transport } from "./transport.ts";
import { unpooledCopy } from "./unpooled.ts";

/** The number of unread bytes above which receiving pauses. */
export const MAX_BUFFERED = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** The bytes that a connection has received and not read yet. Receiving pauses while there are too many. */
export class ReceiveBuffer {
  readonly #transport: Transport;
  #unread: Buffer = NOTHING;
  /** The allocation that begins with `#unread`, if there is room after it. */
  #room: Buffer = NOTHING;
  #isPaused = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get isEmpty(): boolean {
    return this.#unread.length === 0;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Returns the unread bytes followed by `bytes`. */
  with(bytes: Buffer): Buffer {
    if (this.isEmpty) return bytes;
    const unread = this.#unread;
    const length = unread.length + bytes.length;
    if (length > this.#room.length) {
      // Bytes that arrive one by one must not cause a new copy each time.
      this.#room = Buffer.allocUnsafeSlow(length < MAX_BUFFERED ? 2 * length : length);
      unread.copy(this.#room);
    }
    bytes.copy(this.#room, unread.length);
    return this.#room.subarray(0, length);
  }

  /** Keeps the bytes from `start` on as the unread ones. */
  keep(bytes: Buffer, start: number): void {
    const rest = bytes.subarray(start);
    const hasRoom = start === 0 && bytes.buffer === this.#room.buffer;
    if (!hasRoom) this.#room = NOTHING;
    // A few bytes must not pin the many with which they arrived.
    this.#unread = rest.length < start ? unpooledCopy(rest) : rest;
    if (rest.length > MAX_BUFFERED) this.pause();
  }

  /** Returns the unread bytes and removes them. */
  take(): Buffer {
    const unread = this.#unread;
    this.#unread = NOTHING;
    return unread;
  }

  /** Frees the room after the unread bytes if there are none. */
  trim(): void {
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
