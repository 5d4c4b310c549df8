import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { parseAllowedHosts } from "../../src/network/receivers.ts";
import { createSender, type SenderOptions } from "../../src/webhooks/sender.ts";
import { until } from "../support/eventually.ts";
import { startReceiver, startTcpReceiver } from "./receiver.ts";

/** A sender that is closed at the end of the test. */
function sender(options: Partial<SenderOptions> = {}) {
  const created = createSender({ allowed: parseAllowedHosts([]), userAgent: "Antechamber-Webhooks/test", ...options });
  return { ...created, [Symbol.dispose]: () => created.close() };
}

const message = { pool: "wh_1", headers: { "webhook-id": "msg_1" }, body: '{"é":1}' };

test("a request has the body and the headers, and connections are used again", async () => {
  const ports = new Set<number | undefined>();
  await using receiver = await startReceiver((response) => {
    ports.add(response.socket?.remotePort);
    response.writeHead(200).end("ok");
  });
  using one = sender();
  for (let i = 0; i < 3; i++) {
    const result = await one.send({ ...message, url: `${receiver.url}?a=1&b=%20` });
    assert.deepEqual(result, { status: 200, retryAfter: undefined });
    await until("the body was read", () => receiver.received.length === i + 1);
  }
  const [{ headers, body, path } = assert.fail()] = receiver.received;
  assert.equal(body, message.body);
  assert.equal(path, "/hook?a=1&b=%20");
  assert.equal(headers["webhook-id"], "msg_1");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["content-length"], "8");
  assert.equal(headers["user-agent"], "Antechamber-Webhooks/test");
  assert.equal(headers.host, `127.0.0.1:${receiver.port}`);
  assert.ok(ports.size < 3, `${ports.size} connections for three requests`);
});

test("a signal ends attempts, and keeps nothing of those that are over", async () => {
  await using receiver = await startReceiver();
  await using hanging = await startTcpReceiver(() => undefined);
  using one = sender();
  const ending = new AbortController();
  const sent = await one.send({ ...message, url: receiver.url }, ending.signal);
  assert.deepEqual(sent, { status: 204, retryAfter: undefined });
  assert.equal(getEventListeners(ending.signal, "abort").length, 0);
  const hung = one.send({ ...message, url: hanging.url }, ending.signal);
  ending.abort();
  assert.deepEqual(await hung, { error: "timeout" });
  assert.deepEqual(await one.send({ ...message, url: receiver.url }, ending.signal), { error: "timeout" });
  assert.equal(getEventListeners(ending.signal, "abort").length, 0);
});

test("redirects are not followed, and their statuses are results like any other", async () => {
  await using target = await startReceiver();
  await using receiver = await startReceiver((response) => {
    response.writeHead(307, { location: target.url, "retry-after": "7" }).end();
  });
  using one = sender();
  assert.deepEqual(await one.send({ ...message, url: receiver.url }), { status: 307, retryAfter: "7" });
  assert.equal(target.received.length, 0);
});

test("a receiver that hangs, or sends its head byte by byte, costs no more than the time limit", async () => {
  await using hanging = await startTcpReceiver(() => undefined);
  await using slow = await startTcpReceiver((socket) => {
    const timer = setInterval(() => socket.write("H"), 10);
    socket.write("HTTP/1.1 200 OK\r\nX-Slow: ");
    socket.on("close", () => clearInterval(timer));
  });
  using one = sender({ timeoutMs: 200 });
  for (const { url, connections } of [hanging, slow]) {
    const startedAt = performance.now();
    assert.deepEqual(await one.send({ ...message, url }), { error: "timeout" });
    const took = performance.now() - startedAt;
    assert.ok(took >= 190 && took < 30_000, `${took} ms`);
    await until("the connection is closed", () => connections.size === 0);
  }
});

test("a body is not waited for, and a long or endless one is cut", async () => {
  let bytes = 0;
  await using endless = await startTcpReceiver((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
    const chunk = Buffer.alloc(256 * 1024);
    const write = () => {
      while (!socket.destroyed && bytes < 2 ** 30) {
        bytes += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on("drain", write);
    write();
  });
  await using silent = await startTcpReceiver((socket) => {
    socket.write("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\nHTTP/1.1 500");
  });
  await using waiting = await startTcpReceiver((socket) => {
    socket.write("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nok");
  });
  using one = sender();
  for (const [{ url, connections }, status] of [
    [endless, 200],
    [silent, 204],
    [waiting, 201],
  ] as const) {
    assert.deepEqual(await one.send({ ...message, url }), { status, retryAfter: undefined });
    if (status === 204) continue;
    await until(`the connection is closed after ${status}`, () => connections.size === 0);
  }
  assert.ok(bytes < 64 * 1024 * 1024, `${bytes} bytes were sent`);
});

test("a reset, a closed connection and a response that is not HTTP are failures, and 1xx are skipped", async () => {
  await using reset = await startTcpReceiver((socket) => socket.resetAndDestroy());
  await using closing = await startTcpReceiver((socket) => socket.end());
  await using other = await startTcpReceiver((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n\r\n"));
  await using huge = await startTcpReceiver((socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(200_000)}\r\n\r\n`),
  );
  await using early = await startTcpReceiver((socket) => {
    socket.write("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
  });
  await using interim = await startTcpReceiver((socket) => {
    const flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    const write = () => {
      while (!socket.destroyed && socket.write(flood));
    };
    socket.on("drain", write);
    write();
  });
  using one = sender({ timeoutMs: 60_000 });
  const result = ({ url }: { url: string }) => one.send({ ...message, url });
  assert.deepEqual(await result(reset), { error: "connection" });
  assert.deepEqual(await result(closing), { error: "connection" });
  assert.deepEqual(await result(other), { error: "invalid-response" });
  assert.deepEqual(await result(huge), { error: "invalid-response" });
  assert.deepEqual(await result(interim), { error: "invalid-response" });
  await until("the connection is closed", () => interim.connections.size === 0);
  assert.deepEqual(await result(early), { status: 410, retryAfter: undefined });
  assert.deepEqual(await one.send({ ...message, url: "http://127.0.0.1:1/" }), { error: "connection" });
});

test("a name that leads to an inner address is not connected to, whatever it led to before", async () => {
  await using receiver = await startReceiver();
  const answers = [["127.0.0.1"], ["::1"], ["10.0.0.1", "169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]];
  let next: readonly string[] = [];
  using one = sender({ lookup: async () => next });
  for (const answer of answers) {
    next = answer;
    const result = await one.send({ ...message, url: `https://rebinding.example:${receiver.port}/` });
    assert.deepEqual(result, { error: "address-not-allowed" }, answer.join());
  }
  next = [];
  assert.deepEqual(await one.send({ ...message, url: "https://nobody.example/" }), { error: "unknown-host" });
  assert.equal(receiver.received.length, 0);
});

test("the address that was checked is the one that is connected to, although the name changes", async () => {
  await using receiver = await startReceiver();
  let lookups = 0;
  // The first answer is allowed. A second look-up would lead to a port on which nothing listens.
  const lookup = async () => (lookups++ === 0 ? ["127.0.0.1", "10.0.0.1"] : ["127.0.0.2"]);
  using one = sender({ lookup, allowed: parseAllowedHosts(["127.0.0.1"]) });
  const url = `http://receiver.example:${receiver.port}/hook`;
  assert.deepEqual(await one.send({ ...message, url }), { status: 204, retryAfter: undefined });
  assert.equal(lookups, 1);
  assert.equal(receiver.received[0]?.headers.host, `receiver.example:${receiver.port}`);
});

test("a look-up that never ends is given up after the time limit", async () => {
  using one = sender({ timeoutMs: 100, lookup: () => new Promise(() => undefined) });
  assert.deepEqual(await one.send({ ...message, url: "https://slow.example/" }), { error: "timeout" });
});
