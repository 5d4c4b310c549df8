/*
 * The head of a request, as RFC 9112 has it, read strictly: what two programs could read in two ways
 * is refused (section 11.2). Everything is found in one pass over the bytes; nothing becomes text
 * before somebody asks for it, as most of it nobody asks for.
 */

import type { UnreadRequest } from "../messages.ts";
import { isTokenByte } from "./chunk-lines.ts";

/** `parse` has found no end yet: more bytes are needed. */
export const INCOMPLETE = 0;
/** What `parse` gives for a request that is refused; why is in `fault`. */
export const REFUSED = -1;

/** The maximum length of a head in bytes, and the maximum number of its fields. */
export const MAX_HEAD = 16 * 1024;
const MAX_FIELDS = 128;
/** The same for requests with a higher limit: those of proxies, which forward everything that a browser sent. */
const MAX_LONG_HEAD = 64 * 1024;
const MAX_MANY_FIELDS = 512;
/** The length of the longest method. */
const MAX_METHOD = 32;
/** The longest value that is kept for the next request. */
const MAX_KEPT_VALUE = 64;

/** Why a request is refused before anybody sees it. */
export type HeadFault = Pick<UnreadRequest, "status" | "detail">;

/** Says which targets have the higher limit; called with a whole target, or the beginning of one that is too long. */
export type HasLongHead = (target: string) => boolean;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const SLASH = 0x2f;
const HASH = 0x23;
const DEL = 0x7f;

/** What a byte may be part of. */
const TOKEN = 1;
const TARGET = 2;
const VALUE = 4;
const HOST = 8;

/** Bytes from 0x80 on are let through in targets too: clients send UTF-8 there, and it harms nobody. */
const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
  const isToken = isTokenByte(byte);
  const isTarget = byte > SPACE && byte !== DEL && byte !== HASH;
  const isValue = (byte >= SPACE && byte !== DEL) || byte === TAB;
  const isHost = /[\w.~!$&'()*+,;=%:@[\]-]/.test(String.fromCharCode(byte)) && byte < 0x80;
  return (
    (isToken ? TOKEN : 0) | (isTarget ? TARGET : 0) | (isValue ? VALUE : 0) | (isHost ? HOST : 0)
  );
});

/** How a version begins: "0" or "1" is to follow. */
const VERSION = Buffer.from("HTTP/1.");

/** The part of an incomplete head that is being read: its first line, or the name or the value of a field. */
const LINE = 0;
const LINE_START = 1;
const NAME = 2;
const VALUE_START = 3;
const IN_VALUE = 4;

/** The authority of a URI, without user information, which is only used for attacks (RFC 9110, section 4.2.4). */
const AUTHORITY = String.raw`(?:[\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])`;
const ABSOLUTE_FORM = new RegExp(`^https?://(${AUTHORITY}(?::\\d{0,5})?)(?:[/?]|$)`, "i");
const AUTHORITY_FORM = new RegExp(`^${AUTHORITY}:\\d{1,5}$`, "i");

/**
 * The head of the request that a connection is about; the same object serves one after the other. It
 * holds on to the bytes that were parsed last, which nobody may change meanwhile.
 *
 * For a head that arrives in pieces, each `parse` continues where the last one stopped, so that each byte is read
 * once, and an invalid head is refused with the piece that shows the fault.
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
  /** Whether the client waits for `100 Continue`; some do so even without a body. */
  expectsContinue = false;
  /** Why the last request was `REFUSED`. */
  fault: HeadFault = { status: 400, detail: "" };

  readonly #hasLongHead: HasLongHead;
  #bytes: Buffer = NOTHING;
  /** The part of an incomplete head that was being read, and the position after its beginning. */
  #stage = LINE;
  #progress = 0;
  #maxHead = MAX_HEAD;
  #maxFields = MAX_FIELDS;
  #targetStart = 0;
  #targetEnd = 0;
  /** The target as text, decoded when it is first needed. */
  #target: string | undefined;
  /** The host and port, if the target names them. */
  #authority: string | undefined;
  /** Where names and values start and end, four places a field. */
  readonly #places: number[] = [];
  #fields = 0;
  /** Which lengths of names there are, a bit each: most questions are about fields that are absent. */
  #lengths = 0;
  /** Short values that were asked for, by field: the requests of one connection have them in common. */
  readonly #asked: (string | undefined)[] = [];

  constructor(hasLongHead: HasLongHead = () => false) {
    this.#hasLongHead = hasLongHead;
  }

  /**
   * Reads a head that starts at `start`. Gives the place after it, `INCOMPLETE`, or `REFUSED`; what is
   * no request is refused as soon as that is certain. After `INCOMPLETE` it must be called with the same
   * bytes and more, or not at all.
   */
  parse(bytes: Buffer, start: number): number {
    if (this.#stage === LINE && this.#progress === 0) this.#forget();
    else this.#move(start);
    const next = this.#read(bytes, start, Math.min(bytes.length, start + this.#maxHead));
    if (next === INCOMPLETE) return this.#interrupt(bytes, start);
    this.#stage = LINE;
    this.#progress = 0;
    this.#bytes = bytes;
    return next;
  }

  /** Remembers how far the head was read, unless it is too long. */
  #interrupt(bytes: Buffer, start: number): number {
    if (bytes.length - start < this.#maxHead) {
      this.#move(-start);
      return INCOMPLETE;
    }
    this.#see(bytes, start);
    if (this.#widen()) {
      this.#target = undefined;
      this.#move(-start);
      return this.parse(bytes, start);
    }
    if (this.#stage !== LINE) return this.#refuse(431, `The head is ${this.#tooLong()}.`);
    return this.#refuse(414, `The target is ${this.#tooLong()}.`);
  }

  #tooLong(): string {
    return `too long: a head may have ${this.#maxHead / 1024} KiB`;
  }

  /** Whether the head may be longer than others. */
  #widen(): boolean {
    if (this.#maxHead === MAX_LONG_HEAD || !this.#hasLongHead(this.target)) return false;
    this.#maxHead = MAX_LONG_HEAD;
    this.#maxFields = MAX_MANY_FIELDS;
    return true;
  }

  /** Clears the previous request. */
  #forget(): void {
    // So that an incomplete request does not look like the previous one.
    this.method = "";
    this.minorVersion = 1;
    this.#target = undefined;
    this.#authority = undefined;
    this.#maxHead = MAX_HEAD;
    this.#maxFields = MAX_FIELDS;
    this.#targetStart = this.#targetEnd = this.#fields = this.#lengths = 0;
  }

  /** Adjusts positions after the bytes of an incomplete head have moved. */
  #move(distance: number): void {
    if (distance === 0) return;
    this.#targetStart += distance;
    this.#targetEnd += distance;
    const places = this.#places;
    for (let at = 0; at < (this.#fields + 1) * 4; at++) {
      places[at] = (places[at] ?? 0) + distance;
    }
  }

  /** Accepts that only `bytes` of an incomplete head will arrive: `target` is the part that exists. */
  giveUp(bytes: Buffer): void {
    this.#see(bytes, 0);
  }

  /** Uses the existing part of an incomplete head. */
  #see(bytes: Buffer, start: number): void {
    this.#bytes = bytes;
    if (this.#stage === LINE) this.#targetEnd = start + this.#progress;
  }

  /** The target of the request, one character per byte; of a refused request, the part that was read. */
  get target(): string {
    this.#target ??= this.#bytes.toString("latin1", this.#targetStart, this.#targetEnd);
    return this.#target;
  }

  /**
   * Returns the value of a field, one character per byte; the values of several fields are joined by ", ", or by
   * "; " for cookies (RFC 6265bis, section 5.8.3 and RFC 9113, section 8.2.3). `null` if there is none. `name` is
   * in lower case. The host is that of the target if it names one (RFC 9112, section 3.2.2).
   */
  header(name: string): string | null {
    if (this.#authority !== undefined && name === "host") return this.#authority;
    if ((this.#lengths & (1 << (name.length & 31))) === 0) return null;
    let value: string | null = null;
    for (let at = 0; at < this.#fields * 4; at += 4) {
      if (!this.#isNamed(at, name)) continue;
      const one = this.#valueAt(at);
      value = value === null ? one : `${value}${name === "cookie" ? "; " : ", "}${one}`;
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
    this.#stage = LINE;
    this.#progress = 0;
    this.#forget();
    this.#places.length = 0;
    this.#asked.length = 0;
  }

  #read(bytes: Buffer, start: number, end: number): number {
    let at = start + this.#progress;
    if (this.#stage === LINE) {
      at = this.#readLine(bytes, start, end);
      if (at <= INCOMPLETE) return at;
      this.#stage = LINE_START;
    }
    const next = this.#readFields(bytes, start, at, end);
    if (next <= INCOMPLETE) return next;
    this.#bytes = bytes;
    return this.#isSound() ? next : REFUSED;
  }

  /** Reads the first line. If it is incomplete, its target is valid up to `#progress`. */
  #readLine(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && isOf(bytes[at] as number, TOKEN)) at++;
    if (at - start > MAX_METHOD) return this.#refuse(501, "The method is unknown.");
    if (at === end) return INCOMPLETE;
    // The first half of a blank line.
    if (at === start && end - start === 1 && bytes[at] === CR) return INCOMPLETE;
    if (bytes[at] !== SPACE || at === start) return this.#noLine();
    this.method = methodIn(bytes, start, at);
    const targetStart = at + 1;
    this.#targetStart = targetStart;
    at = Math.max(targetStart, start + this.#progress);
    while (at < end && isOf(bytes[at] as number, TARGET)) at++;
    if (at === end) {
      this.#progress = at - start;
      return INCOMPLETE;
    }
    this.#targetEnd = at;
    this.#progress = at - start;
    if (bytes[at] !== SPACE || at === targetStart) return this.#noLine();
    const next = this.#readVersion(bytes, at + 1, end);
    const isUsual = bytes[targetStart] === SLASH && this.method !== CONNECT;
    return isUsual || next <= INCOMPLETE || this.#isTargetSound(bytes) ? next : REFUSED;
  }

  /** Checks targets that do not begin with a path (RFC 9112, section 3.2), each form for its methods. */
  #isTargetSound(bytes: Buffer): boolean {
    const target = bytes.toString("latin1", this.#targetStart, this.#targetEnd);
    if (this.method === CONNECT) return AUTHORITY_FORM.test(target) || this.#noTarget();
    if (target === "*") return this.method === "OPTIONS" || this.#noTarget();
    const [, authority] = ABSOLUTE_FORM.exec(target) ?? [];
    this.#authority = authority;
    return authority !== undefined || this.#noTarget();
  }

  /** The rest of the first line: a version, and its end. */
  #readVersion(bytes: Buffer, start: number, end: number): number {
    for (let i = 0; i < VERSION.length; i++) {
      if (start + i === end) return INCOMPLETE;
      if (bytes[start + i] === VERSION[i]) continue;
      return i >= VERSION.length - 2 ? this.#otherVersion() : this.#noLine();
    }
    const at = start + VERSION.length;
    if (at >= end) return INCOMPLETE;
    const minor = (bytes[at] as number) - 0x30;
    if (minor !== 0 && minor !== 1) return this.#otherVersion();
    if (at + 1 >= end) return INCOMPLETE;
    if (bytes[at + 1] !== CR) return this.#noLine();
    if (at + 2 >= end) return INCOMPLETE;
    if (bytes[at + 2] !== LF) return this.#noLine();
    this.minorVersion = minor;
    return at + 3;
  }

  /** Reads the fields from the position `from` on, where the last `parse` stopped. */
  #readFields(bytes: Buffer, start: number, from: number, end: number): number {
    const places = this.#places;
    let stage = this.#stage;
    let place = this.#fields * 4;
    let at = from;
    for (;;) {
      if (stage === LINE_START) {
        if (at === end) return this.#stopAt(LINE_START, at - start);
        if (bytes[at] === CR) {
          if (at + 1 === end) return this.#stopAt(LINE_START, at - start);
          if (bytes[at + 1] !== LF) return this.#refuse(400, "A line does not end with CR LF.");
          return at + 2;
        }
        places[place] = at;
        stage = NAME;
      }
      if (stage === NAME) {
        while (at < end && isOf(bytes[at] as number, TOKEN)) at++;
        if (at === end) return this.#stopAt(NAME, at - start);
        // This also refuses a line that continues the previous one, and a space before the colon.
        if (bytes[at] !== COLON || at === places[place]) return this.#refuse(400, NO_FIELD);
        places[place + 1] = at++;
        stage = VALUE_START;
      }
      if (stage === VALUE_START) {
        while (at < end && isBlank(bytes[at] as number)) at++;
        if (at === end) return this.#stopAt(VALUE_START, at - start);
        places[place + 2] = at;
        stage = IN_VALUE;
      }
      while (at < end && isOf(bytes[at] as number, VALUE)) at++;
      if (at < end && bytes[at] !== CR) return this.#noValue();
      if (at + 1 >= end) return this.#stopAt(IN_VALUE, at - start);
      if (bytes[at + 1] !== LF) return this.#noValue();
      let valueEnd = at;
      const valueStart = places[place + 2] as number;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
      places[place + 3] = valueEnd;
      const nameLength = (places[place + 1] as number) - (places[place] as number);
      this.#lengths |= 1 << (nameLength & 31);
      if (++this.#fields > this.#maxFields && !this.#widenFor(bytes)) return this.#tooMany();
      place += 4;
      at += 2;
      stage = LINE_START;
    }
  }

  #stopAt(stage: number, progress: number): typeof INCOMPLETE {
    this.#stage = stage;
    this.#progress = progress;
    return INCOMPLETE;
  }

  #widenFor(bytes: Buffer): boolean {
    this.#bytes = bytes;
    return this.#widen();
  }

  #tooMany(): number {
    return this.#refuse(431, `The head has too many fields: it may have ${this.#maxFields}.`);
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
    this.expectsContinue = true;
    return true;
  }

  #readConnection(): boolean {
    const options = this.header("connection");
    this.isKeptAlive =
      options === null
        ? this.minorVersion === 1
        : !/(?:^|[\s,])close(?:$|[\s,])/i.test(options) &&
          (this.minorVersion === 1 || /(?:^|[\s,])keep-alive(?:$|[\s,])/i.test(options));
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

  #noTarget(): false {
    const detail =
      "The target does not fit this method: send a path, an http URI with a host, * with OPTIONS, or host:port with CONNECT.";
    return this.#unsound(detail);
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

const CONNECT = "CONNECT";
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
