import { STATUS_CODES } from "node:http";
import type { BodyWriter, CachedResponse, HeaderFields } from "./http-types.ts";

/**
 * How a client finds the end of a body (RFC 9112, section 6): by its length in bytes, by its last chunk ("chunked"), or
 * by the end of the connection ("none"). A response without a body has "none" too.
 */
export type BodyEnd = number | "chunked" | "none";

export interface ResponseHead {
  readonly status: number;
  readonly fields: HeaderFields;
  readonly contentLocation?: string | undefined;
  readonly etag?: string | undefined;
  readonly bodyEnd: BodyEnd;
  readonly isKeptAlive: boolean;
  /** Whether the client speaks HTTP/1.0. Such a client needs a header to know that the connection stays open. */
  readonly isHttp10: boolean;
}

const MAX_CACHED_RESPONSE = 16 * 1024;

/**
 * Writes the heads of responses. Within one second, nearly all heads begin with the same bytes, which are called the
 * common beginning: the status line of 200, `Keep-Alive` and `Date`.
 */
export class ResponseHeads {
  /** The buffer that `writeCached` writes to. It begins with the common beginning. */
  readonly bytes = Buffer.alloc(MAX_CACHED_RESPONSE);
  readonly #keepAlive: string;
  #date = "";
  #common = "";
  readonly #located = new CachedHead(LOCATION);
  readonly #plain = new CachedHead("");

  /** `keepAliveSeconds`: how long clients can rely on an idle connection. Call `tick` before the first head. */
  constructor(keepAliveSeconds: number) {
    this.#keepAlive = `keep-alive: timeout=${keepAliveSeconds}\r\n`;
  }

  /** Sets the time of `Date`, in milliseconds since 1970. */
  tick(now: number): void {
    this.#date = `date: ${new Date(now).toUTCString()}\r\n`;
    this.#common = `HTTP/1.1 200 OK\r\n${this.#keepAlive}${this.#date}`;
    this.bytes.write(this.#common, "latin1");
  }

  /**
   * Writes a head, including its empty line, so that it ends at the position `end` of `out`. Returns the position where
   * it starts. Throws `TypeError` if a value contains a line break or another control character, and `RangeError` if
   * there is too little room before `end`.
   */
  write(head: ResponseHead, out: Buffer, end: number): number {
    const { contentLocation, etag, bodyEnd } = head;
    const before = this.#beforeLocation(head);
    const location = contentLocation === undefined ? "" : `${checked(contentLocation, "content-location")}${LINE_END}`;
    const tag = etag === undefined ? "" : `${ETAG}${checked(etag, "etag")}${LINE_END}`;
    const after = `${location}${tag}${lastLinesOf(bodyEnd)}`;
    const start = end - before.length - after.length;
    if (start < 0) throw new RangeError("the head of a response is too long");
    out.set(before, start);
    out.write(after, start + before.length, "latin1");
    return start;
  }

  /**
   * Writes a whole response to the beginning of `bytes`. It is valid only for an HTTP/1.1 client whose connection stays
   * open. Returns the length of the response, or 0 if it is too long.
   */
  writeCached(response: CachedResponse): number {
    response.bytes ??= this.#cache(response);
    const { bytes } = response;
    const start = this.#common.length;
    const length = start + bytes.length;
    if (length > MAX_CACHED_RESPONSE) return 0;
    this.bytes.set(bytes, start);
    return length;
  }

  #beforeLocation(head: ResponseHead): Uint8Array {
    const cached = head.contentLocation === undefined ? this.#plain : this.#located;
    const isCommon = head.status === 200 && head.isKeptAlive && !head.isHttp10;
    return isCommon ? cached.get(this.#common, head.fields) : cached.make(this.#beginningOf(head), head.fields);
  }

  #beginningOf({ status, isKeptAlive, isHttp10 }: ResponseHead): string {
    const connection = isKeptAlive ? `${isHttp10 ? KEEP : ""}${this.#keepAlive}` : CLOSE;
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${connection}${this.#date}`;
  }

  #cache(response: CachedResponse): Buffer {
    const { headers, contentLocation, body } = response.make();
    const location =
      contentLocation === undefined ? "" : `${LOCATION}${checked(contentLocation, "content-location")}${LINE_END}`;
    const text = body === null ? NOTHING : this.#written(body);
    const head = `${lengthLineOf(text.length)}${linesOf(headers)}${location}${LINE_END}`;
    // This memory is not from the runtime's pool, because the bytes live as long as the response. In the pool, they
    // would keep a whole block in memory.
    const bytes = Buffer.allocUnsafeSlow(head.length + text.length);
    bytes.write(head, "latin1");
    bytes.set(text, head.length);
    return bytes;
  }

  /** Writes the text, and returns its bytes. The next response overwrites them. */
  #written(text: BodyWriter): Uint8Array {
    const start = this.#common.length;
    const room = start + text.maxLength;
    const out = room <= this.bytes.length ? this.bytes : Buffer.allocUnsafe(room);
    return out.subarray(start, text.write(out, start));
  }
}

/**
 * The first part of the last head, which is cached because the next head usually begins with the same bytes. The part
 * ends before the value of `Content-Location`, or, in heads without it, before the headers that differ: the entity tag and
 * the body's length.
 */
class CachedHead {
  readonly #end: string;
  #beginning = "";
  #fields: HeaderFields | undefined;
  #bytes: Uint8Array = NOTHING;

  constructor(end: string) {
    this.#end = end;
  }

  get(beginning: string, fields: HeaderFields): Uint8Array {
    if (fields !== this.#fields || beginning !== this.#beginning) {
      this.#bytes = this.make(beginning, fields);
      this.#beginning = beginning;
      this.#fields = fields;
    }
    return this.#bytes;
  }

  make(beginning: string, fields: HeaderFields): Uint8Array {
    return Buffer.from(`${beginning}${linesOf(fields)}${this.#end}`, "latin1");
  }
}

const NOTHING = new Uint8Array();
const KEEP = "connection: keep-alive\r\n";
const CLOSE = "connection: close\r\n";
const LOCATION = "content-location: ";
const ETAG = "etag: ";
const LINE_END = "\r\n";

/** A field value without line breaks or other control characters (RFC 9110, section 5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function checked(value: string, name: string): string {
  if (FIELD_VALUE.test(value)) return value;
  throw new TypeError(`the value of ${name} cannot stand in a header`);
}

/** The last lines of a head are cached if the body has fewer bytes than this. */
const MAX_SHORT = 1024;
const lastLinesOfShort: (string | undefined)[] = Array.from({ length: MAX_SHORT });

function lastLinesOf(bodyEnd: BodyEnd): string {
  if (bodyEnd === "none") return "\r\n";
  if (bodyEnd === "chunked") return "transfer-encoding: chunked\r\n\r\n";
  const cached = lastLinesOfShort[bodyEnd];
  if (cached !== undefined) return cached;
  const lines = `${lengthLineOf(bodyEnd)}${LINE_END}`;
  if (bodyEnd < MAX_SHORT) lastLinesOfShort[bodyEnd] = lines;
  return lines;
}

function lengthLineOf(bytes: number): string {
  return `content-length: ${bytes}${LINE_END}`;
}

/** The headers that only the server sets. Those of a handler's response are ignored. */
const ofConnection = ["connection", "content-length", "keep-alive", "transfer-encoding"];

function linesOf(fields: HeaderFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (ofConnection.includes(name)) continue;
    text += `${name}: ${checked(value, name)}${LINE_END}`;
  }
  return text;
}
