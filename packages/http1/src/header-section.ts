import { CR, HOST, isBlank, isOf, isText, LF, TOKEN, VALUE } from "./characters.ts";
import { Rejection } from "./rejection.ts";

/** The result of `HeaderSection.read` and `RequestHead.parse` if they need more bytes. */
export const INCOMPLETE = 0;
/** The result of `HeaderSection.read` if there are more fields than allowed. */
export const TOO_MANY = -2;

const COLON = 0x3a;
const NOTHING = Buffer.alloc(0);
/** The maximum length of a value that is kept for the next requests, in characters. */
const MAX_RECENT_VALUE = 64;

/** The stages of `HeaderSection.read`: the part of a header line that it is reading. */
const LINE_START = 0;
const NAME = 1;
const VALUE_START = 2;
const IN_VALUE = 3;

/**
 * The header fields of a connection's current request; the same object is used for one request after the other. The
 * fields are read in one pass. A value is converted to text only when `get` asks for it, because most values are never
 * needed. All positions are relative to the start of the head, because an incomplete head may be copied to another
 * buffer.
 */
export class HeaderSection {
  #bytes: Buffer = NOTHING;
  #start = 0;
  #stage = LINE_START;
  #progress = 0;
  /** Four positions for each field: the start and end of its name, and the start and end of its value. */
  readonly #positions: number[] = [];
  #count = 0;
  /** The lengths of all names, one bit each. A name whose length has no bit is absent, as in most look-ups. */
  #lengths = 0;
  /** Short values as text, by field. They are kept because most requests of a connection have the same values. */
  readonly #recentValues: (string | undefined)[] = [];

  /** Removes the fields of the previous request. The next `read` begins at the position `from` of the head. */
  begin(from: number): void {
    this.#stage = LINE_START;
    this.#progress = from;
    this.#count = this.#lengths = 0;
  }

  /** Removes everything, including the values that are kept for the next requests. */
  clear(): void {
    this.#bytes = NOTHING;
    this.begin(0);
    this.#positions.length = 0;
    this.#recentValues.length = 0;
  }

  /**
   * Reads the header lines of a head that begins at `start`, at most to `end`. Continues where the last call stopped.
   * Returns the position after the empty line, `INCOMPLETE` if bytes are missing, or `TOO_MANY` if there are more than
   * `maxFields` fields. After `INCOMPLETE` and `TOO_MANY` it can be called again, with more bytes or a higher maximum.
   * Throws `Rejection` if a line is malformed.
   */
  read(bytes: Buffer, start: number, end: number, maxFields: number): number {
    const positions = this.#positions;
    let stage = this.#stage;
    let place = this.#count * 4;
    let at = start + this.#progress;
    for (;;) {
      if (stage === LINE_START) {
        if (at === end) return this.#stopAt(LINE_START, at - start);
        if (bytes[at] === CR) {
          if (at + 1 === end) return this.#stopAt(LINE_START, at - start);
          if (bytes[at + 1] !== LF) throw new Rejection(400, "A line does not end with CR LF.");
          this.#bytes = bytes;
          this.#start = start;
          return at + 2;
        }
        positions[place] = at - start;
        stage = NAME;
      }
      if (stage === NAME) {
        while (at < end && isOf(bytes[at] as number, TOKEN)) at++;
        if (at === end) return this.#stopAt(NAME, at - start);
        // This check also rejects a line that continues the previous one, and a space before the colon.
        if (bytes[at] !== COLON || at - start === positions[place]) {
          throw new Rejection(400, "A header line is not a name, a colon and a value.");
        }
        positions[place + 1] = at++ - start;
        stage = VALUE_START;
      }
      if (stage === VALUE_START) {
        while (at < end && isBlank(bytes[at] as number)) at++;
        if (at === end) return this.#stopAt(VALUE_START, at - start);
        positions[place + 2] = at - start;
        stage = IN_VALUE;
      }
      while (at < end && isOf(bytes[at] as number, VALUE)) at++;
      if (at < end && bytes[at] !== CR) throw invalidValue();
      if (at + 1 >= end) return this.#stopAt(IN_VALUE, at - start);
      if (bytes[at + 1] !== LF) throw invalidValue();
      this.#endField(bytes, start, at, place);
      at += 2;
      place += 4;
      stage = LINE_START;
      if (this.#count > maxFields) {
        this.#stopAt(LINE_START, at - start);
        return TOO_MANY;
      }
    }
  }

  /** Stores where a value ends. The line ends at `at`; white space before `at` does not belong to the value. */
  #endField(bytes: Buffer, start: number, at: number, place: number): void {
    const positions = this.#positions;
    const valueStart = start + (positions[place + 2] as number);
    let valueEnd = at;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
    positions[place + 3] = valueEnd - start;
    this.#lengths |= bitOf((positions[place + 1] as number) - (positions[place] as number));
    this.#count++;
  }

  #stopAt(stage: number, progress: number): typeof INCOMPLETE {
    this.#stage = stage;
    this.#progress = progress;
    return INCOMPLETE;
  }

  /**
   * Returns the value of the field `name` (in lower case) with one character per byte, or `null` if there is no such
   * field. The values of several fields are joined by ", ", or by "; " for cookies (RFC 6265bis, section 5.8.3 and RFC
   * 9113, section 8.2.3).
   */
  get(name: string): string | null {
    if ((this.#lengths & bitOf(name.length)) === 0) return null;
    let joined: string | null = null;
    for (let place = 0; place < this.#count * 4; place += 4) {
      if (!this.#isNamed(place, name)) continue;
      const value = this.#valueAt(place);
      joined = joined === null ? value : `${joined}${name === "cookie" ? "; " : ", "}${value}`;
    }
    return joined;
  }

  /** Returns how many fields have the name. */
  count(name: string): number {
    if ((this.#lengths & bitOf(name.length)) === 0) return 0;
    let count = 0;
    for (let place = 0; place < this.#count * 4; place += 4) if (this.#isNamed(place, name)) count++;
    return count;
  }

  /** Returns whether `Host` has only characters that a host may have. Handlers decide which hosts are served. */
  hasValidHost(): boolean {
    for (let place = 0; place < this.#count * 4; place += 4) {
      if (!this.#isNamed(place, "host")) continue;
      const end = this.#start + (this.#positions[place + 3] as number);
      for (let at = this.#start + (this.#positions[place + 2] as number); at < end; at++) {
        if (!isOf(this.#bytes[at] as number, HOST)) return false;
      }
    }
    return true;
  }

  #isNamed(place: number, name: string): boolean {
    const start = this.#positions[place] as number;
    const { length } = name;
    if ((this.#positions[place + 1] as number) - start !== length) return false;
    for (let i = 0; i < length; i++) {
      const byte = this.#bytes[this.#start + start + i] as number;
      const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
      if (lower !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #valueAt(place: number): string {
    const start = this.#start + (this.#positions[place + 2] as number);
    const end = this.#start + (this.#positions[place + 3] as number);
    const recent = this.#recentValues[place / 4];
    // Comparing the bytes is faster than creating a string, and leaves no garbage.
    if (recent !== undefined && isText(this.#bytes, start, end, recent)) return recent;
    const value = this.#bytes.toString("latin1", start, end);
    if (value.length <= MAX_RECENT_VALUE) this.#recentValues[place / 4] = value;
    return value;
  }
}

function bitOf(length: number): number {
  return 1 << (length & 31);
}

function invalidValue(): Rejection {
  return new Rejection(400, "The value of a header contains a control character.");
}
