// needs: time

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { problemOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { openConnection, type RawResponse, requestText } from "../support/raw-http.ts";

/*
 * Tests deadlines of connections in real time. They take ten seconds, so all connections wait at the same time.
 * `http1/deadlines.test.ts` tests the other deadlines with a simulated clock.
 */

const create = requestText("PUT /sessions/new");

let server: TestServer;
let idle: Promise<number[][]>;
let incomplete: Promise<RawResponse[]>;
let forwardAuth: Promise<RawResponse[]>;

before(async () => {
  server = await serve();
  const first = [create, requestText("GET /sessions/unknown"), requestText("POST /sessions/unknown")];
  idle = Promise.all(first.map(repeatAfterTimeoutInTime));
  incomplete = responsesTo(`${create}GET / HTTP/1.1\r\nHost: loc`, 2);
  forwardAuth = responsesTo("GET /forward-auth HTTP/1.1\r\nHost: localhost\r\nX: ", 1);
  // The tests await these promises; until then a rejection must not count as unhandled.
  for (const each of [idle, incomplete, forwardAuth]) each.catch(() => undefined);
});
after(() => server[Symbol.asyncDispose]());

test("an idle connection is kept as long as the Keep-Alive header says", async () => {
  assert.deepEqual(await idle, [
    [200, 200],
    [200, 200],
    [404, 200],
  ]);
});

test("an incomplete head is refused with 408, after the response to the request before it", async () => {
  assert.deepEqual(
    (await incomplete).map(({ status }) => status),
    [200, 408],
  );
});

test("an incomplete head is refused with 503 on /forward-auth", async () => {
  for (const { status, headers, body } of await forwardAuth) {
    problemOf({ status, headers, text: body }, 503, "request-timeout");
  }
});

/**
 * Does what `repeatAfterTimeout` does, again if there was only one response: the server keeps the connection three seconds
 * longer than it says, and a busy machine may stand still for that time, but not each time.
 */
async function repeatAfterTimeoutInTime(first: string): Promise<number[]> {
  let statuses: number[] = [];
  for (let i = 0; i < 3 && statuses.length < 2; i++) statuses = await repeatAfterTimeout(first);
  return statuses;
}

/** Sends a request, waits for the time in its Keep-Alive header, and sends another. Returns both status codes. */
async function repeatAfterTimeout(first: string): Promise<number[]> {
  const socket = connect({ host: "127.0.0.1", port: server.port }).setEncoding("latin1");
  try {
    let received = "";
    socket.on("data", (text: string) => {
      received += text;
    });
    socket.write(first);
    await once(socket, "data");
    const seconds = Number(/^keep-alive: timeout=(\d+)\r$/im.exec(received)?.[1]);
    assert.ok(seconds >= 5, received);
    await delay(seconds * 1000);
    socket.write(create);
    // If the server closes the connection, there is no second response.
    await Promise.race([once(socket, "data"), once(socket, "close")]);
    return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  } finally {
    socket.destroy();
  }
}

/** Sends text on a new connection and returns `count` responses, after which the server must close it. */
async function responsesTo(text: string, count: number): Promise<RawResponse[]> {
  await using connection = await openConnection(server.port);
  connection.send(text);
  const responses: RawResponse[] = [];
  while (responses.length < count) responses.push(await connection.response());
  assert.equal(await connection.closed(), "");
  return responses;
}
