import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { readResponse } from "../../src/http/response.ts";
import { createHttpCalls } from "../../src/stores/http-calls.ts";
import { createSessionCalls } from "../../src/stores/session-calls.ts";

/** Reads a response that arrives in two parts, whichever these are, and returns its status and text. */
function readInParts(text: string, rest = ""): readonly [number, string] {
  const bytes = Buffer.from(text + rest);
  const end = Buffer.byteLength(text);
  for (let length = 0; length < end; length++) {
    const needed = readResponse(bytes.subarray(0, length));
    assert.ok(typeof needed === "number" && needed > length && needed <= end, `${length}: ${JSON.stringify(needed)}`);
  }
  const read = readResponse(bytes);
  assert.ok(typeof read === "object");
  assert.equal(read.end, end);
  return [read.response.status, read.response.text];
}

test("responses are read whole: with a length, in chunks, without a body, and after interim responses", () => {
  const cases: readonly (readonly [response: string, status: number, text: string])[] = [
    ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{ü}", 200, "{ü}"],
    ["HTTP/1.1 404 \r\nx: y\r\ncontent-length:0\r\n\r\n", 404, ""],
    ["HTTP/1.1 204 No Content\r\nETag: a\r\n\r\n", 204, ""],
    ["HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 200, "{}"],
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nA;x=y\r\n\r\n01234567\r\n1\r\n}\r\n0\r\n\r\n",
      200,
      "{\r\n01234567}",
    ],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\ntrailer: a\r\n\r\n", 200, ""],
  ];
  for (const [response, ...expected] of cases) {
    assert.deepEqual(readInParts(response), expected);
    assert.deepEqual(readInParts(response, "HTTP/1.1"), expected);
  }
});

test("bytes that are no response, or a response without a length, are refused", () => {
  const wrong = [
    "SSH-2.0-x\r\n\r\n",
    "HTTP/1.1 99 x\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
  ];
  for (const text of wrong) assert.throws(() => readResponse(Buffer.from(text)), Error, text);
});

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/** Starts a server that handles the bytes of each connection with `answer`; `count` is the number of the connection. */
async function listen(answer: (socket: Socket, count: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const own = sockets.push(socket);
    socket.on("error", () => undefined).on("data", () => answer(socket, own));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`,
    connections: () => sockets.length,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("a connection is used again, and replaced if the service has closed it meanwhile", async () => {
  await using server = await listen((socket, count) => {
    if (count === 1 && socket.bytesRead > 200) socket.destroy();
    else socket.write(OK, () => count === 2 && socket.destroy());
  });
  const send = createHttpCalls({ url: server.url, key: "", timeout: 60_000 });
  for (let call = 0; call < 6; call++) {
    assert.equal((await send({ method: "GET", path: "/sessions/x" })).text, "{}");
  }
  assert.ok(server.connections() > 1 && server.connections() < 6, String(server.connections()));
  await using closing = await listen((socket) => socket.end(OK.replace("\r\n", "\r\nconnection: close\r\n")));
  const sendThere = createHttpCalls({ url: closing.url, key: "", timeout: 60_000 });
  for (let call = 0; call < 3; call++) assert.equal((await sendThere({ method: "GET", path: "/" })).text, "{}");
  assert.equal(closing.connections(), 3);
});

test("a call ends in time if there is no response, half of one, or something else, and then fails at once", async (context) => {
  // The pause after failures does not end during the test, however long the machine takes.
  const now = performance.now();
  context.mock.method(performance, "now", () => now);
  const answers: readonly [answer: (socket: Socket) => unknown, code: string][] = [
    [() => undefined, "timeout"],
    [(socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{"), "timeout"],
    [(socket) => socket.destroy(), "network"],
    [(socket) => socket.write("220 mail.example ESMTP\r\n\r\n"), "network"],
    [(socket) => socket.write(`${OK}${OK}`), ""],
    [(socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n${"x".repeat(2 << 20)}`), "network"],
  ];
  for (const [answer, code] of answers) {
    await using server = await listen(answer);
    const send = createHttpCalls({ url: server.url, key: "", timeout: code === "timeout" ? 300 : 60_000 });
    const codeOf = () =>
      send({ method: "GET", path: "/" }).then(
        () => "",
        (error: { code: string }) => error.code,
      );
    const codes = await Promise.all([codeOf(), codeOf(), codeOf()]);
    assert.deepEqual(codes, [code, code, code]);
    assert.equal(await codeOf(), code === "" ? "" : "unavailable");
  }
});

test("an answer that is not a session is an error, and does not replace the visitor's session", async () => {
  const id = "x".repeat(40);
  const strange = ["{}", "[]", "null", '{"sessionId":5}', JSON.stringify({ sessionId: `${id}; Domain=example.org` })];
  for (const text of strange) {
    const calls = createSessionCalls(async () => ({ text, etag: undefined }));
    await assert.rejects(calls.create(), { code: "unexpected-answer" }, text);
    await assert.rejects(calls.retrieve(id), { code: "unexpected-answer" }, text);
    await assert.rejects(calls.rotate(id), { code: "unexpected-answer" }, text);
  }
  const calls = createSessionCalls(async () => ({
    text: JSON.stringify({ sessionId: id, data: [] }),
    etag: undefined,
  }));
  await assert.rejects(calls.retrieve(id), { code: "unexpected-answer" });
});
