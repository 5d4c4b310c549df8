import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection, type ConnectionContext } from "../../src/http/http1/connection.ts";
import { Outbox } from "../../src/http/http1/outbox.ts";
import { createResponseHeads } from "../../src/http/http1/response-head.ts";
import type { Transport } from "../../src/http/http1/transport.ts";
import type { ApiRequest, ApiResponse, BodyError } from "../../src/http/messages.ts";

/** A peer that takes so many bytes, and then none until it is told to. */
class Peer implements Transport {
  readonly peer = "";
  text = "";
  room = Number.POSITIVE_INFINITY;
  unsent = 0;
  state: "open" | "ended" | "destroyed" = "open";
  isPaused = false;

  write(bytes: Buffer, start: number, end: number): boolean {
    this.text += bytes.toString("latin1", start, end);
    this.unsent = Math.max(0, end - start - this.room);
    return this.unsent === 0;
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

const patience = { idle: 13, head: 10, request: 15, stalled: 30, lingering: 2 };
const ok: ApiResponse = { status: 200, headers: {}, body: "x".repeat(1000) };

/** A connection whose seconds pass when the test says so. */
function open(handle: (request: ApiRequest) => ApiResponse | Promise<ApiResponse> = () => ok) {
  const heads = createResponseHeads({ keepAliveSeconds: 10 });
  heads.tick(0);
  const atEndOfTurn: (() => void)[] = [];
  const endTurn = () => {
    for (const work of atEndOfTurn.splice(0)) work();
  };
  const context: ConnectionContext & { now: number } = {
    handle,
    heads,
    out: Buffer.alloc(64 * 1024),
    outbox: new Outbox((flush) => void atEndOfTurn.push(flush)),
    patience,
    now: 0,
    defect: assert.ifError,
    refuse: ({ status }) => ({ status, headers: {}, body: null }),
    hasLongHead: () => false,
    closed: () => undefined,
  };
  const peer = new Peer();
  const connection = new Connection(peer, context);
  return {
    peer,
    connection,
    endTurn,
    /** When nothing is left that goes on by itself. */
    async settled() {
      do {
        endTurn();
        await new Promise((resolve) => setImmediate(resolve));
      } while (atEndOfTurn.length > 0);
    },
    receive(text: string) {
      connection.received(Buffer.from(text, "latin1"));
      endTurn();
    },
    pass(seconds: number) {
      for (let i = 0; i < seconds; i++) {
        context.now++;
        connection.check();
        endTurn();
      }
    },
  };
}

const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const withBody = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";

test("a connection without a request is ended, and what does not end then is cut off", () => {
  const { peer, pass } = open();
  pass(12);
  assert.equal(peer.state, "open");
  pass(1);
  assert.equal(peer.state, "ended");
  pass(2);
  assert.equal(peer.state, "destroyed");
});

test("each answer begins the time without a request anew", () => {
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

test("a head has its time from its first byte, however it goes on", () => {
  const { peer, receive, pass } = open();
  pass(5);
  for (const byte of "GET / HTTP") {
    receive(byte);
    pass(1);
  }
  assert.match(peer.text, /^HTTP\/1\.1 408 /);
  assert.equal(peer.state, "ended");
});

test("a body has its time, and whoever waits for it hears that it broke off", async () => {
  const { peer, receive, pass, settled } = open(async (asked) => {
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
  await settled();
  assert.match(peer.text, /^HTTP\/1\.1 408 /);
  assert.equal(peer.state, "ended");
});

/** Responds with the received body, or with the reason why it did not arrive. */
async function echo(asked: ApiRequest): Promise<ApiResponse> {
  const body = await asked.body(10_000_000).then(
    (bytes) => Buffer.from(bytes ?? []).toString("latin1"),
    (error: BodyError) => error.fault,
  );
  return { status: 200, headers: {}, body };
}

test("a client that half-closes in the middle of a waiting body gets the refusal at once", async () => {
  const { promise, resolve } = Promise.withResolvers<ApiResponse>();
  const { peer, receive, connection, settled } = open((asked) =>
    asked.path === "/first" ? promise : echo(asked),
  );
  receive(`GET /first HTTP/1.1\r\nHost: h\r\n\r\n${withBody}abc`);
  connection.ended();
  assert.equal(peer.text, "");
  resolve(ok);
  await settled();
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 3);
  assert.match(peer.text, /\r\nconnection: close\r\n.*\r\n\r\ngone$/s);
  assert.equal(peer.state, "ended");
});

test("requests that were sent before a half-close are still answered", async () => {
  const { peer, receive, connection, settled } = open(echo);
  // More than is read in one turn.
  const chunks = "1\r\nx\r\n".repeat(50_000);
  receive(`PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  connection.ended();
  while (peer.state === "open") await settled();
  assert.ok(peer.text.endsWith(`\r\n\r\n${"x".repeat(50_000)}`));
});

test("a body in tiny chunks is read in many turns, and no more is received meanwhile", async () => {
  const { peer, receive, settled } = open(echo);
  const chunks = "1\r\nx\r\n".repeat(100_000);
  receive("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  receive(chunks);
  let turns = 0;
  for (; peer.isPaused; turns++) await settled();
  assert.ok(turns > 10, `${turns} turns`);
  receive(`0\r\n\r\n${request}`);
  await settled();
  assert.ok(peer.text.includes("x".repeat(100_000)));
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 3);
});

test("a request that is being handled has all the time it takes", async () => {
  const { promise, resolve } = Promise.withResolvers<ApiResponse>();
  const { peer, receive, pass, settled } = open(() => promise);
  receive(request);
  pass(1000);
  assert.equal(peer.state, "open");
  resolve(ok);
  await settled();
  assert.match(peer.text, /^HTTP\/1\.1 200 /);
});

test("an answer of which nothing is read is given up, one that is read slowly is not", () => {
  const { peer, receive, connection, pass, endTurn } = open();
  peer.room = 500;
  receive(request + request);
  for (let i = 0; i < 5; i++) {
    pass(29);
    peer.unsent -= 10;
  }
  assert.equal(peer.state, "open");
  // The second request waits until the first has its answer.
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 2);
  peer.room = Number.POSITIVE_INFINITY;
  peer.unsent = 0;
  connection.drained();
  endTurn();
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, 3);
  peer.room = 0;
  receive(request);
  pass(60);
  assert.equal(peer.state, "destroyed");
});

test("a client that reads no heads is sent no more of them", async () => {
  const long = { status: 200, headers: {}, body: new Uint8Array(1_000_000) };
  const stream = () => ({ ...long, body: new Response("x".repeat(1000)).body });
  for (const answer of [() => long, stream]) {
    const { peer, receive, settled, pass } = open(answer);
    peer.room = 100;
    receive("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100));
    await settled();
    assert.equal(peer.text.split("HTTP/1.1 200 ").length, 2);
    pass(60);
    assert.equal(peer.state, "destroyed");
  }
});

test("an answer has ended when the end of its stream has gone out", async () => {
  const { peer, receive, connection, settled } = open(() => ({
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
  while (!peer.text.endsWith("0\r\n\r\n")) await settled();
  await settled();
  assert.equal(peer.state, "open");
  peer.unsent = 0;
  connection.drained();
  await settled();
  assert.equal(peer.state, "ended");
});

test("what has not gone out yet when the connection is ended has its time", () => {
  const { peer, receive, connection, pass } = open();
  // As Node has it: handed over, and not all of it gone out.
  peer.write = (bytes, start, end) => {
    peer.text += bytes.toString("latin1", start, end);
    peer.unsent = 500;
    return true;
  };
  receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert.equal(peer.state, "ended");
  pass(20);
  assert.equal(peer.state, "ended");
  assert.equal(connection.isBusy, true);
  peer.unsent = 0;
  assert.equal(connection.isBusy, false);
  pass(1);
  assert.equal(peer.state, "ended");
  pass(2);
  assert.equal(peer.state, "destroyed");
});

test("a client that goes on sending after the last response has time to read it, and no more is received", () => {
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

test("no more is received than somebody asks for", async () => {
  const { promise, resolve } = Promise.withResolvers<ApiResponse>();
  const { peer, receive, settled } = open(() => promise);
  receive(withBody.replace("5", "1000000"));
  receive("x".repeat(60_000));
  assert.equal(peer.isPaused, false);
  receive("x".repeat(10_000));
  assert.equal(peer.isPaused, true);
  resolve(ok);
  await settled();
  // Too much to be passed over: the answer is the last.
  assert.equal(peer.isPaused, false);
  assert.match(peer.text, /\r\nconnection: close\r\n/);
});

test("requests that come while one is handled are kept, up to a limit", async () => {
  const { promise, resolve } = Promise.withResolvers<ApiResponse>();
  const many = 3000;
  let handled = 0;
  const { peer, receive, settled } = open(() => {
    handled++;
    return handled === 1 ? promise : ok;
  });
  const hasHandledAll = () => handled === many;
  for (let i = 0; i < many; i++) receive(request);
  assert.equal(peer.isPaused, true);
  resolve(ok);
  do await settled();
  while (!hasHandledAll());
  assert.equal(peer.isPaused, false);
  assert.equal(peer.text.split("HTTP/1.1 200 ").length, many + 1);
});
