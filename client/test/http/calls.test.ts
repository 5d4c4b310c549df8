// needs: openssl

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { temporaryDirectory } from "../../../server/test/support/temporary-directory.ts";
import { createServerTransport } from "../../src/http/transport.ts";

const isNode = !("Bun" in globalThis);
const session = JSON.stringify({ sessionId: "x".repeat(40) });
const DISPATCHER = Symbol.for("undici.globalDispatcher.1");
const scope = globalThis as { [DISPATCHER]?: unknown };

/** Starts an HTTP server. `agents` are the User-Agents of its requests, which show how a request was sent. */
async function serveHttp(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown = (_, response) => response.end(session),
) {
  const agents: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    agents.push(request.headers["user-agent"]);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    agents,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const isDirect = (agent: string | undefined) => agent === "antechamber-client";

test("calls use own connections on Node, and the global fetch wherever it is another than that of Node", async () => {
  await using server = await serveHttp();
  const transport = createServerTransport({ url: server.url });
  const sentDirectly = async () => {
    await transport.create();
    return isDirect(server.agents.at(-1));
  };
  assert.equal(await sentDirectly(), isNode);

  const original = globalThis.fetch;
  globalThis.fetch = Object.assign((...given: Parameters<typeof fetch>) => original(...given), original);
  assert.equal(await sentDirectly(), false);
  globalThis.fetch = original;
  assert.equal(await sentDirectly(), isNode);

  // Loads Node's undici, which sets its own dispatcher.
  void (await original(server.url)).text();
  assert.equal(await sentDirectly(), isNode);
  const dispatcher = scope[DISPATCHER];
  // A dispatcher that drops its handler would leave `fetch` without an end: on the oldest Node not even a signal ends it.
  scope[DISPATCHER] = new (class ProxyAgent {
    dispatch() {
      throw new Error("no proxy");
    }
  })();
  await createServerTransport({ url: server.url, attempts: 1 })
    .create()
    .catch(() => undefined);
  assert.equal(server.agents.slice(6).some(isDirect), false);
  scope[DISPATCHER] = dispatcher;
  assert.equal(await sentDirectly(), isNode);

  const seen: unknown[] = [];
  const subscriber = (request: unknown) => seen.push(request);
  channel("undici:request:create").subscribe(subscriber);
  assert.equal(await sentDirectly(), false);
  channel("undici:request:create").unsubscribe(subscriber);
  assert.equal(seen.length, isNode ? 1 : 0);
  assert.equal(await sentDirectly(), isNode);

  let calls = 0;
  const own: typeof fetch = Object.assign((...given: Parameters<typeof fetch>) => {
    calls++;
    return original(...given);
  }, original);
  await createServerTransport({ url: server.url, fetch: own }).create();
  assert.deepEqual([calls, isDirect(server.agents.at(-1))], [1, false]);
});

test("ids in any alphabet arrive, in the header and in the body", async () => {
  const received: unknown[] = [];
  await using server = await serveHttp(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const header = Buffer.from(String(request.headers["gkc-customerid"]), "latin1").toString();
    received.push(header, (JSON.parse(Buffer.concat(chunks).toString()) as { visitId: string }).visitId);
    response.end(session);
  });
  const transport = createServerTransport({ url: server.url });
  for (const visitId of ["v", "Besuch für 客"]) await transport.create({ customerId: "Zoë 客", visitId });
  assert.deepEqual(received, ["Zoë 客", "v", "Zoë 客", "Besuch für 客"]);
});

test("a text that would end its header is not sent", async () => {
  await using server = await serveHttp();
  const transport = createServerTransport({ url: server.url, attempts: 1 });
  for (const text of ['a"\r\nx: y', "\u0000", "客"]) {
    const call = transport.mergeData("x".repeat(40), {}, { ifMatch: text });
    await assert.rejects(call, { code: "network" }, JSON.stringify(text));
  }
  assert.equal(server.agents.length, 0);
});

test("a redirection is followed, and later calls then go by fetch at once", async () => {
  await using server = await serveHttp((request, response) => {
    if (request.url?.startsWith("/sessions")) response.writeHead(308, { location: `/there${request.url}` }).end();
    else response.end(session);
  });
  const transport = createServerTransport({ url: server.url });
  for (let call = 0; call < 2; call++) assert.equal((await transport.create()).sessionId, "x".repeat(40));
  assert.deepEqual(server.agents.map(isDirect), [isNode, false, false, false, ...(isNode ? [false] : [])]);
});

/** Starts a server that handles the first bytes of each connection with `answer`. */
async function listen(answer: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createNetServer((socket) => {
    sockets.push(socket.on("error", () => undefined).once("data", () => answer(socket)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("a response without a length, which ends with its connection, is read", async () => {
  await using server = await listen((socket) => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${session}`));
  const transport = createServerTransport({ url: server.url });
  for (let call = 0; call < 2; call++) assert.equal((await transport.create()).sessionId, "x".repeat(40));
});

test("a large response arrives whole, whether with a length or in chunks", async () => {
  const text = JSON.stringify({ sessionId: "x".repeat(40), label: "é".repeat(2_000_000) });
  await using server = await serveHttp((request, response) => {
    if (request.url?.includes("data")) response.setHeader("content-length", Buffer.byteLength(text));
    else response.write(text.slice(0, 100));
    response.end(request.url?.includes("data") ? text : text.slice(100));
  });
  const transport = createServerTransport({ url: server.url });
  assert.equal(JSON.stringify(await transport.retrieveWithData("x".repeat(40))), text);
  assert.equal(JSON.stringify(await transport.retrieve("x".repeat(40))), text);
  assert.deepEqual(server.agents.map(isDirect), [isNode, isNode]);
});

test("a call that is aborted, or takes too long, ends at once and closes its connection", async () => {
  await using server = await listen(() => undefined);
  const stop = new AbortController();
  const aborted = createServerTransport({ url: server.url }).retrieve("x".repeat(40), {}, { signal: stop.signal });
  while (server.sockets.length === 0 || server.sockets[0]?.bytesRead === 0) await new Promise(setImmediate);
  const closed = new Promise((resolve) => server.sockets[0]?.on("close", resolve));
  stop.abort(new Error("enough"));
  await assert.rejects(aborted, { message: "enough" });
  await closed;
  await assert.rejects(createServerTransport({ url: server.url }).create({}, { signal: stop.signal }), {
    message: "enough",
  });
  assert.equal(server.sockets.length, 1);
  // More calls than there are connections.
  const transport = createServerTransport({ url: server.url, timeout: 150, attempts: 1 });
  const calls = await Promise.allSettled(Array.from({ length: 300 }, () => transport.create()));
  assert.ok(calls.every((call) => call.status === "rejected" && (call.reason as { code: string }).code === "timeout"));
});

test("over https a certificate is checked, and a later connection continues the TLS session", async () => {
  await using directory = temporaryDirectory();
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(directory.path, name)) as [string, string];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"];
  execFileSync("openssl", ["req", "-x509", ...kind, "-keyout", key, "-out", cert], { stdio: "pipe" });
  const resumed: boolean[] = [];
  const options = { cert: readFileSync(cert), key: readFileSync(key) };
  const server = createSecureServer(options, ({ socket }, response) => {
    // Bun's sockets do not have this method.
    resumed.push((socket as Partial<TLSSocket>).isSessionReused?.() ?? false);
    // The session arrives after the handshake. So it is there when the response is.
    setImmediate(() => response.setHeader("connection", "close").end(session));
  }).listen(0, "localhost");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env;
  try {
    const transport = createServerTransport({ url, attempts: 1 });
    await assert.rejects(transport.create(), { code: "network" });
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    for (let call = 0; call < 2; call++) assert.equal((await transport.create()).sessionId, "x".repeat(40));
    assert.deepEqual(resumed, [false, isNode]);
  } finally {
    if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});
