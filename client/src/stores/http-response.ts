/** A response of the service. */
export interface HttpResponse {
  readonly status: number;
  /** Returns the value of a header; `null` if there is none. The name is in lower case. */
  header(name: string): string | null;
  readonly text: string;
}

/** A response, and where it ends in the received bytes. */
export interface ReadResponse {
  readonly response: HttpResponse;
  readonly end: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)/;
const CHUNK_SIZE = /^[\da-f]{1,8}/i;
/** The statuses whose responses have no body (RFC 9112, section 6.3). */
const WITHOUT_BODY = [204, 304];

/**
 * Reads the response to a request other than HEAD (RFC 9112); interim responses are skipped. Returns `undefined` if the
 * bytes are only the beginning of a response. Throws an `Error` if they are not a response, or if the body has no length.
 */
export function readResponse(bytes: Buffer): ReadResponse | undefined {
  for (let start = 0; ; ) {
    const headEnd = bytes.indexOf("\r\n\r\n", start, "latin1");
    if (headEnd === -1) return undefined;
    const head = bytes.toString("latin1", start, headEnd);
    const status = Number(STATUS_LINE.exec(head)?.[1]);
    if (Number.isNaN(status)) throw new Error("the response is not HTTP/1.1");
    start = headEnd + 4;
    if (status < 200) continue;
    const names = head.toLowerCase();
    const header = (name: string) => headerIn(head, names, name);
    const body = WITHOUT_BODY.includes(status) ? { text: "", end: start } : readBody(bytes, start, header);
    return body && { response: { status, header, text: body.text }, end: body.end };
  }
}

type Body = { readonly text: string; readonly end: number };

function readBody(bytes: Buffer, start: number, header: HttpResponse["header"]): Body | undefined {
  if (header("transfer-encoding") !== null) return readChunks(bytes, start);
  const length = header("content-length") ?? "";
  if (!/^\d{1,15}$/.test(length)) throw new Error("the response has no valid length");
  const end = start + Number(length);
  return end > bytes.length ? undefined : { text: bytes.toString("utf8", start, end), end };
}

function readChunks(bytes: Buffer, start: number): Body | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd === -1) return undefined;
    const [digits] = CHUNK_SIZE.exec(bytes.toString("latin1", at, lineEnd)) ?? [];
    if (digits === undefined) throw new Error("the response has a chunk without a size");
    const size = Number.parseInt(digits, 16);
    const chunkStart = lineEnd + 2;
    if (size === 0) {
      // The last chunk is followed by trailers, each a line, and an empty line.
      const end = bytes.indexOf("\r\n\r\n", lineEnd, "latin1");
      return end === -1 ? undefined : { text: Buffer.concat(chunks).toString(), end: end + 4 };
    }
    at = chunkStart + size + 2;
    if (at > bytes.length) return undefined;
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
