import { unpooledCopy } from "./unpooled.ts";

/** Small pieces share blocks of at least `MIN_BLOCK` and at most `MAX_BLOCK` bytes. */
const MIN_BLOCK = 1024;
const MAX_BLOCK = 64 * 1024;
/** A piece with fewer bytes than this is copied in a loop, which is faster than calling `set`. */
const FEW = 16;

/** Collects bytes that arrive in pieces. Copies each one: a reference could keep a much larger buffer in memory. */
export class ByteCollector {
  length = 0;
  readonly #blocks: Buffer[] = [];
  #last: Buffer = NOTHING;
  /** The number of bytes used in the last block. */
  #filled = 0;

  /** The number of allocated bytes: at most `length` + 64 KiB, and at most twice `length` + 1 KiB. */
  get allocated(): number {
    let bytes = 0;
    for (const block of this.#blocks) bytes += block.length;
    return bytes;
  }

  /** Adds the bytes from `start` to `end`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.length += end - start;
    let at = start;
    while (at < end) {
      if (this.#filled === this.#last.length) this.#addBlock(end - at);
      const count = Math.min(end - at, this.#last.length - this.#filled);
      this.#fill(bytes, at, count);
      at += count;
    }
  }

  /** Returns all bytes and clears the collection. */
  take(): Uint8Array {
    const last = this.#last.subarray(0, this.#filled);
    const before = this.#blocks.slice(0, -1);
    const whole = before.length === 0 ? last : unpooledCopy(...before, last);
    this.clear();
    return whole;
  }

  clear(): void {
    this.length = 0;
    this.#blocks.length = 0;
    this.#last = NOTHING;
    this.#filled = 0;
  }

  #fill(bytes: Uint8Array, start: number, count: number): void {
    const to = this.#last;
    const at = this.#filled;
    if (count < FEW) for (let i = 0; i < count; i++) to[at + i] = bytes[start + i] as number;
    else to.set(bytes.subarray(start, start + count), at);
    this.#filled += count;
  }

  #addBlock(needed: number): void {
    const collected = this.length - needed;
    const usual = Math.min(Math.max(collected, MIN_BLOCK), MAX_BLOCK);
    this.#last = Buffer.allocUnsafeSlow(Math.max(usual, needed));
    this.#blocks.push(this.#last);
    this.#filled = 0;
  }
}

const NOTHING = Buffer.alloc(0);
