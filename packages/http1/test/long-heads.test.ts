import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer } from "../src/server.ts";
import type { Transport } from "../src/transport.ts";

/** A client that collects its responses as text. */
class Client implements Transport {
  readonly peer = "192.0.2.1";
  readonly bufferedBytes = 0;
  text = "";

  write(bytes: Buffer, start: number, end: number): boolean {
    this.text += bytes.toString("latin1", start, end);
    return true;
  }
  pause() {}
  resume() {}
  end() {}
  destroy() {}
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** A request with a head of about this many bytes. */
const request = (bytes: number) => `GET / HTTP/1.1\r\nHost: h\r\nX: ${"x".repeat(bytes)}\r\n\r\n`;

const CLIENTS = 20;

/** `atOnce`: the maximum number of requests of a client that are handled when they arrive. */
for (const [what, sent, count, atOnce] of [
  ["long heads", request(9000).repeat(3), 3, 0],
  ["many heads at once", request(1000).repeat(30), 30, 8],
] as const) {
  test(`only a few of ${what} are handled in each turn of the event loop, and all in the end`, async () => {
    const handled: string[] = [];
    const server = createServer(
      ({ path }) => {
        handled.push(path);
        return { status: 200, headers: {}, body: new Uint8Array(5000) };
      },
      { onDefect: assert.ifError },
    );
    const clients = Array.from({ length: CLIENTS }, () => new Client());
    for (const client of clients) server.connect(client).received(Buffer.from(sent));
    assert.ok(handled.length <= atOnce * CLIENTS, `${handled.length} requests at once`);
    let most = 0;
    for (let turns = 0; handled.length < count * CLIENTS; turns++) {
      assert.ok(turns < 1000, `${handled.length} requests are handled at last`);
      const before = handled.length;
      await turn();
      most = Math.max(most, handled.length - before);
    }
    // In a turn, four connections each handle 8 KiB of heads and one more head. `turn` may wait for two turns.
    assert.ok(most <= 2 * 4 * 9, `${most} requests in a turn`);
    await turn();
    for (const { text } of clients) assert.equal(text.split("HTTP/1.1 200 ").length - 1, count);
    server.close();
  });
}

test("while a long head waits, a client that half-closes still gets its response, and one that disconnects is forgotten", async () => {
  let handled = 0;
  const server = createServer(
    async (incoming) => {
      handled++;
      const body = await incoming.body(100).then(String, (error: Error) => error.message);
      return { status: 200, headers: {}, body };
    },
    { onDefect: assert.ifError },
  );
  const text = request(9000).replace("X:", "Content-Length: 5\r\nX:");
  const [patient, gone] = [new Client(), new Client()];
  const events = server.connect(patient);
  events.received(Buffer.from(`${text}abc`));
  events.ended();
  assert.equal(handled, 0);
  const left = server.connect(gone);
  left.received(Buffer.from(text));
  left.closed();
  for (let turns = 0; patient.text === "" && turns < 10; turns++) await turn();
  assert.match(patient.text, /^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*does not arrive: gone$/);
  assert.equal(gone.text, "");
  assert.equal(handled, 1);
  assert.equal(server.isBusy, false);
  server.close();
});

test("the body of a request whose long head waits is not changed", async () => {
  const bodies: string[] = [];
  const server = createServer(
    (incoming) => {
      if (!incoming.hasBody) return { status: 200, headers: {}, body: new Uint8Array(5000) };
      return incoming.body(100).then((body) => {
        bodies.push(Buffer.from(body ?? []).toString());
        return { status: 200, headers: {}, body: null };
      });
    },
    { onDefect: assert.ifError },
  );
  const withBody = request(9000).replace("X:", "Content-Length: 5\r\nX:");
  // The body contains blank lines, and text that looks like another request.
  const sent = `${request(9000)}${withBody}\r\n\r\nG${withBody}GET /`;
  for (const size of [1000, 9000, sent.length]) {
    const client = new Client();
    const events = server.connect(client);
    for (let at = 0; at < sent.length; at += size) {
      events.received(Buffer.from(sent.slice(at, at + size)));
      if (size === 1000) await turn();
    }
    events.ended();
    for (let turns = 0; bodies.length < 2; turns++) {
      assert.ok(turns < 100, `${bodies.length} bodies, in pieces of ${size}`);
      await turn();
    }
    assert.deepEqual(bodies.splice(0), ["\r\n\r\nG", "GET /"]);
  }
  server.close();
});
