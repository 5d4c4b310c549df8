import { ByteCollector } from "./byte-collector.ts";
import { ChunkLines } from "./chunk-lines.ts";
import { BodyError, type MayBuffer } from "./http-types.ts";
import type { RequestHead } from "./request-head.ts";

/** The result of `feed` for a malformed body. */
export const MALFORMED = -1;

/**
 * The maximum work for one body in one turn of the event loop, in units. Each byte of the lines around the data counts
 * as one unit, because it is parsed. Each piece of data counts as 8 units, plus one for every 16 bytes, because data
 * are only copied. So a turn reads at most 32 KiB of lines or 512 KiB of data; both take some tenths of a millisecond.
 */
const WORK_PER_TURN = 32 * 1024;
const WORK_PER_PIECE = 8;
const BYTES_PER_UNIT = 16;

interface Reader {
  readonly limit: number;
  readonly mayBuffer: MayBuffer | undefined;
  readonly resolve: (body: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The body of a connection's current request; the same object is used for one request after the other. Collects the
 * bytes until the handler reads them, or drops those of a skipped body.
 */
export class RequestBody {
  /** Whether the whole body has arrived, or there is none. */
  isComplete = true;
  /** The number of data bytes that have arrived. */
  received = 0;

  /** The number of data bytes that are missing until the end of the body or of the current chunk. */
  #left = 0;
  /** Parses the lines around the data of a chunked body; `undefined` for a body with `Content-Length`. */
  #lines: ChunkLines | undefined;
  /** The whole body, if it arrived in one piece. It is not copied, and refers to the received buffer. */
  #whole: Uint8Array | undefined;
  readonly #collected = new ByteCollector();
  #isSkipped = false;
  #error: BodyError | undefined;
  #reader: Reader | undefined;
  #work = 0;

  /** Prepares this object for the body of the request with this head. */
  begin({ isChunked, contentLength }: RequestHead): void {
    this.isComplete = !isChunked && contentLength === 0;
    if (this.isComplete && this.received === 0) return;
    this.received = 0;
    this.#lines = isChunked ? new ChunkLines() : undefined;
    this.#left = contentLength;
    this.#whole = undefined;
    this.#collected.clear();
    this.#isSkipped = false;
    this.#error = undefined;
  }

  /** Whether the work of this turn is used up. If so, `feed` reads nothing until `beginTurn` is called. */
  get isTired(): boolean {
    return this.#work >= WORK_PER_TURN;
  }

  beginTurn(): void {
    this.#work = 0;
  }

  /** The number of bytes that are allocated for collected data. Buffers that were passed to `feed` do not count. */
  get allocated(): number {
    return this.#collected.allocated;
  }

  /**
   * Reads the bytes from `start` on that belong to the body, until the work of this turn is used up. Returns the
   * position after the bytes that were read, or `MALFORMED`. After `MALFORMED`, `feed` must not be called again.
   */
  feed(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && !this.isComplete && !this.isTired) {
      if (this.#left > 0) {
        const end = Math.min(bytes.length, at + this.#left);
        this.#work += WORK_PER_PIECE + (end - at) / BYTES_PER_UNIT;
        this.#left -= end - at;
        this.#take(bytes, at, end);
        at = end;
      } else {
        this.#work++;
        if (!this.#readLines(bytes[at++] as number)) {
          this.fail(new BodyError("malformed"));
          return MALFORMED;
        }
      }
    }
    return at;
  }

  /** Resolves to the whole body, or to `undefined` as soon as it is longer than `limit` bytes. Rejects with `BodyError`. */
  read(limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#reader = { limit, mayBuffer, resolve, reject };
      if (this.#error !== undefined) reject(this.#error);
      else this.#settle();
    });
  }

  /** Whether a handler waits for the body. */
  get isAwaited(): boolean {
    return this.#reader !== undefined;
  }

  /** Drops the bytes of the body that have arrived, and those that will arrive. */
  skip(): void {
    this.#isSkipped = true;
    this.#whole = undefined;
    this.#collected.clear();
  }

  /** Rejects a waiting or later `read` with `error`, and drops the body. */
  fail(error: BodyError): void {
    if (this.isComplete) return;
    this.#error = error;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.skip();
  }

  #take(bytes: Buffer, start: number, end: number): void {
    const isFirst = this.received === 0;
    this.received += end - start;
    const isLast = this.#lines === undefined && this.#left === 0;
    if (!this.#isSkipped) {
      if (isFirst && isLast) this.#whole = bytes.subarray(start, end);
      else this.#collected.add(bytes, start, end);
    }
    if (isLast) this.#complete();
    else if (this.#reader !== undefined) this.#settle();
  }

  /** Reads one byte of the lines around the data. Returns false if this byte is not allowed at this position. */
  #readLines(byte: number): boolean {
    const lines = this.#lines;
    if (!lines?.read(byte)) return false;
    if (lines.isComplete) this.#complete();
    this.#left = lines.dataLength;
    return true;
  }

  #complete(): void {
    this.isComplete = true;
    this.#settle();
  }

  /** Settles the waiting `read` if the body is complete, is too long, or may not be buffered. */
  #settle(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const isTooLong = this.received > reader.limit;
    if (isTooLong || this.isComplete) {
      this.#reader = undefined;
      const body = isTooLong ? undefined : (this.#whole ?? this.#collected.take());
      this.skip();
      reader.resolve(body);
    } else if (reader.mayBuffer?.(this.received) === false) this.fail(new BodyError("crowded"));
  }
}
