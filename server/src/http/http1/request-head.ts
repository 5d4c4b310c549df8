/*
 * The head of a request, as RFC 9112 has it, read strictly: what two programs could read in two ways
 * is refused (section 11.2). Everything is found in one pass over the bytes; nothing becomes text
 * before somebody asks for it, as most of it nobody asks for.
 */

/** `parse` has found no end yet: more bytes are needed. */
export const INCOMPLETE = 0;
/** What `parse` gives for a request that is refused; why is in `fault`. */
export const REFUSED = -1;

/** How long a head is at the most, in bytes, and how many fields it may have. */
export const MAX_HEAD = 16 * 1024;
const MAX_FIELDS = 128;
/** The longest value that is kept for the next request. */
const MAX_KEPT_VALUE = 64;

/** Why a request is refused before anybody sees it. */
export interface HeadFault {
  readonly status: 400 | 408 | 417 | 431 | 501 | 505;
  /** A sentence for whoever sent it. */
  readonly detail: string;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

/** What a byte may be part of. */
const TOKEN = 1;
const TARGET = 2;
const VALUE = 4;
const HOST = 8;

/** Bytes from 0x80 on are let through in targets too: clients send UTF-8 there, and it harms nobody. */
const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
  const isToken = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)) && byte < 0x80;
  const isTarget = byte > SPACE && byte !== 0x7f;
  const isValue = byte >= SPACE || byte === TAB;
  const isHost = /[\w.~!$&'()*+,;=%:@[\]-]/.test(String.fromCharCode(byte)) && byte < 0x80;
  return (
    (isToken ? TOKEN : 0) | (isTarget ? TARGET : 0) | (isValue ? VALUE : 0) | (isHost ? HOST : 0)
  );
});

/** How a version begins: "0" or "1" is to follow. */
const VERSION = Buffer.from("HTTP/1.");

/**
 * The head of the request that a connection is about; the same object serves one after the other. It
 * holds on to the bytes that were parsed last, which nobody may change meanwhile.
 */
export class RequestHead {
  method = "";
  /** Whether the connection may be used for another request (RFC 9112, section 9.3). */
  isKeptAlive = true;
  /** 0 of HTTP/1.0. */
  minorVersion = 1;
  isChunked = false;
  /** Bytes of the body; 0 without one, and while it `isChunked`. */
  contentLength = 0;
  /** Whether the client waits for `100 Continue` before it sends its body. */
  expectsContinue = false;
  /** Why the last request was `REFUSED`. */
  fault: HeadFault = { status: 400, detail: "" };

  #bytes: Buffer = NOTHING;
  #targetStart = 0;
  #targetEnd = 0;
  /** Where names and values start and end, four places a field. */
  readonly #places: number[] = [];
  #fields = 0;
  /** Which lengths of names there are, a bit each: most questions are about fields that are absent. */
  #lengths = 0;
  /** Short values that were asked for, by field: the requests of one connection have them in common. */
  readonly #asked: (string | undefined)[] = [];

  /**
   * Reads a head that starts at `start`. Gives the place after it, `INCOMPLETE`, or `REFUSED`; what is
   * no request is refused as soon as that is certain.
   */
  parse(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + MAX_HEAD);
    const next = this.#read(bytes, start, end);
    if (next !== INCOMPLETE) return next;
    return end - start < MAX_HEAD ? INCOMPLETE : this.#refuse(431, "The head is too long.");
  }

  /** The target of the request, a character a byte. */
  get target(): string {
    return this.#bytes.toString("latin1", this.#targetStart, this.#targetEnd);
  }

  /**
   * The value of a field, a character a byte; those of several fields are joined by ", ". `null` when
   * there is none. `name` is in lower case.
   */
  header(name: string): string | null {
    if ((this.#lengths & (1 << (name.length & 31))) === 0) return null;
    let value: string | null = null;
    for (let at = 0; at < this.#fields * 4; at += 4) {
      if (!this.#isNamed(at, name)) continue;
      const one = this.#valueAt(at);
      value = value === null ? one : `${value}, ${one}`;
    }
    return value;
  }

  /** How many bytes it holds on to. */
  get size(): number {
    return this.#bytes.length;
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.#bytes = NOTHING;
    this.#targetStart = this.#targetEnd = this.#fields = this.#lengths = 0;
    this.#asked.length = 0;
  }

  #read(bytes: Buffer, start: number, end: number): number {
    // Of a request that gets no further, nobody is to think that it was like the one before.
    this.method = "";
    this.minorVersion = 1;
    let at = start;
    while (at < end && isOf(bytes[at] as number, TOKEN)) at++;
    if (at === end) return INCOMPLETE;
    // The first half of a blank line.
    if (at === start && end - start === 1 && bytes[at] === CR) return INCOMPLETE;
    if (bytes[at] !== SPACE || at === start) return this.#noLine();
    this.method = methodIn(bytes, start, at);
    const targetStart = ++at;
    while (at < end && isOf(bytes[at] as number, TARGET)) at++;
    if (at === end) return INCOMPLETE;
    if (bytes[at] !== SPACE || at === targetStart) return this.#noLine();
    this.#targetStart = targetStart;
    this.#targetEnd = at;
    const afterLine = this.#readVersion(bytes, at + 1, end);
    if (afterLine <= INCOMPLETE) return afterLine;
    const next = this.#readFields(bytes, afterLine, end);
    if (next <= INCOMPLETE) return next;
    this.#bytes = bytes;
    return this.#isSound() ? next : REFUSED;
  }

  /** The rest of the first line: a version, and its end. */
  #readVersion(bytes: Buffer, start: number, end: number): number {
    for (let i = 0; i < VERSION.length; i++) {
      if (start + i === end) return INCOMPLETE;
      if (bytes[start + i] === VERSION[i]) continue;
      return i >= VERSION.length - 2 ? this.#otherVersion() : this.#noLine();
    }
    const at = start + VERSION.length;
    if (at + 2 >= end) return INCOMPLETE;
    const minor = (bytes[at] as number) - 0x30;
    if (minor !== 0 && minor !== 1) return this.#otherVersion();
    if (bytes[at + 1] !== CR || bytes[at + 2] !== LF) return this.#noLine();
    this.minorVersion = minor;
    return at + 3;
  }

  #readFields(bytes: Buffer, start: number, end: number): number {
    const places = this.#places;
    let count = 0;
    let lengths = 0;
    let at = start;
    for (;;) {
      if (at === end) return INCOMPLETE;
      if (bytes[at] === CR) {
        if (at + 1 === end) return INCOMPLETE;
        if (bytes[at + 1] !== LF) return this.#refuse(400, "A line does not end as lines do.");
        this.#fields = count;
        this.#lengths = lengths;
        return at + 2;
      }
      const nameStart = at;
      while (at < end && isOf(bytes[at] as number, TOKEN)) at++;
      if (at === end) return INCOMPLETE;
      const nameEnd = at;
      // Also a line that continues the one before, and a space before the colon.
      if (bytes[at] !== COLON || nameEnd === nameStart) return this.#refuse(400, NO_FIELD);
      at++;
      while (at < end && isBlank(bytes[at] as number)) at++;
      const valueStart = at;
      while (at < end && isOf(bytes[at] as number, VALUE)) at++;
      if (at + 1 >= end) return at < end && bytes[at] !== CR ? this.#noValue() : INCOMPLETE;
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#noValue();
      let valueEnd = at;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
      if (count === MAX_FIELDS) return this.#refuse(431, "The head has too many fields.");
      const place = count * 4;
      places[place] = nameStart;
      places[place + 1] = nameEnd;
      places[place + 2] = valueStart;
      places[place + 3] = valueEnd;
      count++;
      lengths |= 1 << ((nameEnd - nameStart) & 31);
      at += 2;
    }
  }

  /** What the fields say of the request itself, if they say it in one way. */
  #isSound(): boolean {
    return (
      this.#hasOneHost() && this.#readFraming() && this.#readExpectation() && this.#readConnection()
    );
  }

  /** RFC 9112, section 3.2. */
  #hasOneHost(): boolean {
    const hosts = this.#count("host");
    if (hosts === 1) return this.#isHostSound();
    if (hosts === 0 && this.minorVersion === 0) return true;
    this.#refuse(400, hosts === 0 ? "Host is missing." : "Host is there more than once.");
    return false;
  }

  /** Only whether it can be one: which hosts are good is for others to say, and "@" for them to refuse. */
  #isHostSound(): boolean {
    for (let place = 0; place < this.#fields * 4; place += 4) {
      if (!this.#isNamed(place, "host")) continue;
      const end = this.#places[place + 3] as number;
      for (let at = this.#places[place + 2] as number; at < end; at++) {
        if (!isOf(this.#bytes[at] as number, HOST)) return this.#unsound("Host is no host.");
      }
    }
    return true;
  }

  /** Where the body ends (RFC 9112, section 6). */
  #readFraming(): boolean {
    this.isChunked = false;
    this.contentLength = 0;
    const lengths = this.#count("content-length");
    const coding = this.header("transfer-encoding");
    if (coding !== null) return this.#readCoding(coding, lengths);
    if (lengths === 0) return true;
    const length = this.header("content-length") ?? "";
    if (!/^\d{1,15}$/.test(length)) return this.#unsound("Content-Length is no single length.");
    this.contentLength = Number(length);
    return true;
  }

  #readCoding(coding: string, lengths: number): boolean {
    if (lengths > 0) {
      return this.#unsound("Content-Length and Transfer-Encoding contradict each other.");
    }
    if (this.minorVersion === 0) return this.#unsound("HTTP/1.0 has no Transfer-Encoding.");
    this.isChunked = /^chunked$/i.test(coding);
    if (this.isChunked) return true;
    if (!/,\s*chunked$/i.test(coding)) {
      return this.#unsound("The Transfer-Encoding does not tell where the body ends.");
    }
    this.#refuse(501, "No Transfer-Encoding but chunked is known here.");
    return false;
  }

  /** RFC 9110, section 10.1.1. */
  #readExpectation(): boolean {
    const expected = this.header("expect");
    this.expectsContinue = false;
    if (expected === null || this.minorVersion === 0) return true;
    if (!/^100-continue$/i.test(expected)) {
      this.#refuse(417, "Nothing can be expected but 100-continue.");
      return false;
    }
    this.expectsContinue = this.isChunked || this.contentLength > 0;
    return true;
  }

  #readConnection(): boolean {
    const options = this.header("connection");
    this.isKeptAlive =
      this.minorVersion === 1
        ? options === null || !/(?:^|[\s,])close(?:$|[\s,])/i.test(options)
        : options !== null && /(?:^|[\s,])keep-alive(?:$|[\s,])/i.test(options);
    return true;
  }

  #count(name: string): number {
    if ((this.#lengths & (1 << (name.length & 31))) === 0) return 0;
    let count = 0;
    for (let at = 0; at < this.#fields * 4; at += 4) if (this.#isNamed(at, name)) count++;
    return count;
  }

  #isNamed(place: number, name: string): boolean {
    const start = this.#places[place] as number;
    const { length } = name;
    if ((this.#places[place + 1] as number) - start !== length) return false;
    for (let i = 0; i < length; i++) {
      const byte = this.#bytes[start + i] as number;
      const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
      if (lower !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #valueAt(place: number): string {
    const start = this.#places[place + 2] as number;
    const end = this.#places[place + 3] as number;
    const before = this.#asked[place / 4];
    // To compare takes less time than to make a text, and leaves nothing to be collected.
    if (before !== undefined && isText(this.#bytes, start, end, before)) return before;
    const value = this.#bytes.toString("latin1", start, end);
    if (value.length <= MAX_KEPT_VALUE) this.#asked[place / 4] = value;
    return value;
  }

  #noLine(): number {
    return this.#refuse(400, "This is no request line of HTTP/1.1.");
  }

  #otherVersion(): number {
    return this.#refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here.");
  }

  #noValue(): number {
    return this.#refuse(400, "A field's value contains what no value may contain.");
  }

  #unsound(detail: string): false {
    this.#refuse(400, detail);
    return false;
  }

  #refuse(status: HeadFault["status"], detail: string): typeof REFUSED {
    this.fault = { status, detail };
    return REFUSED;
  }
}

const NO_FIELD = "A line of the head is no field: a name, a colon, a value.";
const NOTHING = Buffer.alloc(0);

function isOf(byte: number, kind: number): boolean {
  return ((classes[byte] as number) & kind) !== 0;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

const methods = ["GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS"];

/** The method's name; the usual ones are there already. */
function methodIn(bytes: Buffer, start: number, end: number): string {
  for (const name of methods) if (isText(bytes, start, end, name)) return name;
  return bytes.toString("latin1", start, end);
}

function isText(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
