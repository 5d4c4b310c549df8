/*
 * A program for Node. Each line of standard input is a JSON array of inputs, with one character per byte. For each
 * line, writes a line: a JSON array of how Node's HTTP server reads these inputs.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";
import { comparedFields, type Reading, type ReadRequest, settled } from "./reading.ts";

const readings = new WeakMap<Duplex, Reading>();

/** The bytes of one connection; written bytes are dropped. */
class Connection extends Duplex {
  override _read(): void {}
  override _write(_bytes: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

const server = createServer({ maxHeaderSize: 16 * 1024, requireHostHeader: false });
server.on("request", read);
// Without a listener for these events, Node responds by itself.
server.on("checkContinue", read);
server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
  reject(request.socket, "unknown expectation");
  response.end();
});
server.on("connect", (request: IncomingMessage, socket: Duplex) => {
  record(request).body = "";
  reject(socket, "CONNECT ends HTTP");
});
server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
  reject(socket, error.code ?? error.message);
});

function reject(socket: Duplex, reason: string): void {
  const reading = readings.get(socket);
  if (reading !== undefined) reading.rejection ??= reason;
}

function record(request: IncomingMessage): ReadRequest {
  const { method = "", url = "", rawHeaders } = request;
  const fields: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = "", value = ""] = [rawHeaders[i]?.toLowerCase(), rawHeaders[i + 1]];
    if (!comparedFields.includes(name)) continue;
    const before = fields[name];
    fields[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
  }
  const [path = "", ...query] = url.replace(/^[a-z]+:\/\/[^/?]*/i, "").split("?");
  const one = { method, path: path || "/", query: query.join("?"), fields, body: null };
  readings.get(request.socket)?.requests.push(one);
  return one;
}

function read(request: IncomingMessage, response: ServerResponse): void {
  const one = record(request);
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    one.body = Buffer.concat(parts).toString("latin1");
    response.end();
  });
  request.on("error", () => undefined);
}

async function readingsOf(streams: readonly string[]): Promise<Reading[]> {
  const connections = streams.map((stream) => {
    const connection = new Connection();
    connection.on("error", () => undefined);
    readings.set(connection, { requests: [], rejection: undefined });
    server.emit("connection", connection);
    connection.push(Buffer.from(stream, "latin1"));
    return connection;
  });
  await settled();
  return connections.map((connection) => {
    const reading = structuredClone(readings.get(connection) as Reading);
    connection.destroy();
    return reading;
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await readingsOf(JSON.parse(line) as string[]);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
