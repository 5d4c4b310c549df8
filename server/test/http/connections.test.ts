import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";

const request = "PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

test("an idle connection is kept as long as the answers say", async () => {
  await using server = await serve();
  const idle = await Promise.all([
    keptAs(server.port, request),
    keptAs(server.port, "GET /sessions/unknown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    keptAs(server.port, "POST /sessions/unknown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
  ]);
  assert.deepEqual(idle, [
    [200, 200],
    [200, 200],
    [404, 200],
  ]);
});

/** Sends a request, waits as long as its answer allows, and sends another one: the statuses of both. */
async function keptAs(port: number, first: string): Promise<number[]> {
  const socket = connect({ host: "127.0.0.1", port }).setEncoding("latin1");
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
    socket.write(request);
    // Without an answer it ends.
    await Promise.race([once(socket, "data"), once(socket, "close")]);
    return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  } finally {
    socket.destroy();
  }
}

test("a client that goes away in the middle of its body is no defect", async () => {
  await using server = await serve();
  const fields = "Content-Type: application/json\r\nContent-Length: 100\r\n";
  const socket = connect({ host: "127.0.0.1", port: server.port });
  socket.write(`PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n{"visitId":`);
  await once(socket, "connect");
  const api = createApi(server.url);
  // The first is there before the server may have seen anything of the other.
  sessionOf(await api.create());
  socket.destroy();
  const refused = 'antechamber_requests_total{operation="create",status="400"} 1';
  await eventually(async () => {
    const { text } = await api.call("GET", "/metrics");
    assert.ok(text.includes(refused), "the request is not over");
  }, 5000);
  assert.doesNotMatch(server.log(), /defect|AbortError|ECONNRESET/);
});
