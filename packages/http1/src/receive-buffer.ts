import type { Transport } from "./transport.ts";
import { unpooledCopy } from "./unpooled.ts";

/** The number of unread bytes above which receiving pauses. */
export const MAX_BUFFERED = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** The received but unread bytes of a connection. If there are more than `MAX_BUFFERED`, receiving pauses. */
export class ReceiveBuffer {
  readonly #transport: Transport;
  #unread: Buffer = NOTHING;
  /** A buffer that begins with the bytes of `#unread` and has room for more; empty if there is no such buffer. */
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
      // The room is doubled, so that bytes which arrive one by one do not cause a new copy each time.
      this.#room = Buffer.allocUnsafeSlow(length < MAX_BUFFERED ? 2 * length : length);
      unread.copy(this.#room);
    }
    bytes.copy(this.#room, unread.length);
    return this.#room.subarray(0, length);
  }

  /** Stores the part of `bytes` from `start` on as the unread bytes. */
  keep(bytes: Buffer, start: number): void {
    const rest = bytes.subarray(start);
    const hasRoom = start === 0 && bytes.buffer === this.#room.buffer;
    if (!hasRoom) this.#room = NOTHING;
    // A small rest is copied, because a reference would keep the whole received buffer in memory.
    this.#unread = rest.length < start ? unpooledCopy(rest) : rest;
    if (rest.length > MAX_BUFFERED) this.pause();
  }

  /** Returns the unread bytes and removes them. */
  take(): Buffer {
    const unread = this.#unread;
    this.#unread = NOTHING;
    return unread;
  }

  /** Frees the allocated buffer if there are no unread bytes. */
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
