// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type {
  AuditPage,
  WebhookDelivery,
  WebhookDeliveryList,
  WebhookInfo,
  WebhookList,
  WebhookWithSecret,
} from "@antechamber/client/protocol";
import { Webhook } from "standardwebhooks";
import { type Answer, problemOf, type RequestOptions } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { until } from "../support/eventually.ts";
import type { TestServer } from "../support/in-process.ts";
import { apiOf, holders, serveKeys } from "../support/key-holders.ts";
import { type Receiver, startReceiver } from "../webhooks/receiver.ts";

onEachEngine(({ test, empty }) => {
  let server: TestServer;
  let receiver: Receiver;
  before(async () => {
    server = await serveKeys(holders, await empty());
    receiver = await startReceiver();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  const call = (method: string, path: string, options?: RequestOptions) =>
    apiOf(server, holders.administrator).call(method, path, options);
  const create = async (members: object = {}) =>
    bodyOf(await call("POST", "/webhooks", { json: { url: receiver.url, ...members } }), 201) as WebhookWithSecret;
  const deliveries = async (id: string, query = "") =>
    bodyOf(await call("GET", `/webhooks/${id}/deliveries${query}`)) as WebhookDeliveryList;

  test("many changes of an endpoint at the same time all succeed", async () => {
    const { id } = await create();
    const changes = Array.from({ length: 40 }, (_, i) => ({ description: `change ${i}` }));
    const answers = await Promise.all(changes.map((json) => call("PATCH", `/webhooks/${id}`, { json })));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  });

  test("an endpoint is created with a secret that is shown once, listed, changed and removed", async () => {
    const json = { url: receiver.url, types: ["session.ended", "session.created"], description: "Läden" };
    const created = await call("POST", "/webhooks", { json });
    const { secret, ...info } = bodyOf(created, 201) as WebhookWithSecret;
    assert.equal(created.headers.get("location"), `/webhooks/${info.id}`);
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.match(info.id, /^wh_[\da-f]{18}$/);
    const { createdAt } = info;
    assert.deepEqual(info, {
      ...{ id: info.id, url: receiver.url, types: ["session.created", "session.ended"], description: "Läden" },
      ...{ isEnabled: true, disabledReason: null, createdAt, updatedAt: createdAt },
      ...{ secrets: [{ createdAt, expiresAt: null }], pending: 0, oldestPendingAt: null },
    });
    const path = `/webhooks/${info.id}`;
    assert.deepEqual(bodyOf(await call("GET", path)), info);
    const { webhooks } = bodyOf(await call("GET", "/webhooks")) as WebhookList;
    assert.deepEqual(
      webhooks.filter(({ id }) => id === info.id),
      [info],
    );

    const change = { types: null, description: null, isEnabled: false };
    const updated = bodyOf(await call("PATCH", path, { json: change })) as WebhookInfo;
    assert.deepEqual({ ...updated, updatedAt: createdAt }, { ...info, ...change });
    assert.deepEqual(bodyOf(await call("GET", path)), updated);
    problemOf(await call("POST", `${path}/test`), 400, "invalid-request");

    assert.equal((await call("DELETE", path)).status, 204);
    for (const [method, rest] of [
      ...[["GET", ""] as const, ["PATCH", ""] as const, ["DELETE", ""] as const, ["POST", "/test"] as const],
      ...[["POST", "/rotate-secret"] as const, ["GET", "/deliveries"] as const],
      ...[["POST", "/deliveries/1/redeliver"] as const],
    ]) {
      const problem = problemOf(await call(method, `${path}${rest}`), 404, "not-found");
      assert.match(problem.detail, /no endpoint of webhooks/);
    }
  });

  test("a request with faults is refused with each of them, and changes nothing", async () => {
    const known = (await call("GET", "/webhooks")).text;
    const faultsOf = async (json: unknown) => {
      const { errors = [] } = problemOf(await call("POST", "/webhooks", { json }), 400, "invalid-request");
      return errors.map(({ name }) => name).join();
    };
    assert.equal(await faultsOf({}), "url");
    assert.equal(await faultsOf([7]), "");
    assert.equal(await faultsOf({ url: 7, types: "session.ended", description: 1, isEnabled: "yes" }), faults);
    assert.equal(await faultsOf({ url: "http://example.com", types: [], description: "x".repeat(257) }), threeFaults);
    for (const url of ["https://10.0.0.1/", "https://169.254.169.254/", "https://[::ffff:10.0.0.1]/", "ftp://a.b"]) {
      assert.equal(await faultsOf({ url }), "url", url);
    }
    for (const types of [["webhook.test"], ["session.ended", "other"], [7]]) {
      assert.equal(await faultsOf({ url: receiver.url, types }), "types");
    }
    assert.equal((await call("GET", "/webhooks")).text, known);
    const { id } = await create();
    problemOf(await call("PATCH", `/webhooks/${id}`, { json: { url: "http://example.com" } }), 400, "invalid-request");
    assert.equal((bodyOf(await call("GET", `/webhooks/${id}`)) as WebhookInfo).url, receiver.url);
    assert.equal((await call("DELETE", `/webhooks/${id}`)).status, 204);
  });

  test("a test event arrives with a signature that the published library accepts, also with both secrets of a rotation", async () => {
    const { id, secret } = await create();
    const sendTest = async () => {
      const queued = bodyOf(await call("POST", `/webhooks/${id}/test`), 202) as WebhookDelivery;
      const arrived = () => receiver.received.find(({ headers }) => headers["webhook-id"] === queued.eventId);
      await until("the test event arrives", () => arrived() !== undefined);
      const { headers, body } = arrived() ?? assert.fail();
      return { queued, body, headers: headers as Record<string, string> };
    };
    const { queued, headers, body } = await sendTest();
    assert.equal(queued.type, "webhook.test");
    const { timestamp, ...event } = new Webhook(secret).verify(body, headers) as { timestamp: string };
    assert.deepEqual(event, { id: queued.eventId, type: "webhook.test", data: {} });
    assert.ok(Math.abs(Date.parse(timestamp) - server.now()) < 60_000);
    await until("it is delivered", async () => (await deliveries(id)).deliveries[0]?.state === "delivered");
    const [delivery] = (await deliveries(id)).deliveries;
    assert.deepEqual(
      [delivery?.attempts, delivery?.lastAttempt?.status, delivery?.lastAttempt?.error, delivery?.nextAttemptAt],
      [1, 204, null, null],
    );

    const rotated = bodyOf(await call("POST", `/webhooks/${id}/rotate-secret`)) as WebhookWithSecret;
    assert.notEqual(rotated.secret, secret);
    assert.equal(rotated.secrets.length, 2);
    const during = await sendTest();
    for (const each of [secret, rotated.secret]) new Webhook(each).verify(during.body, during.headers);
    const atOnce = { json: { graceSeconds: 0 } };
    const last = bodyOf(await call("POST", `/webhooks/${id}/rotate-secret`, atOnce)) as WebhookWithSecret;
    assert.equal(last.secrets.length, 1);
    const afterwards = await sendTest();
    new Webhook(last.secret).verify(afterwards.body, afterwards.headers);
    assert.throws(() => new Webhook(rotated.secret).verify(afterwards.body, afterwards.headers));
    for (const graceSeconds of [-1, 604_801, 0.0001, 1.5, "1"]) {
      const json = { graceSeconds };
      problemOf(await call("POST", `/webhooks/${id}/rotate-secret`, { json }), 400, "invalid-request");
    }

    // Sent again, an event has the same id.
    const count = receiver.received.length;
    const again = await call("POST", `/webhooks/${id}/deliveries/${queued.id}/redeliver`);
    assert.equal((bodyOf(again, 202) as WebhookDelivery).state, "pending");
    await until("it arrives again", () => receiver.received.length === count + 1);
    assert.equal(receiver.received.at(-1)?.headers["webhook-id"], queued.eventId);
    problemOf(await call("POST", `/webhooks/${id}/deliveries/99/redeliver`), 404, "not-found");
    const all = (await deliveries(id)).deliveries.map((one) => one.id);
    const { deliveries: page, next } = await deliveries(id, "?limit=2&cursor=");
    const rest = await deliveries(id, `?limit=2&cursor=${next}`);
    assert.deepEqual(
      [...page, ...rest.deliveries].map((one) => one.id),
      all,
    );
    problemOf(await call("GET", `/webhooks/${id}/deliveries?state=lost&cursor=x&limit=0`), 400, "invalid-request");
    for (const query of ["status=failed", "state=failed&state=pending"]) {
      problemOf(await call("GET", `/webhooks/${id}/deliveries?${query}`), 400, "invalid-request");
    }
    assert.equal((await call("DELETE", `/webhooks/${id}`)).status, 204);
  });

  test("audit trail, log and lists contain no secret, and no path or query of a URL", async () => {
    const url = `${receiver.url}/private-path?token=private-token`;
    const { id, secret } = await create({ url });
    const rotated = bodyOf(await call("POST", `/webhooks/${id}/rotate-secret`)) as WebhookWithSecret;
    await call("POST", `/webhooks/${id}/test`);
    await until("it is delivered", async () => (await deliveries(id)).deliveries[0]?.state === "delivered");
    const list = (await call("GET", "/webhooks")).text + JSON.stringify(await deliveries(id));
    const { entries } = bodyOf(await call("GET", "/audit?limit=100")) as AuditPage;
    const origin = new URL(url).origin;
    const acts = entries.filter(({ details }) => details["webhook"] === id);
    assert.deepEqual(acts.map(({ what }) => what).toReversed(), [
      ...["webhook.create", "webhook.rotate-secret", "webhook.test"],
    ]);
    assert.ok(acts.every(({ details }) => details["url"] === origin));
    for (const one of [secret, rotated.secret]) {
      for (const text of [list, JSON.stringify(entries), server.log()]) assert.ok(!text.includes(one.slice(6)));
    }
    for (const text of [JSON.stringify(entries), server.log()]) assert.ok(!text.includes("private-"));
    assert.equal((await call("DELETE", `/webhooks/${id}`)).status, 204);
  });

  test("the metrics show attempts by outcome, and the queue of each endpoint", async () => {
    const { id } = await create({ url: "http://127.0.0.1:1/" });
    await call("POST", `/webhooks/${id}/test`);
    await until("it has failed", async () => (await deliveries(id)).deliveries[0]?.state === "failed");
    assert.equal((await deliveries(id, "?state=failed")).deliveries[0]?.lastAttempt?.error, "connection");
    const isShown = async (line: string) => (await call("GET", "/metrics")).text.includes(`\nantechamber_${line}\n`);
    assert.ok(await isShown('webhook_attempts_total{outcome="failed"} 1'));
    for (const line of [`webhook_pending{webhook="${id}"} 0`, `webhook_oldest_pending_seconds{webhook="${id}"} 0`]) {
      await until(line, () => isShown(line));
    }
    assert.equal((await call("DELETE", `/webhooks/${id}`)).status, 204);
  });
});

const faults = "url,types,description,isEnabled";
const threeFaults = "url,types,description";

function bodyOf(answer: Answer, status = 200): unknown {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return JSON.parse(answer.text) as unknown;
}
