import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection, type ConnectionContext } from "../src/connection.ts";
import { type BodyError, type HttpRequest, type HttpResponse, SharedPart } from "../src/http-types.ts";
import { ResponseBatcher } from "../src/response-batcher.ts";
import { ResponseHeads } from "../src/response-head.ts";
import type { Transport } from "../src/transport.ts";

/** A peer that accepts `room` bytes of each write. */
class Peer implements Transport {
  readonly peer = "";
  text = "";
  /** The buffer of the last write. */
  last: Buffer | undefined;
  room = Number.POSITIVE_INFINITY;
  bufferedBytes = 0;
  state: "open" | "ended" | "destroyed" = "open";
  isPaused = false;

  write(bytes: Buffer, start: number, end: number): boolean {
    this.text += bytes.toString("latin1", start, end);
    this.last = bytes;
    this.bufferedBytes = Math.max(0, end - start - this.room);
    return this.bufferedBytes === 0;
  }
  pause() {
    this.isPaused = true;
  }
  resume() {
    this.isPaused = false;
  }
  end() {
    this.state = "ended";
  }
  destroy() {
    this.state = "destroyed";
  }
}

const timeouts = { idle: 13, head: 10, request: 15, stalled: 30, lingering: 2 };
const ok: HttpResponse = { status: 200, headers: {}, body: "x".repeat(1000) };

/** Opens a connection whose clock is advanced only by `pass`. */
function open(handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse> = () => ok) {
  const heads = new ResponseHeads(10);
  heads.tick(0);
  const context: ConnectionContext & { now: number } = {
    handle,
    heads,
    out: Buffer.alloc(64 * 1024),
    batcher: new ResponseBatcher(),
    timeouts,
    now: 0,
    onDefect: assert.ifError,
    reject: ({ status }) => ({ status, headers: {}, body: null }),
    hasLongHead: () => false,
    closed: () => undefined,
  };
  const peer = new Peer();
  const connection = new Connection(peer, context);
  return {
    peer,
    connection,
    /** Resolves in the next turn of the event loop. */
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    receive(text: string) {
      connection.received(Buffer.from(text, "latin1"));
    },
    pass(seconds: number) {
      for (let i = 0; i < seconds; i++) {
        context.now++;
        connection.check();
      }
    },
  };
}

const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const withBody = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";

test("an idle connection is half-closed, and destroyed if the peer does not close it", () => {
  const { peer, pass } = open();
  pass(12);
  assert.equal(peer.state, "open");
  pass(1);
  assert.equal(peer.state, "ended");
  pass(2);
  assert.equal(peer.state, "destroyed");
});

test("each response restarts the idle timeout", () => {
  const { peer, receive, pass } = open();
  for (let i = 0; i < 3; i++) {
    pass(12);
    receive(request);
  }
  pass(12);
  assert.equal(peer.state, "open");
  pass(1);
  assert.equal(peer.state, "ended");
});

test("the timeout of a head begins with its first byte", () => {
  const { peer, receive, pass } = open();
  pass(5);
  for (const byte of "GET / HTTP") {
    receive(byte);
    pass(1);
  }
  assert.match(peer.text, /^HTTP\/1\.1 408 /);
  assert.equal(peer.state, "ended");
});

test("a body that takes too long fails for its reader", async () => {
  const { peer, receive, pass, nextTurn } = open(async (asked) => {
    const status = await asked.body(100).then(
      () => 200,
      (error: BodyError) => (error.fault === "late" ? 408 : 400),
    );
    return { status, headers: {}, body: null };
  });
  receive(`${withBody}abc`);
  pass(14);
  assert.equal(peer.text, "");
  pass(1);
  await nextTurn();
  assert.match(peer.text, /^HTTP\/1\.1 408 /);
  assert.equal(peer.state, "ended");
});

/** Responds with the received body, or with the reason why it is incomplete. */
async function echo(asked: HttpRequest): Promise<HttpResponse> {
  const body = await asked.body(10_000_000).then(
    (bytes) => Buffer.from(bytes ?? []).toString("latin1"),
    (error: BodyError) => error.fault,
  );
  return { status: 200, headers: {}, body };
}

test("a client that half-closes in the middle of an unread body gets the refusal at once", async () => {
  const { promise, resolve } = Promise.withResolvers<HttpResponse>();
  const { peer, receive, connection, nextTurn } = open((asked) => (asked.path === "/first" ? promise : echo(asked)));
  receive(`GET /first HTTP/1.1\r\nHost: h\r\n\r\n${withBody}abc`);
  connection.ended();
  assert.equal(peer.text, "");
  resolve(ok);
  await nextTurn();
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 3);
  assert.match(peer.text, /\r\nconnection: close\r\n.*\r\n\r\ngone$/s);
  assert.equal(peer.state, "ended");
});

test("a handler hears when the client ends its side, during its own request alone", async () => {
  let ends = 0;
  const response = Promise.withResolvers<HttpResponse>();
  const { connection } = open((received) => {
    received.onEnd(() => ends++);
    return response.promise;
  });
  connection.received(Buffer.from("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"));
  response.resolve(ok);
  await new Promise(setImmediate);
  connection.ended();
  assert.equal(ends, 0, "the response is sent");

  const second = open((received) => {
    received.onEnd(() => ends++);
    return new Promise(() => undefined);
  });
  second.connection.received(Buffer.from("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"));
  assert.equal(ends, 0);
  second.connection.ended();
  assert.equal(ends, 1);
  second.connection.destroy();
});

test("requests sent before a half-close are still answered", async () => {
  const { peer, receive, connection, nextTurn } = open(echo);
  // More than the server reads in one turn of the event loop.
  const chunks = "1\r\nx\r\n".repeat(50_000);
  receive(`PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  connection.ended();
  while (peer.state === "open") await nextTurn();
  assert.ok(peer.text.endsWith(`\r\n\r\n${"x".repeat(50_000)}`));
});

test("a body in tiny chunks is read in many turns of the event loop, and nothing more is received meanwhile", async () => {
  const { peer, receive, nextTurn } = open(echo);
  const chunks = "1\r\nx\r\n".repeat(100_000);
  receive("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  receive(chunks);
  let turns = 0;
  for (; peer.isPaused; turns++) await nextTurn();
  assert.ok(turns > 10, `${turns} turns`);
  receive(`0\r\n\r\n${request}`);
  await nextTurn();
  assert.ok(peer.text.includes("x".repeat(100_000)));
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 3);
});

test("handling a request has no timeout", async () => {
  const { promise, resolve } = Promise.withResolvers<HttpResponse>();
  const { peer, receive, pass, nextTurn } = open(() => promise);
  receive(request);
  pass(1000);
  assert.equal(peer.state, "open");
  resolve(ok);
  await nextTurn();
  assert.match(peer.text, /^HTTP\/1\.1 200 /);
});

test("the server completes a response that the client reads slowly, and gives up one that the client does not read", () => {
  const { peer, receive, connection, pass } = open();
  peer.room = 500;
  receive(request + request);
  for (let i = 0; i < 5; i++) {
    pass(29);
    peer.bufferedBytes -= 10;
  }
  assert.equal(peer.state, "open");
  // The second request waits until the first has its response.
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 2);
  peer.room = Number.POSITIVE_INFINITY;
  peer.bufferedBytes = 0;
  connection.drained();
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 3);
  peer.room = 0;
  receive(request);
  pass(60);
  assert.equal(peer.state, "destroyed");
});

test("a client that reads no responses to HEAD gets no more of them", async () => {
  const long = { status: 200, headers: {}, body: new Uint8Array(1_000_000) };
  const stream = () => ({ ...long, body: new Response("x".repeat(1000)).body });
  for (const handler of [() => long, stream]) {
    const { peer, receive, nextTurn, pass } = open(handler);
    peer.room = 100;
    receive("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100));
    await nextTurn();
    assert.equal(peer.text.split("HTTP/1.1 200 ").length, 2);
    pass(60);
    assert.equal(peer.state, "destroyed");
  }
});

test("a streamed response has ended when its last chunk has been sent", async () => {
  const { peer, receive, connection, nextTurn } = open(() => ({
    status: 200,
    headers: {},
    body: new Response("x".repeat(1000)).body,
  }));
  const write = peer.write.bind(peer);
  peer.write = (bytes, start, end) => {
    if (end - start === 5) peer.room = 0;
    return write(bytes, start, end);
  };
  receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  while (!peer.text.endsWith("0\r\n\r\n")) await nextTurn();
  await nextTurn();
  assert.equal(peer.state, "open");
  peer.bufferedBytes = 0;
  connection.drained();
  await nextTurn();
  assert.equal(peer.state, "ended");
});

test("a closed connection has time to send its last response", () => {
  const { peer, receive, connection, pass } = open();
  // The write is accepted but not yet sent completely, as on Node.
  peer.write = (bytes, start, end) => {
    peer.text += bytes.toString("latin1", start, end);
    peer.bufferedBytes = 500;
    return true;
  };
  receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert.equal(peer.state, "ended");
  pass(20);
  assert.equal(peer.state, "ended");
  assert.equal(connection.isBusy, true);
  peer.bufferedBytes = 0;
  assert.equal(connection.isBusy, false);
  pass(1);
  assert.equal(peer.state, "ended");
  pass(2);
  assert.equal(peer.state, "destroyed");
});

test("a client that keeps sending after the last response has time to read it, and the server receives no more", () => {
  const { peer, receive, pass } = open();
  receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert.equal(peer.state, "ended");
  for (let i = 0; i < 4; i++) receive("x".repeat(1024 * 1024));
  assert.equal(peer.isPaused, false);
  receive("x");
  assert.deepEqual([peer.isPaused, peer.state], [true, "ended"]);
  pass(3);
  assert.equal(peer.state, "destroyed");
});

test("a body that nobody reads is received only up to a limit", async () => {
  const { promise, resolve } = Promise.withResolvers<HttpResponse>();
  const { peer, receive, nextTurn } = open(() => promise);
  receive(withBody.replace("5", "1000000"));
  receive("x".repeat(60_000));
  assert.equal(peer.isPaused, false);
  receive("x".repeat(10_000));
  assert.equal(peer.isPaused, true);
  resolve(ok);
  await nextTurn();
  // The rest of the body is too long to skip, so this response is the last one.
  assert.equal(peer.isPaused, false);
  assert.match(peer.text, /\r\nconnection: close\r\n/);
});

test("pipelined requests are kept up to a limit while one is handled", async () => {
  const { promise, resolve } = Promise.withResolvers<HttpResponse>();
  const many = 3000;
  let handled = 0;
  const { peer, receive, nextTurn } = open(() => {
    handled++;
    return handled === 1 ? promise : ok;
  });
  const hasHandledAll = () => handled === many;
  for (let i = 0; i < many; i++) receive(request);
  assert.equal(peer.isPaused, true);
  resolve(ok);
  do await nextTurn();
  while (!hasHandledAll());
  assert.equal(peer.isPaused, false);
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, many + 1);
});

test("a shared part is framed once for all connections, and not at all for HTTP/1.0", async () => {
  const part = new SharedPart(new TextEncoder().encode("events").buffer);
  const streamOf = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(part),
    });
  const respond = () => ({ status: 200, headers: {}, body: streamOf() });
  const connections = [open(respond), open(respond), open(respond)] as const;
  const [one, other, older] = connections;
  one.receive(request);
  other.receive(request);
  older.receive("GET / HTTP/1.0\r\n\r\n");
  await one.nextTurn();
  for (const { peer } of [one, other]) assert.match(peer.text, /\r\n\r\n6\r\nevents\r\n$/);
  assert.equal(one.peer.last, other.peer.last);
  assert.match(older.peer.text, /\r\n\r\nevents$/);
  for (const { connection } of connections) connection.closed();
});
