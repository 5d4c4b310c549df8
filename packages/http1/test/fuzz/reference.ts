/*
 * A second parser of HTTP/1.1, written only from RFC 9112 and RFC 9110. It reads a whole text with regular expressions,
 * so that it shares no mistake with the server's parser, which reads bytes as they arrive. Texts have one character per
 * byte.
 */

/** A request as the reference parser reads it. */
export interface ReferenceRequest {
  readonly method: string;
  readonly path: string;
  /** Part of the target after the first "?"; "" if there is none. */
  readonly query: string;
  readonly minorVersion: number;
  /** Values by name in lower case; several values of one name are joined as in RFC 9110, section 5.3. */
  readonly fields: ReadonlyMap<string, string>;
  readonly expectsContinue: boolean;
  /** Whether the client allows another request after this one (RFC 9112, section 9.3). */
  readonly persists: boolean;
  readonly isChunked: boolean;
  /** The body without its framing, as far as it has arrived. */
  readonly body: string;
  /** Whether the text has the whole body, only its beginning, or a malformed body. */
  readonly bodyEnd: "complete" | "incomplete" | "malformed";
}

/** All requests of a text, and how the text ends: after a request, within a head, or with an invalid request. */
export interface ReferenceReading {
  readonly requests: readonly ReferenceRequest[];
  readonly end: "complete" | "incomplete" | "refused";
}

/** Maximum length of a head and maximum number of its fields: limits of the server under test, not of HTTP. */
const MAX_HEAD = 16 * 1024;
const MAX_FIELDS = 128;
/** The same limits for a request whose target begins with `LONG_HEADS`. */
export const LONG_HEADS = "/long";
const MAX_LONG_HEAD = 64 * 1024;
const MAX_MANY_FIELDS = 512;
/** The maximum length of a method, and of the extensions and trailers of a chunked body. */
const MAX_METHOD = 32;
const MAX_OVERHEAD = 16 * 1024;

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e\\x80-\\xff]+) HTTP/1\\.([01])$`);
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
/** RFC 9112, section 3.2: the forms of a target that a server without CONNECT serves. */
const ORIGIN_FORM = /^\//;
const ABSOLUTE_FORM = /^https?:\/\/(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?(?=[/?]|$)/i;
/** RFC 9112, section 3.2.3. */
const AUTHORITY_FORM = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+):\d{1,5}$/i;
/** RFC 9112, section 7.1.1: a size, and extensions with a value that is a token or a quoted string. */
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"';
const EXTENSION = `[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?`;
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]{1,12})(?:${EXTENSION})*$`);

/** Reads all requests that a client sends on one connection. */
export function readRequests(text: string): ReferenceReading {
  const requests: ReferenceRequest[] = [];
  let at = 0;
  for (;;) {
    while (text.startsWith("\r\n", at)) at += 2;
    if (at === text.length) return { requests, end: "complete" };
    const head = readHead(text, at);
    if (head === "incomplete" || head === "refused") return { requests, end: head };
    const body = readBody(text, head.end, head);
    requests.push({ ...head.request, body: body.data, bodyEnd: body.state });
    if (body.state !== "complete") return { requests, end: "complete" };
    at = body.end;
  }
}

interface Head {
  readonly request: Omit<ReferenceRequest, "body" | "bodyEnd">;
  readonly contentLength: number;
  readonly end: number;
}

function readHead(text: string, start: number): Head | "incomplete" | "refused" {
  const end = text.indexOf("\r\n\r\n", start);
  if (isTooLong(text, start, end)) return "refused";
  const lines = text.slice(start, end === -1 ? undefined : end).split("\r\n");
  // In an incomplete head, only complete lines can be checked.
  const whole = end === -1 ? lines.slice(0, -1) : lines;
  const [requestLine, ...fieldLines] = whole;
  if (requestLine !== undefined && !REQUEST_LINE.test(requestLine)) return "refused";
  if (fieldLines.some((line) => !FIELD.test(line))) return "refused";
  if (end === -1) return "incomplete";
  const [, method = "", target = "", minor = ""] = REQUEST_LINE.exec(requestLine ?? "") ?? [];
  const all = fieldLines.map((line) => {
    const [, name = "", value = ""] = FIELD.exec(line) ?? [];
    return [name.toLowerCase(), value] as const;
  });
  const minorVersion = Number(minor);
  const framing = readFraming(all, minorVersion);
  const place = placeOf(method, target);
  if (framing === undefined || place === undefined) return "refused";
  const hosts = all.filter(([name]) => name === "host");
  if (hosts.length > 1 || (hosts.length === 0 && minorVersion === 1)) return "refused";
  if (hosts.some(([, value]) => !/^[\w.~!$&'()*+,;=%:@[\]-]*$/.test(value))) return "refused";
  const fields = new Map<string, string>();
  for (const [name, value] of all) {
    const before = fields.get(name);
    const separator = name === "cookie" ? "; " : ", ";
    fields.set(name, before === undefined ? value : `${before}${separator}${value}`);
  }
  // RFC 9112, section 3.2.2: if the target has an authority, it counts instead of Host.
  const { authority, path, query } = place;
  if (authority !== undefined) fields.set("host", authority);
  const expected = fields.get("expect");
  if (expected !== undefined && minorVersion === 1 && expected.toLowerCase() !== "100-continue") {
    return "refused";
  }
  const request = {
    method,
    path,
    query,
    minorVersion,
    fields,
    expectsContinue: expected !== undefined && minorVersion === 1,
    persists: persists(fields.get("connection"), minorVersion),
    isChunked: framing === "chunked",
  };
  return { request, contentLength: framing === "chunked" ? 0 : framing, end: end + 4 };
}

/** Returns whether a head is too long. `end` is its end; -1 if its end has not arrived. */
function isTooLong(text: string, start: number, end: number): boolean {
  const [line = "", ...fieldLines] = text.slice(start, end === -1 ? undefined : end).split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const mayBeLong = target.startsWith(LONG_HEADS);
  const length = end === -1 ? text.length + 1 - start : end + 4 - start;
  const fields = end === -1 ? fieldLines.length - 1 : fieldLines.length;
  return (
    method.length > MAX_METHOD ||
    length > (mayBeLong ? MAX_LONG_HEAD : MAX_HEAD) ||
    fields > (mayBeLong ? MAX_MANY_FIELDS : MAX_FIELDS)
  );
}

/** Parses the target of a request; returns `undefined` for an invalid one. */
function placeOf(
  method: string,
  target: string,
): { path: string; query: string; authority: string | undefined } | undefined {
  if (method === "CONNECT") {
    return AUTHORITY_FORM.test(target) ? { path: target, query: "", authority: undefined } : undefined;
  }
  let rest = target;
  let authority: string | undefined;
  if (target === "*") {
    if (method !== "OPTIONS") return undefined;
  } else if (!ORIGIN_FORM.test(target)) {
    const origin = ABSOLUTE_FORM.exec(target);
    if (origin === null) return undefined;
    rest = target.slice(origin[0].length);
    authority = origin[0].slice(origin[0].indexOf("//") + 2);
  }
  const [path = "", ...query] = rest.split("?");
  return { path: path || "/", query: query.join("?"), authority };
}

/** Returns the length of the body, or that it is chunked; `undefined` if the head is ambiguous. */
function readFraming(
  fields: readonly (readonly [string, string])[],
  minorVersion: number,
): number | "chunked" | undefined {
  const valuesOf = (name: string) => fields.flatMap(([one, value]) => (one === name ? value : []));
  const lengths = valuesOf("content-length");
  const codings = valuesOf("transfer-encoding");
  if (codings.length === 0) {
    if (lengths.length === 0) return 0;
    const [length = ""] = lengths;
    return lengths.length === 1 && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
  }
  const isKnown = codings.length === 1 && codings[0]?.toLowerCase() === "chunked";
  return isKnown && lengths.length === 0 && minorVersion === 1 ? "chunked" : undefined;
}

function persists(connection: string | undefined, minorVersion: number): boolean {
  const options = (connection ?? "").split(",").map((option) => option.trim().toLowerCase());
  if (options.includes("close")) return false;
  return minorVersion === 1 || options.includes("keep-alive");
}

interface Body {
  readonly data: string;
  readonly state: ReferenceRequest["bodyEnd"];
  readonly end: number;
}

function readBody(text: string, start: number, { request, contentLength }: Head): Body {
  if (request.isChunked) return readChunks(text, start);
  const end = start + contentLength;
  const data = text.slice(start, end);
  return { data, state: end <= text.length ? "complete" : "incomplete", end };
}

function readChunks(text: string, start: number): Body {
  let data = "";
  let at = start;
  let overhead = 0;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return { data, state: unfinishedLine(text.slice(at)), end: text.length };
    const size = CHUNK_LINE.exec(text.slice(at, lineEnd))?.[1];
    overhead += lineEnd - at - (size?.length ?? 0);
    if (size === undefined || overhead > MAX_OVERHEAD) return { data, state: "malformed", end: at };
    at = lineEnd + 2;
    const length = Number.parseInt(size, 16);
    if (length === 0) return readTrailers(text, at, data, overhead);
    data += text.slice(at, at + length);
    const after = text.slice(at + length, at + length + 2);
    if (!"\r\n".startsWith(after)) return { data, state: "malformed", end: at };
    if (after.length < 2) return { data, state: "incomplete", end: text.length };
    at += length + 2;
  }
}

/** Returns how a line without its end counts: as incomplete, unless it has an invalid line end. */
function unfinishedLine(line: string): "incomplete" | "malformed" {
  return /[\r\n](?!$)|\n/.test(line) ? "malformed" : "incomplete";
}

/**
 * Fields that no trailer may have, because they would change how or for whom the request is read (RFC 9110, section
 * 6.5.1): framing, routing, modifiers of the request, authentication, the format of the content.
 */
const NO_TRAILER = new RegExp(
  [
    "^(?:content-(?:length|encoding|type|range)|transfer-encoding|te|trailer|host|connection|keep-alive",
    "proxy-connection|upgrade|cache-control|expect|max-forwards|pragma|range|if-.*",
    "(?:proxy-)?authorization|(?:set-)?cookie|forwarded|x-forwarded-(?:for|host|proto))$",
  ].join("|"),
);

function readTrailers(text: string, start: number, data: string, before: number): Body {
  let at = start;
  let overhead = before;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return { data, state: unfinishedLine(text.slice(at)), end: text.length };
    if (lineEnd === at) return { data, state: "complete", end: at + 2 };
    const name = FIELD.exec(text.slice(at, lineEnd))?.[1]?.toLowerCase();
    overhead += lineEnd - at;
    if (name === undefined || NO_TRAILER.test(name) || overhead > MAX_OVERHEAD) {
      return { data, state: "malformed", end: at };
    }
    at = lineEnd + 2;
  }
}

/** A response as a client reads it. */
export interface ReferenceResponse {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
  /** How many interim responses (1xx) came before it. */
  readonly interim: number;
  /** Whether it is complete. */
  readonly isWhole: boolean;
}

/**
 * Reads a server's output as the responses to requests with these methods. `isOver`: the connection has ended, which
 * ends a body without a length. Also returns how many interim responses follow the last one. Throws an `Error` that
 * says where the text is not a valid response.
 */
export function readResponses(
  text: string,
  methods: readonly string[],
  isOver: boolean,
): { readonly responses: readonly ReferenceResponse[]; readonly interim: number } {
  const responses: ReferenceResponse[] = [];
  let at = 0;
  let interim = 0;
  while (at < text.length) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (headEnd === -1) throw new Error(`a head without an end: ${JSON.stringify(text.slice(at))}`);
    const [statusLine = "", ...lines] = text.slice(at, headEnd).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(statusLine)?.[1]);
    const fields = new Map<string, string>();
    for (const line of lines) {
      const [, name = "", value = ""] = FIELD.exec(line) ?? [];
      if (name === "" || fields.has(name)) throw new Error(`no field: ${JSON.stringify(line)}`);
      fields.set(name, value);
    }
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
    at = headEnd + 4;
    if (status < 200) {
      interim++;
      continue;
    }
    const isBodiless = methods[responses.length] === "HEAD" || status === 204 || status === 304;
    const body = isBodiless
      ? ({ data: "", state: "complete", end: at } as const)
      : readResponseBody(text, at, fields, isOver);
    if (body.state === "malformed") throw new Error(`no body: ${JSON.stringify(text.slice(at))}`);
    responses.push({
      status,
      fields,
      body: body.data,
      interim,
      isWhole: body.state === "complete",
    });
    at = body.end;
    interim = 0;
  }
  return { responses, interim };
}

function readResponseBody(text: string, start: number, fields: ReadonlyMap<string, string>, isOver: boolean): Body {
  if (fields.get("transfer-encoding") === "chunked") return readChunks(text, start);
  const length = fields.get("content-length");
  if (length === undefined) {
    const data = text.slice(start);
    return { data, state: isOver ? "complete" : "incomplete", end: text.length };
  }
  const end = start + Number(length);
  const data = text.slice(start, end);
  return { data, state: data.length === Number(length) ? "complete" : "incomplete", end };
}
