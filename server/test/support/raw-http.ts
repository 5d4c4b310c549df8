import { once } from "node:events";
import { connect } from "node:net";

/** An answer as it came over the wire. */
export interface RawResponse {
  readonly status: number;
  /** Names in lower case; several of one name joined by a line feed. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A connection on which a test says exactly what it wants to, byte for byte. */
export interface RawConnection extends AsyncDisposable {
  /** Text is sent as one byte a character: `\u00e9` is the byte E9. */
  send(data: string | Uint8Array): void;
  /** The next answer. `head`: to a HEAD request, so without a body whatever its headers say. */
  response(options?: { head?: boolean }): Promise<RawResponse>;
  /** Resolves once the other side has closed; with what it sent beyond the answers that were read. */
  closed(): Promise<string>;
  end(): void;
}

/** Connects to a port of this machine. */
export async function openConnection(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let received = Buffer.alloc(0);
  const state = { isOver: false };
  let wake = () => {};
  const changed = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  for (const end of ["end", "close", "error"]) {
    // A reset is an end like any other here.
    socket.on(end, () => {
      state.isOver = true;
      wake();
    });
  }
  await once(socket, "connect");

  return {
    send: (data) =>
      void socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data),
    async response({ head = false } = {}) {
      for (;;) {
        const parsed = parseResponse(received, head);
        if (parsed !== undefined) {
          received = received.subarray(parsed.length);
          return parsed.response;
        }
        if (state.isOver)
          throw new Error(`closed after ${JSON.stringify(received.toString("latin1"))}`);
        await changed();
      }
    },
    async closed() {
      while (!state.isOver) await changed();
      return received.toString("latin1");
    },
    end: () => void socket.end(),
    [Symbol.asyncDispose]: () => Promise.resolve(void socket.destroy()),
  };
}

/** Sends one request and gives its answer. */
export async function exchange(
  port: number,
  request: string | Uint8Array,
  options: { head?: boolean } = {},
): Promise<RawResponse> {
  await using connection = await openConnection(port);
  connection.send(request);
  return await connection.response(options);
}

/** A request's text: the line, a Host, the headers as given, and a body with its length. */
export function requestText(line: string, headers: readonly string[] = [], body = ""): string {
  const length = body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body, "latin1")}`];
  const head = [`${line} HTTP/1.1`, "Host: localhost", ...headers, ...length];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/** Text as the bytes of its UTF-8, one character each: what `send` turns into those bytes. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function parseResponse(
  bytes: Buffer,
  head: boolean,
): { response: RawResponse; length: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [line = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map<string, string>();
  for (const field of lines) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}\n${value}` : value);
  }
  const status = Number(line.split(" ")[1]);
  const rest = bytes.subarray(end + 4);
  const bodyless = head || status === 204 || status === 304 || status < 200;
  const body = bodyless ? { text: "", length: 0 } : parseBody(rest, headers);
  if (body === undefined) return undefined;
  return { response: { status, headers, body: body.text }, length: end + 4 + body.length };
}

function parseBody(
  bytes: Buffer,
  headers: ReadonlyMap<string, string>,
): { text: string; length: number } | undefined {
  if (headers.get("transfer-encoding") === "chunked") return parseChunks(bytes);
  const length = Number(headers.get("content-length") ?? 0);
  if (bytes.length < length) return undefined;
  return { text: bytes.toString("utf8", 0, length), length };
}

function parseChunks(bytes: Buffer): { text: string; length: number } | undefined {
  let text = "";
  let at = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, end), 16);
    const next = end + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { text, length: next };
    text += bytes.toString("utf8", end + 2, end + 2 + size);
    at = next;
  }
}
