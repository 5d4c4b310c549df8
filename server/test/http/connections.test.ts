import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { oneServer } from "../support/one-server.ts";
import { exchange, openConnection, requestText } from "../support/raw-http.ts";

const server = oneServer();

const request = "PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

test("a client that disconnects in the middle of its body causes no error in the log", async () => {
  await using own = await serve();
  const fields = "Content-Type: application/json\r\nContent-Length: 100\r\n";
  const socket = connect({ host: "127.0.0.1", port: own.port });
  socket.write(`PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n{"visitId":`);
  await once(socket, "connect");
  const api = createApi(own.url);
  // The incomplete request was sent earlier, so the server has received it before this response.
  sessionOf(await api.create());
  socket.destroy();
  const refused = 'antechamber_requests_total{operation="create",status="400"} 1';
  await eventually(async () => {
    const { text } = await api.call("GET", "/metrics");
    assert.ok(text.includes(refused), "the request is not over");
  });
  assert.doesNotMatch(own.log(), /defect|AbortError|ECONNRESET/);
});

const json = "Content-Type: application/json";
const visit = (n: number) => JSON.stringify({ visitId: `visit-${n}` });

test("pipelined requests get their responses in order", async () => {
  await using connection = await openConnection(server.port);
  // Every second request waits for the disk, the others do not.
  const requests = Array.from({ length: 100 }, (_, i) =>
    i % 2 === 0
      ? requestText("PUT /sessions/new", [json], visit(i))
      : requestText(`GET /sessions/x?${i}`, [`gkc-customerId: customer-${i}`]),
  );
  connection.send(requests.join(""));
  for (let i = 0; i < requests.length; i++) {
    const { status, body } = await connection.response();
    assert.equal(status, 200, body);
    const told = JSON.parse(body) as { visitId: string | null; customerId: string | null };
    if (i % 2 === 0) assert.equal(told.visitId, `visit-${i}`);
    else assert.equal(told.customerId, `customer-${i}`);
  }
});

test("a request may arrive in pieces of any size", async () => {
  await using connection = await openConnection(server.port);
  const text = requestText("PUT /sessions/new", [json, "gkc_customerId: c"], visit(101));
  for (const size of [1, 7, 64]) {
    for (let at = 0; at < text.length; at += size) {
      connection.send(text.slice(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { status } = await connection.response();
    // The first request creates a session with this visit, so the later ones are refused for that visit.
    assert.equal(status, size === 1 ? 200 : 400);
  }
});

test("blank lines before a request are ignored", async () => {
  await using connection = await openConnection(server.port);
  connection.send(`\r\n\r\n${request}\r\n${request}\r`);
  assert.equal((await connection.response()).status, 200);
  assert.equal((await connection.response()).status, 200);
  connection.send(`\n${request}`);
  assert.equal((await connection.response()).status, 200);
});

test("a chunked body is read to its end", async () => {
  await using connection = await openConnection(server.port);
  const chunks = `5\r\n{"vis\r\nC;x=y\r\nitId":"abc"}\r\n0\r\nX: y\r\n\r\n`;
  const head = `PUT /sessions/new HTTP/1.1\r\nHost: localhost\r\n${json}\r\n`;
  connection.send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunks}${request}`);
  assert.equal((JSON.parse((await connection.response()).body) as { visitId: string }).visitId, "abc");
  assert.equal((await connection.response()).status, 200);
});

test("a client that closes its side of the connection after the request gets a response", async () => {
  await using connection = await openConnection(server.port);
  connection.send(requestText("PUT /sessions/new", [json], visit(102)) + request);
  connection.end();
  assert.equal((await connection.response()).status, 200);
  assert.equal((await connection.response()).status, 200);
  assert.equal(await connection.closed(), "");
});

test("a client that expects 100 Continue gets it, whatever the response will be", async () => {
  await using connection = await openConnection(server.port);
  const expecting = [json, "Expect: 100-continue"];
  const length = `Content-Length: ${visit(103).length}`;
  for (const [line, fields, body, status] of [
    ["PUT /sessions/new", [length], visit(103), 200],
    // Some clients wait for 100 Continue even without a body, and read no response before it.
    ["PUT /sessions/new", ["Content-Length: 0"], "", 200],
    ["PUT /sessions/new", [], "", 200],
    ["GET /sessions/x", [], "", 200],
    ["GET /sessions/x", [length], visit(103), 200],
    ["GET /nowhere", [], "", 404],
    ["PUT /sessions/new", ["Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n", 200],
    ["PUT /sessions/new", ["Content-Length: 20000000"], "", 413],
  ] as const) {
    connection.send(requestText(line, [...expecting, ...fields]));
    assert.equal((await connection.response()).status, 100, line);
    connection.send(body);
    assert.equal((await connection.response()).status, status, line);
  }
  assert.equal(await connection.closed(), "");
});

test("an HTTP/1.0 client gets no 100 Continue, and neither does one whose head is refused", async () => {
  const expecting = "Host: localhost\r\nExpect: 100-continue\r\n";
  for (const [head, status] of [
    [`PUT /sessions/new HTTP/1.0\r\n${expecting}`, 200],
    [`PUT /sessions/new HTTP/1.1\r\n${expecting}Content-Length: x\r\n`, 400],
    [`PUT /sessions/new HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n`, 417],
  ] as const) {
    assert.equal((await exchange(server.port, `${head}\r\n`)).status, status);
  }
});

test("if a body is not read, it is skipped or the connection is closed", async () => {
  await using connection = await openConnection(server.port);
  connection.send(requestText("GET /sessions/x", [], request) + request);
  assert.equal((await connection.response()).status, 200);
  assert.equal((await connection.response()).status, 200);
  connection.send(requestText("GET /sessions/x", [], "x".repeat(1_000_000)));
  const { status, headers } = await connection.response();
  assert.deepEqual([status, headers.get("connection")], [200, "close"]);
  assert.equal(await connection.closed(), "");
});

test("an HTTP/1.0 connection stays open only if the client requests it", async () => {
  await using connection = await openConnection(server.port);
  const old = "GET /sessions/x HTTP/1.0\r\nHost: localhost\r\n";
  connection.send(`${old}Connection: keep-alive\r\n\r\n`);
  const kept = await connection.response();
  assert.deepEqual([kept.status, kept.headers.get("connection")], [200, "keep-alive"]);
  connection.send(`${old}\r\n`);
  const last = await connection.response();
  assert.deepEqual([last.status, last.headers.get("connection")], [200, "close"]);
  assert.equal(await connection.closed(), "");
});

test("Connection: close closes the connection, whatever other options the header has", async () => {
  for (const version of ["1.0", "1.1"]) {
    for (const fields of [
      "Connection: close\r\nConnection: keep-alive\r\n",
      "Connection: keep-alive\r\nConnection: close\r\n",
      "Connection: Keep-Alive, Close\r\n",
    ]) {
      await using connection = await openConnection(server.port);
      connection.send(`GET /sessions/x HTTP/${version}\r\nHost: localhost\r\n${fields}\r\n`);
      const { status, headers } = await connection.response();
      assert.deepEqual([status, headers.get("connection")], [200, "close"]);
      assert.equal(await connection.closed(), "");
    }
  }
});

test("an invalid head is refused as soon as the fault arrives, even in a later packet", async () => {
  for (const fault of ["\x01bad\r\n", "A: b\n", " folded\r\n", "no field\r\n"]) {
    await using connection = await openConnection(server.port);
    connection.send(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nA: ${"b".repeat(100)}\r\n`);
    await delay(5);
    connection.send(fault);
    // A server that waited for the rest of the head would respond with 408 after its timeout.
    assert.equal((await connection.response()).status, 400);
  }
});

test("a body in tiny chunks does not delay other requests, and arrives complete", async () => {
  const { sessionId } = sessionOf(await server.api.create());
  await using connection = await openConnection(server.port);
  const record = JSON.stringify({ method: "GET", path: "/" });
  const body = `[${Array.from({ length: 1000 }, () => record).join(`,${" ".repeat(1000)}`)}]`;
  const chunks = body.replaceAll(/./g, "1\r\n$&\r\n");
  const fields = [json, "Transfer-Encoding: chunked"];
  connection.send(requestText(`POST /sessions/${sessionId}/requests`, fields));
  connection.send(`${chunks}0\r\n\r\n`);
  let others = 0;
  const state = { isOver: false };
  const response = connection.response().finally(() => {
    state.isOver = true;
  });
  await using other = await openConnection(server.port);
  while (!state.isOver) {
    other.send(request);
    await other.response();
    others++;
  }
  const { status, body: receipt } = await response;
  assert.deepEqual([status, receipt], [202, '{"accepted":1000}']);
  assert.ok(others > 50, `${others} answers to others meanwhile`);
});

test("the connection is closed after the response if the client requests it", async () => {
  await using connection = await openConnection(server.port);
  connection.send(requestText("GET /sessions/x", ["Connection: close"]) + request);
  const { status, headers } = await connection.response();
  assert.deepEqual([status, headers.get("connection")], [200, "close"]);
  assert.equal(await connection.closed(), "");
});

test("a request that is not HTTP gets a response that names the fault", async () => {
  for (const [text, status, detail] of [
    ["hello\r\n\r\n", 400, "request line"],
    ["GET / HTTP/3.0\r\n\r\n", 505, "HTTP/1.1"],
    [requestText("GET /", ["Host: b"]), 400, "Host"],
    [requestText("GET /", [`X: ${"y".repeat(20_000)}`]), 431, "too long"],
    [requestText("GET /", ["Transfer-Encoding: gzip, chunked"]), 501, "chunked"],
  ] as const) {
    const answer = await exchange(server.port, text);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal(answer.headers.get("connection"), "close");
    const problem = JSON.parse(answer.body) as { status: number; detail: string };
    assert.equal(problem.status, status);
    assert.ok(problem.detail.includes(detail), problem.detail);
  }
});

test("many concurrent connections each get their own responses", async () => {
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      await using connection = await openConnection(server.port);
      for (let n = 0; n < 5; n++) {
        connection.send(requestText("PUT /sessions/new", [`gkc_customerId: c${i}-${n}`]));
        const { body } = await connection.response();
        assert.equal((JSON.parse(body) as { customerId: string }).customerId, `c${i}-${n}`);
      }
    }),
  );
});

test("many concurrent connections with pipelined requests each get their own responses", async () => {
  const { api } = server;
  const sessions = await Promise.all(
    Array.from({ length: 100 }, async (_, i) =>
      sessionOf(await api.create({ headers: { gkc_customerId: `customer-${i}` } })),
    ),
  );
  await Promise.all(
    sessions.map(async ({ sessionId }) => {
      await using connection = await openConnection(server.port);
      // The responses of these three requests are written by different code paths.
      const lines = [`GET /sessions/${sessionId}`, "PUT /sessions/new", "POST /sessions/unknown"];
      const rounds = 60;
      for (let n = 0; n < rounds; n++) connection.send(lines.map((line) => requestText(line)).join(""));
      for (let n = 0; n < rounds; n++) {
        const { status, body } = await connection.response();
        assert.equal(status, 200);
        assert.equal((JSON.parse(body) as { sessionId: string }).sessionId, sessionId);
        const created = JSON.parse((await connection.response()).body) as { state: string };
        assert.equal(created.state, "anonymous");
        assert.equal((await connection.response()).status, 404);
      }
    }),
  );
});

test("a long document arrives complete, also with HTTP/1.0", async () => {
  const path = "/docs/swagger-ui-bundle.js";
  const whole = await exchange(server.port, requestText(`GET ${path}`));
  assert.ok(whole.body.length > 1_000_000);
  const old = await exchange(server.port, `GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
  assert.ok(old.body === whole.body);
  const head = await exchange(server.port, requestText(`HEAD ${path}`), { head: true });
  assert.equal(head.headers.get("content-length"), whole.headers.get("content-length"));
});
