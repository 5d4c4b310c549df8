/** A response of the service. */
export interface HttpResponse {
  readonly status: number;
  /** `get` returns the value of a header; `null` if there is none. The name is in lower case. */
  readonly headers: { get(name: string): string | null };
  readonly text: string;
}

/** A response, and where it ends in the received bytes. */
export interface ReadResponse {
  readonly response: HttpResponse;
  readonly end: number;
}

/** The error for received bytes that are not a response, or a response that is read only by `fetch`. */
export class UnreadableResponse extends Error {}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)/;
const CHUNK_SIZE = /^[\da-f]{1,8}/i;
/** The statuses whose responses have no body (RFC 9112, section 6.3). */
const WITHOUT_BODY = [204, 304];

/**
 * Reads the response to a request other than HEAD (RFC 9112); interim responses are skipped. If the bytes are only the
 * beginning of a response, returns a length in bytes: fewer are not the whole response. Throws `UnreadableResponse` if they
 * are not a response, or if the body has no length.
 */
export function readResponse(bytes: Buffer): ReadResponse | number {
  for (let start = 0; ; ) {
    const headEnd = bytes.indexOf("\r\n\r\n", start, "latin1");
    if (headEnd === -1) return bytes.length + 1;
    const head = bytes.toString("latin1", start, headEnd);
    const status = Number(STATUS_LINE.exec(head)?.[1]);
    if (Number.isNaN(status)) throw new UnreadableResponse("the response is not HTTP/1.1");
    start = headEnd + 4;
    if (status < 200) continue;
    const names = head.toLowerCase();
    const get = (name: string) => headerIn(head, names, name);
    const body = WITHOUT_BODY.includes(status) ? { text: "", end: start } : readBody(bytes, start, get);
    if (typeof body === "number") return body;
    return { response: { status, headers: { get }, text: body.text }, end: body.end };
  }
}

type Body = { readonly text: string; readonly end: number };

function readBody(bytes: Buffer, start: number, header: HttpResponse["headers"]["get"]): Body | number {
  if (header("transfer-encoding") !== null) return readChunks(bytes, start);
  const length = header("content-length") ?? "";
  if (!/^\d{1,15}$/.test(length)) throw new UnreadableResponse("the response has no valid length");
  const end = start + Number(length);
  return end > bytes.length ? end : { text: bytes.toString("utf8", start, end), end };
}

function readChunks(bytes: Buffer, start: number): Body | number {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd === -1) return bytes.length + 1;
    const [digits] = CHUNK_SIZE.exec(bytes.toString("latin1", at, lineEnd)) ?? [];
    if (digits === undefined) throw new UnreadableResponse("the response has a chunk without a size");
    const size = Number.parseInt(digits, 16);
    const chunkStart = lineEnd + 2;
    if (size === 0) {
      // The last chunk is followed by trailers, each a line, and an empty line.
      const end = bytes.indexOf("\r\n\r\n", lineEnd, "latin1");
      return end === -1 ? bytes.length + 1 : { text: Buffer.concat(chunks).toString(), end: end + 4 };
    }
    at = chunkStart + size + 2;
    if (at > bytes.length) return at;
    chunks.push(bytes.subarray(chunkStart, chunkStart + size));
  }
}

/** Returns the value of a header. `names` is the head in lower case. */
function headerIn(head: string, names: string, name: string): string | null {
  const start = names.indexOf(`\r\n${name}:`);
  if (start === -1) return null;
  const from = start + name.length + 3;
  const end = head.indexOf("\r\n", from);
  return head.slice(from, end === -1 ? undefined : end).trim();
}
