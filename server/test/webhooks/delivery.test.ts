// runs: once

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { EventInfo, WebhookDeliveryList, WebhookInfo, WebhookWithSecret } from "@antechamber/client/protocol";
import { parseAllowedHosts } from "../../src/network/receivers.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { until } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { HOUR, MINUTE, SECOND } from "../support/sessions.ts";
import { type Received, startReceiver, startTcpReceiver } from "./receiver.ts";

/*
 * Events on their way from a session to a receiver, with a real server whose time the tests set.
 */

/** Creates an endpoint, and returns it with functions that show its state. */
async function endpointAt(server: TestServer, url: string, types?: readonly EventInfo["type"][]) {
  const api = createApi(server.url);
  const created = await api.call("POST", "/webhooks", { json: { url, ...(types && { types }) } });
  assert.equal(created.status, 201, created.text);
  const { id } = JSON.parse(created.text) as WebhookWithSecret;
  const path = `/webhooks/${id}`;
  return {
    id,
    path,
    info: async () => JSON.parse((await api.call("GET", path)).text) as WebhookInfo,
    deliveries: async () =>
      (JSON.parse((await api.call("GET", `${path}/deliveries`)).text) as WebhookDeliveryList).deliveries,
  };
}

const eventIn = ({ body }: Received) => JSON.parse(body) as EventInfo;

/** Returns the events that were received, as `<type> <customer>`. */
function shownIn(received: readonly Received[]): string[] {
  return received.map((one) => {
    const event = eventIn(one);
    return `${event.type} ${"session" in event.data ? event.data.session.customerId : ""}`.trim();
  });
}

/** Lets each session of a customer be created, associated and ended. Returns the number of events. */
async function live(server: TestServer, ...customers: string[]): Promise<number> {
  const api = createApi(server.url);
  for (const customer of customers) {
    const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: customer } }));
    sessionOf(await api.update(sessionId, { json: { globalVisitId: "g" } }));
    assert.equal((await api.call("DELETE", `/sessions/${sessionId}`)).status, 204);
  }
  return 3 * customers.length;
}

/** Returns the number of deliveries in the database, those of removed endpoints too. */
function deliveriesIn({ dataDir }: TestServer): number {
  using database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  return Number(database.prepare("SELECT count(*) AS count FROM webhook_deliveries").get()?.["count"]);
}

/** Returns the bytes of all files of the store. */
function filesIn({ dataDir }: TestServer): string {
  const names = readdirSync(dataDir).filter((name) => name.startsWith("antechamber.db"));
  return names.map((name) => readFileSync(join(dataDir, name), "latin1")).join("");
}

test("what happens to a session arrives in order, with the same content as in the log, and only the chosen types", async () => {
  await using server = await serve();
  await using all = await startReceiver();
  await using ended = await startReceiver();
  await live(server, "before");
  const { info } = await endpointAt(server, all.url);
  await endpointAt(server, ended.url, ["session.ended", "customer.erased"]);
  await live(server, "one", "two");
  const expected = ["one", "two"].map((customer) => [
    `session.created ${customer}`,
    `session.associated ${customer}`,
    `session.ended ${customer}`,
  ]);
  await until("all arrive", () => all.received.length === 6 && ended.received.length === 2);
  for (const [i, customer] of ["one", "two"].entries()) {
    assert.deepEqual(
      shownIn(all.received).filter((text) => text.endsWith(customer)),
      expected[i],
    );
  }
  assert.deepEqual(shownIn(ended.received), ["session.ended one", "session.ended two"]);
  const ids = all.received.map(({ headers }) => headers["webhook-id"]);
  assert.deepEqual(
    ids,
    all.received.map((one) => eventIn(one).id),
  );
  assert.equal(new Set(ids).size, 6);
  await until("nothing is pending", async () => (await info()).pending === 0);

  const { text } = await createApi(server.url).call("DELETE", "/customers/one");
  assert.equal((JSON.parse(text) as { sessions: number }).sessions, 1);
  await until("the erasure arrives", () => shownIn(ended.received).includes("customer.erased"));
});

test("a failed delivery is retried when it is due, its session waits, and other sessions do not", async () => {
  let isDown = true;
  await using server = await serve({ frozen: true });
  await using receiver = await startReceiver((response, one) => {
    response.writeHead(isDown && one.body.includes('"first"') ? 500 : 200).end();
  });
  const { deliveries } = await endpointAt(server, receiver.url);
  await live(server, "first", "second");
  await until("the others arrive", () => receiver.received.length === 4);
  await until("the result is stored", async () => (await deliveries()).some(({ attempts }) => attempts === 1));
  isDown = false;
  const second = [...["created", "associated", "ended"].map((type) => `session.${type} second`)];
  assert.deepEqual(shownIn(receiver.received).toSorted(), ["session.created first", ...second].toSorted());
  server.pass(4 * SECOND);
  server.pass(2 * SECOND);
  await until("the rest arrives", () => receiver.received.length === 7);
  const first = ["created", "created", "associated", "ended"].map((type) => `session.${type} first`);
  assert.deepEqual(
    shownIn(receiver.received).filter((text) => text.endsWith("first")),
    first,
  );
  const [one, again] = receiver.received.filter(
    ({ body }) => eventIn({ body } as Received).type === "session.created" && body.includes('"first"'),
  );
  assert.equal(one?.headers["webhook-id"], again?.headers["webhook-id"]);
  assert.equal(one?.body, again?.body);
});

test("an outage of an hour loses nothing, the order of each session stays, and other endpoints are not delayed", async () => {
  await using server = await serve({ frozen: true });
  await using healthy = await startReceiver();
  await using hanging = await startTcpReceiver(() => undefined);
  await using resetting = await startTcpReceiver((socket) => socket.resetAndDestroy());
  let respond = (response: ServerResponse) => response.writeHead(503).end();
  await using broken = await startReceiver((response) => void respond(response));
  await endpointAt(server, healthy.url);
  const endpoint = await endpointAt(server, broken.url);
  for (const { url } of [hanging, resetting]) await endpointAt(server, url);
  const customers = Array.from({ length: 10 }, (_, i) => `c${i}`);
  let events = await live(server, ...customers);
  await until("the healthy one has all", () => healthy.received.length === events);
  for (let minutes = 0; minutes < 60; minutes += 10) {
    server.pass(10 * MINUTE);
    events += await live(server, `at ${minutes}`);
    await until("the healthy one has all", () => healthy.received.length === events);
  }
  const attempts = broken.received.length;
  assert.ok(attempts < 60, `${attempts} attempts in an hour`);
  assert.equal((await endpoint.info()).pending, events);
  respond = (response) => response.writeHead(204).end();
  await until("everything arrives", async () => {
    server.pass(MINUTE);
    return (await endpoint.info()).pending === 0;
  });
  const received = shownIn(broken.received.slice(attempts));
  for (const customer of customers) {
    const order = received
      .filter((text) => text.endsWith(` ${customer}`))
      .filter((text, i, all) => text !== all[i - 1]);
    assert.deepEqual(
      order,
      ["created", "associated", "ended"].map((type) => `session.${type} ${customer}`),
    );
  }
  assert.match(server.log(), /"a webhook endpoint does not work/);
  assert.match(server.log(), /"a webhook endpoint works again"/);
});

test("410 disables the endpoint, and an operator can enable it again for what happens from then on", async () => {
  await using server = await serve();
  let status = 410;
  await using receiver = await startReceiver((response) => response.writeHead(status).end());
  const { path, info, deliveries } = await endpointAt(server, receiver.url, ["session.created"]);
  await live(server, "one");
  await until("it is disabled", async () => !(await info()).isEnabled);
  assert.equal((await info()).disabledReason, "gone");
  assert.equal((await deliveries())[0]?.state, "failed");
  await live(server, "missed");
  status = 200;
  const enabled = await createApi(server.url).call("PATCH", path, { json: { isEnabled: true } });
  assert.equal((JSON.parse(enabled.text) as WebhookInfo).disabledReason, null);
  await live(server, "two");
  await until("the next one arrives", () => receiver.received.length === 2);
  assert.deepEqual(shownIn(receiver.received), ["session.created one", "session.created two"]);
});

test("Retry-After is heeded: nothing is sent to the endpoint before", async () => {
  await using server = await serve({ frozen: true });
  let isBusy = true;
  await using receiver = await startReceiver((response) => {
    if (isBusy) response.writeHead(429, { "retry-after": "600" });
    response.end();
  });
  const { deliveries } = await endpointAt(server, receiver.url, ["session.created"]);
  await live(server, "one");
  await until("the result is stored", async () => (await deliveries())[0]?.attempts === 1);
  isBusy = false;
  await live(server, "two");
  server.pass(9 * MINUTE);
  await until("both wait", async () => (await deliveries()).length === 2);
  const { nextAttemptAt } = (await deliveries())[1] ?? assert.fail();
  assert.ok(Date.parse(nextAttemptAt ?? "") - server.now() <= MINUTE);
  assert.equal(receiver.received.length, 1);
  server.pass(2 * MINUTE);
  await until("both arrive", () => receiver.received.length === 3);
});

test("after three days of failures a delivery has failed, is visible, and the next one of its session is tried", async () => {
  await using server = await serve({ frozen: true });
  await using receiver = await startReceiver((response, one) => {
    response.writeHead(one.body.includes("session.created") ? 500 : 200).end();
  });
  const { deliveries } = await endpointAt(server, receiver.url);
  await live(server, "one");
  const first = async () => (await deliveries()).at(-1) ?? assert.fail();
  const startedAt = server.now();
  for (let attempts = 1; attempts < 11; attempts++) {
    await until(`attempt ${attempts}`, async () => (await first()).attempts === attempts);
    server.pass(Date.parse((await first()).nextAttemptAt ?? "") - server.now());
  }
  await until("it has failed", async () => (await first()).state === "failed");
  assert.equal((await first()).attempts, 11);
  const days = (server.now() - startedAt) / (24 * HOUR);
  assert.ok(days > 2.6 && days < 3, `${days} days`);
  // The failures in a row have paused the endpoint.
  server.pass(MINUTE);
  const delivered = async () => (await deliveries()).filter(({ state }) => state === "delivered").length;
  await until("the others arrive", async () => (await delivered()) === 2);
});

test("erasing a customer removes its deliveries, delivered and pending, and the content is in no file", async () => {
  await using server = await serve({ frozen: true });
  let isDown = false;
  await using receiver = await startReceiver((response) => response.writeHead(isDown ? 500 : 200).end());
  const { deliveries } = await endpointAt(server, receiver.url);
  await live(server, "kept");
  await live(server, "who-leaves");
  await until("all are delivered", async () => (await deliveries()).every(({ state }) => state === "delivered"));
  isDown = true;
  await live(server, "who-leaves");
  await until("the next are queued", async () => (await deliveries()).length === 9);
  const files = () => readdirSync(server.dataDir).filter((name) => !name.endsWith(".sock"));
  const isInFiles = () => files().some((name) => readFileSync(join(server.dataDir, name)).includes("who-leaves"));
  assert.ok(isInFiles());
  const erased = await createApi(server.url).call("DELETE", "/customers/who-leaves");
  assert.equal((JSON.parse(erased.text) as { sessions: number }).sessions, 2);
  await until("the erasure is queued", async () => (await deliveries())[0]?.type === "customer.erased");
  assert.equal((await deliveries()).length, 4);
  await until("no file has the customer", () => !isInFiles());
});

test("erasing a customer removes deliveries of sessions that are no longer stored", async () => {
  await using server = await serve({ frozen: true, config: { retention: MINUTE } });
  await using receiver = await startReceiver();
  const { deliveries } = await endpointAt(server, receiver.url);
  await live(server, "kept");
  await live(server, "erased");
  await until("all are delivered", async () => (await deliveries()).every(({ state }) => state === "delivered"));
  server.pass(25 * HOUR);
  const list = async () => (await createApi(server.url).call("GET", "/sessions?customerId=erased")).text;
  await until("the sessions are purged", async () => (JSON.parse(await list()) as { total: number }).total === 0);
  await createApi(server.url).call("DELETE", "/customers/erased");
  await until("the erasure is delivered", async () => (await deliveries())[0]?.type === "customer.erased");
  assert.equal((await deliveries()).length, 4);
  assert.ok(!filesIn(server).includes('"erased"'));
});

test("the deliveries of the last endpoint are purged when it is removed", async () => {
  await using server = await serve();
  await using receiver = await startReceiver();
  const { path } = await endpointAt(server, receiver.url);
  await live(server, "one");
  await until("all arrive", () => receiver.received.length === 3);
  assert.equal((await createApi(server.url).call("DELETE", path)).status, 204);
  await until("no content is left", () => deliveriesIn(server) === 0);
});

test("what waits for a disabled endpoint fails after three days, so that it is purged like the rest", async () => {
  await using server = await serve({ frozen: true });
  await using receiver = await startReceiver((response) => response.writeHead(500).end());
  const { path, deliveries } = await endpointAt(server, receiver.url);
  await live(server, "one");
  await until("all are queued", async () => (await deliveries()).length === 3);
  await createApi(server.url).call("PATCH", path, { json: { isEnabled: false } });
  server.pass(73 * HOUR);
  await until("they have failed", async () => (await deliveries()).every(({ state }) => state === "failed"));
  assert.deepEqual(
    (await deliveries()).map(({ lastAttempt }) => lastAttempt?.error),
    ["overdue", "overdue", "overdue"],
  );
});

test("an endpoint that hangs does not delay others at the same host", async () => {
  await using server = await serve();
  await using receiver = await startReceiver((response, { path }) => {
    if (path === "/fine") response.end();
  });
  const { origin } = new URL(receiver.url);
  for (const path of ["/a", "/b", "/c"]) await endpointAt(server, origin + path);
  const customers = Array.from({ length: 16 }, (_, i) => `c${i}`);
  const events = await live(server, ...customers);
  await until("three endpoints hang", () => receiver.received.length >= 48);
  await endpointAt(server, `${origin}/fine`);
  await live(server, ...customers);
  const fine = () => receiver.received.filter(({ path }) => path === "/fine").length;
  await until("the fourth has all", () => fine() === events);
});

test("a URL with http and a host name is accepted only where the setting lists addresses", async () => {
  await using receiver = await startReceiver();
  for (const listed of [[], ["127.0.0.0/8"]]) {
    await using server = await serve({ config: { webhookAllowedHosts: parseAllowedHosts(listed) } });
    const url = `http://127.0.0.1.nip.invalid:${receiver.port}/`;
    const refused = await createApi(server.url).call("POST", "/webhooks", { json: { url } });
    assert.equal(refused.status, listed.length === 0 ? 400 : 201);
  }
});

test("payloads have no id that opens a session, and no event of an erased customer is queued afterwards", async () => {
  await using server = await serve();
  await using receiver = await startReceiver();
  await endpointAt(server, receiver.url);
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: "c" } }));
  const { sessionId: next } = sessionOf(await api.update(sessionId, { json: { rotate: true } }));
  await until("both arrive", () => receiver.received.length === 2);
  assert.deepEqual(shownIn(receiver.received), ["session.created c", "session.rotated c"]);
  for (const { body, headers } of receiver.received) {
    for (const id of [sessionId, next]) assert.ok(!(body + JSON.stringify(headers)).includes(id));
  }
});
