import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { createApi } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { keyFor, serve, unlimited } from "../support/in-process.ts";
import { requestText } from "../support/raw-http.ts";

/*
 * Rate limits, trusted proxies and the audit trail depend on the peer's address, which the runtime no longer knows
 * once a client has reset its connection.
 */

const trustedProxies = [parseRange("127.0.0.1") as AddressRange];
const client = "192.0.2.1";

/** Sends a request and resets the connection at once, without waiting for a response. */
async function sendAndReset(port: number, request: string): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  await new Promise((resolve) => socket.write(request, resolve));
  socket.resetAndDestroy();
  if (!socket.closed) await once(socket, "close");
}

async function allGone(port: number, headers: Record<string, string>): Promise<void> {
  const api = createApi(`http://127.0.0.1:${port}`);
  await eventually(async () => {
    const { text } = await api.call("GET", "/metrics", { headers });
    // Up to four connections of the test itself stay open.
    assert.ok(/^antechamber_connections [1-4]$/m.test(text), "some connections are still there");
  });
}

test("a client that resets its connection at once is subject to the limits of its address", async () => {
  const { key, bearer } = keyFor({ role: "administrator" });
  const perAddress = { ...unlimited, creates: { count: 3, period: 60_000 } };
  const config = { auth: "key", perAddress, trustedProxies } as const;
  await using server = await serve({ config, keys: [key], frozen: true });
  const api = createApi(server.url);
  const headers = { authorization: bearer, "x-forwarded-for": client };
  const create = () => api.create({ headers: { ...headers, gkc_customerId: "c" } });
  for (let i = 0; i < 3; i++) assert.equal((await create()).status, 200);
  assert.equal((await create()).status, 429);
  const fields = [`Authorization: ${bearer}`, `X-Forwarded-For: ${client}`, "gkc_customerId: c"];
  const request = requestText("PUT /sessions/new", fields);
  // With many at once, some connections are reset before the server handles their requests.
  await Promise.all(Array.from({ length: 100 }, () => sendAndReset(server.port, request)));
  await allGone(server.port, headers);
  const { text } = await api.call("GET", "/sessions?customerId=c", { headers });
  assert.equal((JSON.parse(text) as { sessions: unknown[] }).sessions.length, 3);
});

test("an operation of a client that resets its connection is audited with the address, or is not executed", async () => {
  const { key, bearer } = keyFor({ role: "administrator" });
  await using server = await serve({ config: { auth: "key", trustedProxies }, keys: [key] });
  const api = createApi(server.url);
  const headers = { authorization: bearer, "x-forwarded-for": client };
  const fields = [`Authorization: ${bearer}`, `X-Forwarded-For: ${client}`];
  const erase = requestText("DELETE /customers/c", fields);
  await Promise.all(Array.from({ length: 50 }, () => sendAndReset(server.port, erase)));
  await allGone(server.port, headers);
  const { text } = await api.call("GET", "/audit?limit=200", { headers });
  const { entries } = JSON.parse(text) as { entries: { from: string }[] };
  for (const { from } of entries) assert.equal(from, client);
});
