import { STATUS_CODES } from "node:http";
import type { HeaderFields, KeptParts, KeptResponse, WritableText } from "../messages.ts";

/** How the end of a body is told (RFC 9112, section 6). */
export type Framing =
  /** By its length in bytes. */
  | number
  /** By the last of its chunks. */
  | "chunks"
  /** By the end of the connection, or there can be no body. */
  | "none";

/** How long a client may count on an idle connection, as it is told. */
export interface ResponseHeadOptions {
  readonly keepAliveSeconds: number;
}

/** A head that is to be written. */
export interface ResponseHead {
  readonly status: number;
  readonly fields: HeaderFields;
  readonly contentLocation: string | undefined;
  readonly framing: Framing;
  readonly isKeptAlive: boolean;
  /** Whether the client speaks HTTP/1.0, to which keeping the connection has to be said. */
  readonly isOld: boolean;
}

/** Writes the heads of answers. */
export interface ResponseHeads {
  /**
   * Writes a head, up to and with the empty line, so that it ends at `end` in `out`. Gives the place where it
   * starts. Throws `TypeError` for a field that would break out of its line, `RangeError` where there is no
   * room.
   */
  write(head: ResponseHead, out: Buffer, end: number): number;
  /**
   * Puts an answer together whose connection is kept, to a client of HTTP/1.1: `bytes` has it from its
   * beginning, until the next answer. Gives its length; 0 when it is too long for this.
   */
  writeKept(response: KeptResponse): number;
  readonly bytes: Buffer;
  /** Sets the time that `Date` tells, milliseconds since 1970. */
  tick(now: number): void;
}

const MAX_KEPT_RESPONSE = 16 * 1024;

/** Heads, without a time: call `tick` before the first. */
export function createResponseHeads({ keepAliveSeconds }: ResponseHeadOptions): ResponseHeads {
  const kept = `keep-alive: timeout=${keepAliveSeconds}\r\n`;
  let date = "";
  /** How nearly all answers begin, for a second: as text, and at the beginning of the bytes. */
  let usual = "";
  const bytes = Buffer.alloc(MAX_KEPT_RESPONSE);
  /** What the last usual answers had before their `Content-Location`, or without one, and of which fields. */
  const located = new UsualHead(LOCATION);
  const plain = new UsualHead("");

  function openingOf({ status, isKeptAlive, isOld }: ResponseHead): string {
    const connection = isKeptAlive ? `${isOld ? KEEP : ""}${kept}` : CLOSE;
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${connection}${date}`;
  }

  function beforeLocation(head: ResponseHead): Uint8Array {
    const last = head.contentLocation === undefined ? plain : located;
    const isUsual = head.status === 200 && head.isKeptAlive && !head.isOld;
    return isUsual ? last.with(usual, head.fields) : last.make(openingOf(head), head.fields);
  }

  /** All that is the same whenever the answer is sent. */
  function tailOf({ headers, contentLocation, body }: KeptParts): Uint8Array {
    const location =
      contentLocation === undefined ? "" : `${LOCATION}${checked(contentLocation)}${LINE_END}`;
    const text = body === null ? NOTHING : written(body);
    const head = `${joined(headers)}${location}${endOf(text.length)}`;
    // It is cached as long as its session: in the runtime's pool it would pin the whole block.
    const tail = Buffer.allocUnsafeSlow(head.length + text.length);
    tail.write(head, "latin1");
    tail.set(text, head.length);
    return tail;
  }

  /** A text, until the next answer. */
  function written(text: WritableText): Uint8Array {
    const start = usual.length;
    const room = start + text.maxLength;
    const place = room <= bytes.length ? bytes : Buffer.allocUnsafe(room);
    return place.subarray(start, text.write(place, start));
  }

  return {
    bytes,
    write(head, out, end) {
      const { contentLocation, framing } = head;
      const before = beforeLocation(head);
      const last = endOf(framing);
      const after =
        contentLocation === undefined ? last : `${checked(contentLocation)}${LINE_END}${last}`;
      const start = end - before.length - after.length;
      if (start < 0) throw new RangeError("the head of an answer is too long");
      out.set(before, start);
      out.write(after, start + before.length, "latin1");
      return start;
    },
    writeKept(response) {
      response.sent ??= tailOf(response.make());
      const { sent } = response;
      const length = usual.length + sent.length;
      if (length > MAX_KEPT_RESPONSE) return 0;
      bytes.set(sent, usual.length);
      return length;
    },
    tick(now) {
      date = `date: ${new Date(now).toUTCString()}\r\n`;
      usual = `HTTP/1.1 200 OK\r\n${kept}${date}`;
      bytes.write(usual, "latin1");
    },
  };
}

/** The beginning of a head, as bytes: the fields of one answer are those of the next, mostly. */
class UsualHead {
  readonly #end: string;
  #opening = "";
  #fields: HeaderFields | undefined;
  #bytes: Uint8Array = NOTHING;

  constructor(end: string) {
    this.#end = end;
  }

  with(opening: string, fields: HeaderFields): Uint8Array {
    if (fields !== this.#fields || opening !== this.#opening) {
      this.#bytes = this.make(opening, fields);
      this.#opening = opening;
      this.#fields = fields;
    }
    return this.#bytes;
  }

  make(opening: string, fields: HeaderFields): Uint8Array {
    return Buffer.from(`${opening}${joined(fields)}${this.#end}`, "latin1");
  }
}

const NOTHING = new Uint8Array();
const KEEP = "connection: keep-alive\r\n";
const CLOSE = "connection: close\r\n";
const LOCATION = "content-location: ";
const LINE_END = "\r\n";

/** A field value without line breaks or other control characters (RFC 9110, section 5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function checked(contentLocation: string): string {
  if (FIELD_VALUE.test(contentLocation)) return contentLocation;
  throw new TypeError("the value of content-location cannot stand in a header");
}

/** The ends of heads of short answers, by their length. */
const MAX_SHORT = 1024;
const endsOfShort: (string | undefined)[] = Array.from({ length: MAX_SHORT });

function endOf(framing: Framing): string {
  if (framing === "none") return "\r\n";
  if (framing === "chunks") return "transfer-encoding: chunked\r\n\r\n";
  const known = endsOfShort[framing];
  if (known !== undefined) return known;
  const end = `content-length: ${framing}\r\n\r\n`;
  if (framing < MAX_SHORT) endsOfShort[framing] = end;
  return end;
}

/** What belongs to the connection is the server's own to say. */
const ofConnection = ["connection", "content-length", "keep-alive", "transfer-encoding"];

function joined(fields: HeaderFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (ofConnection.includes(name)) continue;
    if (!FIELD_VALUE.test(value)) {
      throw new TypeError(`the value of ${name} cannot stand in a header`);
    }
    text += `${name}: ${value}\r\n`;
  }
  return text;
}
