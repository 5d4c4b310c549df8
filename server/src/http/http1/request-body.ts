import type { RequestHead } from "./request-head.ts";

/** The body ended before it was complete: the client has gone, or was cut off for being slow. */
export class BrokenOff extends Error {
  override readonly name = "BrokenOff";
}

/** What `feed` gives for what is no body. */
export const MALFORMED = -1;

/** The states of a body in chunks (RFC 9112, section 7.1): what comes next. */
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER = 6;
const TRAILER_LINE = 7;
const TRAILER_LF = 8;
const LAST_LF = 9;
/** What may stand between a size and its end, or its extensions. */
const AFTER_SIZE = 10;

const LF = 0x0a;
const CR = 0x0d;
const SEMICOLON = 0x3b;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
/** Hexadecimal digits of a chunk's size, and bytes of extensions and trailers in all, at the most. */
const MAX_DIGITS = 12;
const MAX_OVERHEAD = 16 * 1024;

interface Reader {
  readonly limit: number;
  readonly resolve: (body: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The body of the request that a connection is about; the same object serves one after the other. It is
 * fed with what arrives, and keeps it for whoever asks, until it is to be skipped.
 */
export class RequestBody {
  /** Whether all of it has arrived, or there is none. */
  isComplete = true;
  /** How much of it has arrived, in bytes. */
  received = 0;

  #state = DATA;
  /** Bytes of data until the body, or the chunk, ends. */
  #left = 0;
  #isChunked = false;
  #digits = 0;
  #overhead = 0;
  /** Whether the trailer at hand has come past its name. */
  #isNamed = false;
  #pieces: Uint8Array[] = [];
  #isSkipped = false;
  #broken: Error | undefined;
  #reader: Reader | undefined;

  /** Begins the body that a head announces. */
  begin({ isChunked, contentLength }: RequestHead): void {
    this.isComplete = !isChunked && contentLength === 0;
    if (this.isComplete && this.received === 0) return;
    this.received = 0;
    this.#isChunked = isChunked;
    this.#left = contentLength;
    this.#state = isChunked ? SIZE : DATA;
    this.#digits = 0;
    this.#overhead = 0;
    this.#pieces = [];
    this.#isSkipped = false;
    this.#broken = undefined;
  }

  /**
   * Takes what belongs to the body from `bytes`, from `start` on. Gives the place after it, or `MALFORMED`:
   * then nothing more is to be fed to it.
   */
  feed(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && !this.isComplete) {
      if (this.#state === DATA) {
        const end = Math.min(bytes.length, at + this.#left);
        this.#take(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#endData();
      } else if (!this.#step(bytes[at++] as number)) {
        this.fail(new BrokenOff("The chunks of the body are malformed."));
        return MALFORMED;
      }
    }
    return at;
  }

  /** The whole body, or `undefined` as soon as it is longer than `limit` bytes. Rejects `BrokenOff`. */
  read(limit: number): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#reader = { limit, resolve, reject };
      if (this.#broken !== undefined) reject(this.#broken);
      else this.#tell();
    });
  }

  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.#reader !== undefined;
  }

  /** Lets what arrived, and what still comes of it, pass by. */
  skip(): void {
    this.#isSkipped = true;
    this.#pieces = [];
  }

  /** Nothing comes any more. */
  fail(error: Error): void {
    if (this.isComplete) return;
    this.#broken = error;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.skip();
  }

  #take(data: Uint8Array): void {
    this.received += data.length;
    if (this.#isSkipped) return;
    this.#pieces.push(data);
    if (this.#reader !== undefined && this.received > this.#reader.limit) this.#tell();
  }

  #endData(): void {
    if (this.#isChunked) this.#state = DATA_CR;
    else this.#complete();
  }

  #complete(): void {
    this.isComplete = true;
    this.#tell();
  }

  /** Tells whoever waits, if there is something to tell. */
  #tell(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const isTooLong = this.received > reader.limit;
    if (!isTooLong && !this.isComplete) return;
    this.#reader = undefined;
    const [first, ...others] = this.#pieces;
    const whole = others.length === 0 ? first : Buffer.concat(this.#pieces);
    this.skip();
    reader.resolve(isTooLong ? undefined : (whole ?? new Uint8Array()));
  }

  /** One byte of what is around the data; false when it cannot stand there. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#stepInSize(byte);
      case AFTER_SIZE:
        if (isBlank(byte)) return this.#passOver(byte);
        return this.#endSize(byte);
      case EXTENSION:
        return byte === CR ? this.#enter(SIZE_LF) : this.#passOver(byte);
      case SIZE_LF:
        if (byte !== LF) return false;
        return this.#enter(this.#left === 0 ? TRAILER : DATA);
      case DATA_CR:
        return byte === CR && this.#enter(DATA_LF);
      case DATA_LF:
        this.#digits = 0;
        return byte === LF && this.#enter(SIZE);
      case TRAILER:
        if (byte === CR) return this.#enter(LAST_LF);
        this.#isNamed = false;
        // A trailer begins with its name.
        return (
          !isBlank(byte) && byte !== COLON && this.#enter(TRAILER_LINE) && this.#passOver(byte)
        );
      case TRAILER_LINE:
        if (byte === CR) return this.#isNamed && this.#enter(TRAILER_LF);
        this.#isNamed ||= byte === COLON;
        return this.#passOver(byte);
      case TRAILER_LF:
        return byte === LF && this.#enter(TRAILER);
      default:
        if (byte !== LF) return false;
        this.#complete();
        return true;
    }
  }

  #stepInSize(byte: number): boolean {
    const digit = digitOf(byte);
    if (digit >= 0) {
      this.#left = this.#digits === 0 ? digit : this.#left * 16 + digit;
      return ++this.#digits <= MAX_DIGITS;
    }
    if (this.#digits === 0) return false;
    return isBlank(byte) ? this.#enter(AFTER_SIZE) : this.#endSize(byte);
  }

  #endSize(byte: number): boolean {
    if (byte === CR) return this.#enter(SIZE_LF);
    return byte === SEMICOLON && this.#enter(EXTENSION);
  }

  #enter(state: number): true {
    this.#state = state;
    return true;
  }

  /** Extensions and trailers mean nothing here; they may not hide the end of a line in themselves. */
  #passOver(byte: number): boolean {
    const isText = (byte >= SPACE && byte !== 0x7f) || byte === TAB;
    return isText && ++this.#overhead <= MAX_OVERHEAD;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** The value of a hexadecimal digit, -1 of anything else. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
