import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

/** A response as it was received. */
export interface RawResponse {
  readonly status: number;
  /** Headers by name in lower case. Several values of one name are joined by a line feed. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A connection on which a test sends any bytes. */
export interface RawConnection extends AsyncDisposable {
  /** Sends a text as one byte per character: `\u00e9` is the byte E9. */
  send(data: string | Uint8Array): void;
  /** Reads the next response. `head`: it is to a HEAD request, so it has no body whatever its headers say. */
  response(options?: { head?: boolean }): Promise<RawResponse>;
  /** Resolves when the server has closed the connection, with the text that was not read as a response. */
  closed(): Promise<string>;
  end(): void;
}

/** Connects to a port of this machine, or to the Unix socket at a path. */
export async function openConnection(address: number | string): Promise<RawConnection> {
  const socket =
    typeof address === "string"
      ? connect({ path: address })
      : connect({ port: address, host: "127.0.0.1", noDelay: true });
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
    // A reset counts as an end of the connection like any other.
    socket.on(end, () => {
      state.isOver = true;
      wake();
    });
  }
  await once(socket, "connect");

  return {
    send: (data) => void socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data),
    async response({ head = false } = {}) {
      for (;;) {
        const parsed = parseResponse(received, head);
        if (parsed !== undefined) {
          received = received.subarray(parsed.length);
          return parsed.response;
        }
        if (state.isOver) throw new Error(`closed after ${JSON.stringify(received.toString("latin1"))}`);
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

/** Sends one request and returns the response. */
export async function exchange(
  address: number | string,
  request: string | Uint8Array,
  options: { head?: boolean } = {},
): Promise<RawResponse> {
  await using connection = await openConnection(address);
  connection.send(request);
  return await connection.response(options);
}

/** Sends one request over a Unix socket, as a proxy on the same machine does. */
export function askSocket(
  path: string,
  method: string,
  target: string,
  { host = "localhost", ...headers }: Readonly<Record<string, string>> = {},
): Promise<RawResponse> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const text = requestText(`${method} ${target}`, lines);
  return exchange(path, text.replace("Host: localhost", `Host: ${host}`));
}

/** Returns a request as text: the line, a Host, the given headers, and a body with its length. */
export function requestText(line: string, headers: readonly string[] = [], body = ""): string {
  const length = body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body, "latin1")}`];
  const head = [`${line} HTTP/1.1`, "Host: localhost", ...headers, ...length];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/** Returns the UTF-8 bytes of a text as one character each, which `send` sends as these bytes. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function parseResponse(bytes: Buffer, head: boolean): { response: RawResponse; length: number } | undefined {
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

function parseBody(bytes: Buffer, headers: ReadonlyMap<string, string>): { text: string; length: number } | undefined {
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

/** Result of sending raw bytes. */
export interface RawOutcome {
  /** Everything that the server sent, one character per byte. */
  readonly received: string;
  /** Number of bytes that the server accepted. */
  readonly sent: number;
  /** True if the server closed the connection, false if the timeout came first. */
  readonly closed: boolean;
}

export interface RawOptions {
  /** Milliseconds until the test closes the connection; 300 by default. */
  readonly timeoutMs?: number;
  /** True to return after the first response. */
  readonly untilResponse?: boolean;
}

/**
 * Sends `pieces` to the server at `url` as fast as it accepts them, and reads until the server closes the connection or
 * the timeout is over. Connection errors count as closing.
 */
export async function sendRaw(
  url: string,
  pieces: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  { timeoutMs = 300, untilResponse = false }: RawOptions = {},
): Promise<RawOutcome> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  let received = "";
  let closed = false;
  const over = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    const close = () => {
      closed = true;
      clearTimeout(timer);
      resolve();
    };
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
      if (untilResponse) resolve();
    });
    socket.on("error", close).on("end", close).on("close", close);
  });
  const sent = await Promise.race([write(socket, pieces), over.then(() => undefined)]);
  await over;
  const taken = sent ?? socket.bytesWritten;
  socket.destroy();
  return { received, sent: taken, closed };
}

/** Returns the status codes of all responses in the received text. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map((match) => Number(match[1]));
}

async function write(
  socket: Socket,
  pieces: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
): Promise<number> {
  for await (const piece of pieces) {
    if (socket.destroyed) break;
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    if (!socket.write(bytes)) await room(socket);
    // Reads a response that has arrived before the next piece is sent.
    await turn();
  }
  return socket.bytesWritten;
}

function room(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      for (const event of ["drain", "error", "close"]) socket.off(event, go);
      resolve();
    };
    for (const event of ["drain", "error", "close"]) socket.on(event, go);
  });
}
