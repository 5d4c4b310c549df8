import { CR, isOf, isText, LF, SPACE, TARGET, TOKEN } from "./characters.ts";
import { HeaderSection, INCOMPLETE, TOO_MANY } from "./header-section.ts";
import type { RejectedRequest } from "./http-types.ts";
import { Rejection } from "./rejection.ts";

/** The result of `parse` for a rejected request; `fault` has the reason. */
export const REFUSED = -1;

/** A head may have at most `MAX_HEAD` bytes and `MAX_FIELDS` fields. */
export const MAX_HEAD = 16 * 1024;
const MAX_FIELDS = 128;
/** The higher limits for requests whose target `HasLongHead` accepts. */
const MAX_LONG_HEAD = 64 * 1024;
const MAX_MANY_FIELDS = 512;
const MAX_METHOD = 32;

/** Why a request is rejected. */
export type HeadFault = Pick<RejectedRequest, "status" | "detail">;

/** Returns whether a request with this target, or with this beginning of a too long target, has the higher limits. */
export type HasLongHead = (target: string) => boolean;

const SLASH = 0x2f;
const CONNECT = "CONNECT";
const NOTHING = Buffer.alloc(0);
const methods = ["GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS"];
/** The beginning of the HTTP version; "0" or "1" must follow. */
const VERSION = Buffer.from("HTTP/1.");

/** The authority of a URI. User information is not allowed, because only attackers use it (RFC 9110, section 4.2.4). */
const AUTHORITY = String.raw`(?:[\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])`;
const ABSOLUTE_FORM = new RegExp(`^https?://(${AUTHORITY}(?::\\d{0,5})?)(?:[/?]|$)`, "i");
const AUTHORITY_FORM = new RegExp(`^${AUTHORITY}:\\d{1,5}$`, "i");

/**
 * The head of the current request of a connection; the same object serves one request after the other. It keeps a
 * reference to the bytes of the last head, so nobody may change these bytes while the request is handled.
 *
 * The head is read strictly by RFC 9112: whatever two programs could read in two ways is rejected (section 11.2). If a
 * head arrives in pieces, each `parse` continues where the last one stopped. So each byte is read only once, and an
 * invalid head is rejected as soon as the invalid byte arrives.
 */
export class RequestHead {
  method = "";
  /** Whether the connection may be used for another request (RFC 9112, section 9.3). */
  isKeptAlive = true;
  minorVersion = 1;
  isChunked = false;
  /** The length of the body in bytes; 0 if there is no body, or if it is chunked. */
  contentLength = 0;
  /** Whether the client waits for `100 Continue`. Some clients do so even if they send no body. */
  expectsContinue = false;
  /** Why the last request was `REFUSED`. */
  fault: HeadFault = { status: 400, detail: "" };

  readonly #hasLongHead: HasLongHead;
  readonly #fields = new HeaderSection();
  #bytes: Buffer = NOTHING;
  #start = 0;
  #maxHead = MAX_HEAD;
  #maxFields = MAX_FIELDS;
  /** How many bytes of an incomplete first line have been read. */
  #progress = 0;
  #isLineRead = false;
  #targetStart = 0;
  #targetEnd = 0;
  /** The target as text, decoded when it is first needed. */
  #target: string | undefined;
  /** The host and port, if the target names them. */
  #authority: string | undefined;

  constructor(hasLongHead: HasLongHead = () => false) {
    this.#hasLongHead = hasLongHead;
  }

  /**
   * Parses a head that starts at `start`. Returns the position after the head, `INCOMPLETE`, or `REFUSED`. After
   * `INCOMPLETE`, the next call must pass the same bytes again, followed by more bytes.
   */
  parse(bytes: Buffer, start: number): number {
    if (!this.#isLineRead && this.#progress === 0) this.#reset();
    this.#bytes = bytes;
    this.#start = start;
    try {
      const next = this.#read(bytes, start);
      // No reference to an incomplete head is kept, because its buffer may be large. The caller passes the bytes again.
      if (next === INCOMPLETE) this.#bytes = NOTHING;
      else this.#endParse();
      return next;
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      this.fault = { status: error.status, detail: error.message };
      this.#endParse();
      return REFUSED;
    }
  }

  #endParse(): void {
    this.#isLineRead = false;
    this.#progress = 0;
  }

  /** Clears the data of the previous request. Otherwise the next request would seem to have them at first. */
  #reset(): void {
    this.method = "";
    this.minorVersion = 1;
    this.#target = this.#authority = undefined;
    this.#maxHead = MAX_HEAD;
    this.#maxFields = MAX_FIELDS;
    this.#targetStart = this.#targetEnd = 0;
    this.#fields.begin(0);
  }

  /**
   * Ends a head of which no more bytes will arrive. `bytes` are the bytes that have arrived. After this call, `target`
   * is the part of the target in these bytes.
   */
  giveUp(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#start = 0;
  }

  /** The target of the request, one character per byte; of a rejected request, the part that was read. */
  get target(): string {
    this.#target ??= this.#bytes.toString("latin1", this.#start + this.#targetStart, this.#start + this.#targetEnd);
    return this.#target;
  }

  /** Returns a header like `HeaderSection.get`. A host in the target replaces `host` (RFC 9112, section 3.2.2). */
  header(name: string): string | null {
    if (this.#authority !== undefined && name === "host") return this.#authority;
    return this.#fields.get(name);
  }

  /** The number of bytes that this object keeps in memory. */
  get size(): number {
    return this.#bytes.length;
  }

  /** Frees the memory of the last head. */
  clear(): void {
    this.#bytes = NOTHING;
    this.#endParse();
    this.#reset();
    this.#fields.clear();
  }

  #read(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#maxHead);
    if (!this.#isLineRead) {
      const next = this.#readLine(bytes, start, end);
      if (next === INCOMPLETE) return this.#interrupt(bytes, start);
      this.#fields.begin(next - start);
      this.#isLineRead = true;
    }
    const next = this.#fields.read(bytes, start, end, this.#maxFields);
    if (next === INCOMPLETE) return this.#interrupt(bytes, start);
    if (next === TOO_MANY) {
      if (this.#raiseLimits()) return this.#read(bytes, start);
      throw new Rejection(431, `The head has too many fields: it may have ${this.#maxFields}.`);
    }
    this.#checkHost();
    this.#readFraming();
    this.#readExpectation();
    this.#readConnection();
    return next;
  }

  /**
   * Returns `INCOMPLETE`, unless the head is too long. If it is too long, continues to read if the target has the
   * higher limits, and throws `Rejection` otherwise.
   */
  #interrupt(bytes: Buffer, start: number): number {
    if (bytes.length - start < this.#maxHead) return INCOMPLETE;
    if (this.#raiseLimits()) {
      this.#target = undefined;
      return this.#read(bytes, start);
    }
    const limit = `too long: a head may have ${this.#maxHead / 1024} KiB`;
    if (this.#isLineRead) throw new Rejection(431, `The head is ${limit}.`);
    throw new Rejection(414, `The target is ${limit}.`);
  }

  /** Raises the limits of a request that may have a longer head. Returns false for other requests. */
  #raiseLimits(): boolean {
    if (this.#maxHead === MAX_LONG_HEAD || !this.#hasLongHead(this.target)) return false;
    this.#maxHead = MAX_LONG_HEAD;
    this.#maxFields = MAX_MANY_FIELDS;
    return true;
  }

  /** Reads the first line. If the target was incomplete in the last call, continues there. */
  #readLine(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && isOf(bytes[at] as number, TOKEN)) at++;
    if (at - start > MAX_METHOD) throw new Rejection(501, "The method is unknown.");
    if (at === end) return INCOMPLETE;
    // This may be the first half of a blank line, which is skipped.
    if (at === start && end - start === 1 && bytes[at] === CR) return INCOMPLETE;
    if (bytes[at] !== SPACE || at === start) throw invalidLine();
    this.method = methodIn(bytes, start, at);
    const targetStart = at + 1;
    this.#targetStart = targetStart - start;
    at = Math.max(targetStart, start + this.#progress);
    while (at < end && isOf(bytes[at] as number, TARGET)) at++;
    this.#targetEnd = this.#progress = at - start;
    if (at === end) return INCOMPLETE;
    if (bytes[at] !== SPACE || at === targetStart) throw invalidLine();
    const next = this.#readVersion(bytes, at + 1, end);
    if (next === INCOMPLETE) return INCOMPLETE;
    if (bytes[targetStart] !== SLASH || this.method === CONNECT) this.#checkTarget();
    return next;
  }

  /** Reads the rest of the first line: a version, and the line's end. */
  #readVersion(bytes: Buffer, start: number, end: number): number {
    for (let i = 0; i < VERSION.length; i++) {
      if (start + i === end) return INCOMPLETE;
      if (bytes[start + i] === VERSION[i]) continue;
      throw i >= VERSION.length - 2 ? unknownVersion() : invalidLine();
    }
    const at = start + VERSION.length;
    if (at >= end) return INCOMPLETE;
    const minor = (bytes[at] as number) - 0x30;
    if (minor !== 0 && minor !== 1) throw unknownVersion();
    if (at + 1 >= end) return INCOMPLETE;
    if (bytes[at + 1] !== CR) throw invalidLine();
    if (at + 2 >= end) return INCOMPLETE;
    if (bytes[at + 2] !== LF) throw invalidLine();
    this.minorVersion = minor;
    return at + 3;
  }

  /** Checks a target that is not a path, or that of CONNECT. Its form must suit the method (RFC 9112, section 3.2). */
  #checkTarget(): void {
    const { target } = this;
    if (this.method === CONNECT) {
      if (AUTHORITY_FORM.test(target)) return;
    } else if (target === "*") {
      if (this.method === "OPTIONS") return;
    } else {
      this.#authority = ABSOLUTE_FORM.exec(target)?.[1];
      if (this.#authority !== undefined) return;
    }
    throw new Rejection(
      400,
      "The target does not fit this method: send a path, an http URI with a host, * with OPTIONS, or host:port with CONNECT.",
    );
  }

  /** Checks that there is exactly one valid `Host`, or none with HTTP/1.0 (RFC 9112, section 3.2). */
  #checkHost(): void {
    const hosts = this.#fields.count("host");
    if (hosts > 1) throw new Rejection(400, "Host is there more than once.");
    if (hosts === 0 && this.minorVersion === 1) throw new Rejection(400, "Host is missing.");
    if (!this.#fields.hasValidHost()) throw new Rejection(400, "Host is not a valid host.");
  }

  /** Finds out where the body ends (RFC 9112, section 6). */
  #readFraming(): void {
    this.isChunked = false;
    this.contentLength = 0;
    const lengths = this.#fields.count("content-length");
    const coding = this.header("transfer-encoding");
    if (coding !== null) this.#readCoding(coding, lengths);
    else if (lengths > 0) {
      const length = this.header("content-length") ?? "";
      if (!/^\d{1,15}$/.test(length)) {
        throw new Rejection(400, "Content-Length is not a single number.");
      }
      this.contentLength = Number(length);
    }
  }

  #readCoding(coding: string, lengths: number): void {
    if (lengths > 0) {
      throw new Rejection(400, "Content-Length and Transfer-Encoding contradict each other.");
    }
    if (this.minorVersion === 0) throw new Rejection(400, "HTTP/1.0 has no Transfer-Encoding.");
    this.isChunked = /^chunked$/i.test(coding);
    if (this.isChunked) return;
    if (/,\s*chunked$/i.test(coding)) {
      throw new Rejection(501, "The only supported Transfer-Encoding is chunked.");
    }
    throw new Rejection(400, "The Transfer-Encoding does not say where the body ends.");
  }

  /** Reads `Expect` (RFC 9110, section 10.1.1). */
  #readExpectation(): void {
    const expected = this.minorVersion === 0 ? null : this.header("expect");
    this.expectsContinue = expected !== null;
    if (expected !== null && !/^100-continue$/i.test(expected)) {
      throw new Rejection(417, "The only supported expectation is 100-continue.");
    }
  }

  #readConnection(): void {
    const options = this.header("connection");
    this.isKeptAlive =
      options === null
        ? this.minorVersion === 1
        : !/(?:^|[\s,])close(?:$|[\s,])/i.test(options) &&
          (this.minorVersion === 1 || /(?:^|[\s,])keep-alive(?:$|[\s,])/i.test(options));
  }
}

/** Returns the name of the method. For a common method, no new string is created. */
function methodIn(bytes: Buffer, start: number, end: number): string {
  for (const name of methods) if (isText(bytes, start, end, name)) return name;
  return bytes.toString("latin1", start, end);
}

function invalidLine(): Rejection {
  return new Rejection(400, "This is not a request line of HTTP/1.1.");
}

function unknownVersion(): Rejection {
  return new Rejection(505, "Only HTTP/1.1 and HTTP/1.0 are supported.");
}
