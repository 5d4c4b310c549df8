import { CR, isBlank, isOf, LF, VALUE as TEXT, TOKEN } from "./characters.ts";

/**
 * The states of `ChunkLines`: the element that it expects next in the lines around the data (RFC 9112, section 7.1).
 */
const SIZE = 0;
/** White space after a size or after the value of an extension. A semicolon must follow, which begins an extension. */
const BEFORE_EXTENSION = 1;
const EXTENSION = 2;
const EXTENSION_NAME = 3;
/** White space after the name of an extension. "=" or a semicolon must follow. */
const AFTER_EXTENSION_NAME = 4;
const VALUE = 5;
const TOKEN_VALUE = 6;
const QUOTED_VALUE = 7;
const ESCAPED = 8;
const AFTER_QUOTED_VALUE = 9;
const SIZE_LF = 10;
const DATA_CR = 11;
const DATA_LF = 12;
const TRAILER = 13;
const TRAILER_NAME = 14;
const TRAILER_VALUE = 15;
const TRAILER_LF = 16;
const LAST_LF = 17;

const QUOTE = 0x22;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** The maximum hexadecimal digits of a chunk size, and the maximum bytes of all extensions and trailers of a body. */
const MAX_DIGITS = 12;
const MAX_OVERHEAD = 16 * 1024;

/**
 * Fields that are not allowed as trailers (RFC 9110, section 6.5.1), because a proxy could merge them into the head:
 * fields that frame, route or modify the request, identify its sender, or say how its body is read. Fields whose names
 * begin with "if-" are forbidden too.
 */
const forbiddenTrailers = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["content-encoding", "content-length", "content-range", "content-type", "upgrade", "host"],
  ...["cache-control", "expect", "max-forwards", "pragma", "range"],
  ...["authorization", "proxy-authorization", "cookie", "set-cookie"],
  ...["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"],
]);
const LONGEST_FORBIDDEN = Math.max(...[...forbiddenTrailers].map(({ length }) => length));

/**
 * Parses the lines around the data of one chunked body, byte by byte: chunk sizes, extensions and trailers. Accepts
 * only what RFC 9112, section 7.1 allows. The content of extensions and trailers is ignored.
 */
export class ChunkLines {
  /**
   * The number of data bytes that follow the last byte that was read. `read` must be called next with the byte after
   * these data.
   */
  dataLength = 0;
  /** Whether the body has ended. */
  isComplete = false;

  #state = SIZE;
  #size = 0;
  #digits = 0;
  #overhead = 0;
  /** The beginning of the current trailer's name, in lower case: long enough to recognize a forbidden name. */
  #trailer = "";

  /** Reads the next byte. Returns false if this byte is not allowed at this position. */
  read(byte: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#readSize(byte);
      case SIZE_LF:
        if (byte !== LF) return false;
        this.dataLength = this.#size;
        return this.#enter(this.#size === 0 ? TRAILER : DATA_CR);
      case DATA_CR:
        this.dataLength = 0;
        return byte === CR && this.#enter(DATA_LF);
      case DATA_LF:
        this.#digits = 0;
        return byte === LF && this.#enter(SIZE);
      case TRAILER:
        if (byte === CR) return this.#enter(LAST_LF);
        this.#trailer = "";
        return this.#readTrailerName(byte);
      case TRAILER_NAME:
        if (byte === COLON) return this.#endTrailerName();
        return this.#readTrailerName(byte);
      case TRAILER_VALUE:
        if (byte === CR) return this.#enter(TRAILER_LF);
        return isOf(byte, TEXT) && this.#pass(TRAILER_VALUE);
      case TRAILER_LF:
        return byte === LF && this.#enter(TRAILER);
      case LAST_LF:
        this.isComplete = byte === LF;
        return this.isComplete;
      default:
        return this.#readExtension(byte);
    }
  }

  #readSize(byte: number): boolean {
    const digit = digitOf(byte);
    if (digit >= 0) {
      this.#size = this.#digits === 0 ? digit : this.#size * 16 + digit;
      return ++this.#digits <= MAX_DIGITS;
    }
    return this.#digits > 0 && this.#endPart(byte);
  }

  /** Reads the byte after a size or an extension. It ends the line or begins another extension. */
  #endPart(byte: number): boolean {
    if (byte === CR) return this.#enter(SIZE_LF);
    if (byte === SEMICOLON) return this.#pass(EXTENSION);
    return isBlank(byte) && this.#pass(BEFORE_EXTENSION);
  }

  #readExtension(byte: number): boolean {
    switch (this.#state) {
      case BEFORE_EXTENSION:
        if (byte === SEMICOLON) return this.#pass(EXTENSION);
        return isBlank(byte) && this.#pass(BEFORE_EXTENSION);
      case EXTENSION:
        if (isBlank(byte)) return this.#pass(EXTENSION);
        return isOf(byte, TOKEN) && this.#pass(EXTENSION_NAME);
      case EXTENSION_NAME:
        if (isOf(byte, TOKEN)) return this.#pass(EXTENSION_NAME);
        if (byte === EQUALS) return this.#pass(VALUE);
        if (isBlank(byte)) return this.#pass(AFTER_EXTENSION_NAME);
        return this.#endPart(byte);
      case AFTER_EXTENSION_NAME:
        if (byte === EQUALS) return this.#pass(VALUE);
        if (byte === SEMICOLON) return this.#pass(EXTENSION);
        return isBlank(byte) && this.#pass(AFTER_EXTENSION_NAME);
      case VALUE:
        if (isBlank(byte)) return this.#pass(VALUE);
        if (byte === QUOTE) return this.#pass(QUOTED_VALUE);
        return isOf(byte, TOKEN) && this.#pass(TOKEN_VALUE);
      case TOKEN_VALUE:
        return isOf(byte, TOKEN) ? this.#pass(TOKEN_VALUE) : this.#endPart(byte);
      case QUOTED_VALUE:
        if (byte === QUOTE) return this.#pass(AFTER_QUOTED_VALUE);
        if (byte === BACKSLASH) return this.#pass(ESCAPED);
        return isOf(byte, TEXT) && this.#pass(QUOTED_VALUE);
      case ESCAPED:
        return isOf(byte, TEXT) && this.#pass(QUOTED_VALUE);
      default:
        return this.#endPart(byte);
    }
  }

  #readTrailerName(byte: number): boolean {
    if (!isOf(byte, TOKEN)) return false;
    if (this.#trailer.length <= LONGEST_FORBIDDEN) {
      this.#trailer += String.fromCharCode(byte).toLowerCase();
    }
    return this.#pass(TRAILER_NAME);
  }

  #endTrailerName(): boolean {
    const isForbidden = forbiddenTrailers.has(this.#trailer) || this.#trailer.startsWith("if-");
    return !isForbidden && this.#pass(TRAILER_VALUE);
  }

  #enter(state: number): true {
    this.#state = state;
    return true;
  }

  /** Counts a byte of an extension or a trailer and enters `state`. Returns false if there are too many such bytes. */
  #pass(state: number): boolean {
    this.#state = state;
    return ++this.#overhead <= MAX_OVERHEAD;
  }
}

/** Returns the value of a hexadecimal digit; -1 for any other byte. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
