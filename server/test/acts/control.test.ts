// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectControl } from "../../src/control/client.ts";
import type { Admin } from "../../src/control/operations.ts";
import { anySession } from "../../src/session/filter.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { keyFor, serve } from "../support/in-process.ts";
import { assertComplete, inShort, leftBy, trailIn } from "./trail.ts";

const key = keyFor({ role: "agent" }, { id: "k_a" });
const page = { filter: anySession, after: null };

/** Every operation of the control socket: its argument, and the entries that it adds to the audit trail. */
const operations: Readonly<Record<keyof Admin, readonly [argument: unknown, ...leaves: string[]]>> = {
  listKeys: [undefined],
  createKey: [{ name: null, role: "reporter", customerId: null, agentId: null, validFor: null }, "key.create done"],
  rotateKey: [{ id: key.key.id, grace: 0 }, "key.rotate done"],
  revokeKey: [key.key.id, "key.revoke done"],
  getSession: ["unknown"],
  endSession: ["unknown", "session.end done"],
  readTimeline: [{ idOrHandle: "unknown", after: null, limit: 10 }],
  readData: ["unknown"],
  listSessions: [{ ...page, limit: 10 }],
  endSessions: [{ ...page, isDry: false }, "sessions.end done"],
  exportCustomer: [{ customerId: "one", after: null }, "customer.export begun", "customer.export done"],
  eraseCustomer: ["one", "customer.erase begun", "customer.erase done"],
  listWebhooks: [undefined],
  createWebhook: [
    { url: "http://127.0.0.1:1/", types: null, description: null, isEnabled: false },
    "webhook.create done",
  ],
  getWebhook: ["unknown"],
  // `command-line.test.ts` changes an endpoint that exists.
  updateWebhook: [{ id: "unknown", isEnabled: false }],
  removeWebhook: ["unknown"],
  rotateWebhookSecret: [{ id: "unknown", graceMs: 0 }],
  testWebhook: ["unknown"],
  listDeliveries: [{ id: "unknown", state: null, before: null, limit: 10 }],
  redeliver: [{ id: "unknown", deliveryId: "1" }],
  auditTrail: [{ after: 0, limit: 10 }],
  readEvents: [{ after: "start", limit: 10, types: null, customerId: null, waitMs: 0 }],
  readStatistics: [{}],
  noteAct: [{ what: "store.backup", outcome: "begun", details: {} }, "store.backup begun"],
  hashOf: ["one"],
  rotateSecret: [undefined, "secret.rotate done"],
  // The command `migrate` calls this, and adds its own audit entries with `noteAct`.
  exportPage: [null],
};

test("operations of the control socket add their entries to the audit trail, with the operator's name", async () => {
  await using server = await serve({ keys: [key.key] });
  sessionOf(await createApi(server.url).create({ headers: { gkc_customerId: "one" } }));
  const admin = await connectControl(server.dataDir, "änna (uid 1000)");
  assert.ok(admin);
  assertComplete(operations, Object.keys(admin));
  for (const [name, [argument, ...leaves]] of Object.entries(operations)) {
    const ask = admin[name as keyof Admin] as (argument: unknown) => Promise<unknown>;
    const left = await leftBy(server.dataDir, () => ask(argument));
    assert.deepEqual(inShort(left), leaves, name);
    assert.ok(left.every(({ who }) => who.credential === "änna (uid 1000)"));
  }
  const nameless = await connectControl(server.dataDir);
  const [entry] = await leftBy(server.dataDir, async () => nameless?.rotateSecret());
  assert.equal(entry?.who.credential, null);
});

test("the command line cannot add audit entries about operations that the server performs", async () => {
  await using server = await serve();
  const admin = await connectControl(server.dataDir);
  for (const request of [
    { what: "customer.erase", outcome: "done", details: {} },
    { what: "store.backup", outcome: "refused", details: {} },
  ]) {
    const asked = admin?.noteAct(request as Parameters<Admin["noteAct"]>[0]);
    await assert.rejects(asked ?? Promise.resolve(), /has no such act/);
  }
});

test("the audit trail has the same JSON through the control socket as in the store", async () => {
  await using server = await serve();
  const admin = await connectControl(server.dataDir);
  await admin?.rotateSecret();
  const through = await admin?.auditTrail({ after: 0, limit: 10 });
  assert.equal(JSON.stringify(through?.entries), JSON.stringify(trailIn(server.dataDir)));
});

test("the same operation has the same audit details over HTTP and over the control socket", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  for (let i = 0; i < 2; i++) sessionOf(await api.create({ headers: { gkc_customerId: "one" } }));
  const admin = await connectControl(server.dataDir);
  assert.ok(admin);
  const call = async (method: string, path: string, json?: unknown) => {
    const answer = await api.call(method, path, json === undefined ? {} : { json });
    assert.equal(answer.status, 200, answer.text);
  };
  const customer = await admin.hashOf("one");
  const exported = { customer, isContinued: false };
  const all = { all: true, dryRun: true, isContinued: false, sessions: 2, isComplete: true };
  const cases = [
    {
      overHttp: () => call("POST", "/sessions/end", { all: true, dryRun: true }),
      onSocket: () => admin.endSessions({ ...page, isDry: true }),
      details: [all],
    },
    {
      overHttp: () => call("GET", "/customers/one/export"),
      onSocket: () => admin.exportCustomer({ customerId: "one", after: null }),
      details: [exported, { ...exported, sessions: 2 }],
    },
  ];
  for (const { overHttp, onSocket, details } of cases) {
    for (const run of [overHttp, onSocket]) {
      const left = await leftBy(server.dataDir, run);
      assert.deepEqual(
        left.map((entry) => entry.details),
        details,
      );
    }
  }
});

test("the last audit entry of an export in several pages has the total number of sessions", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  for (let i = 0; i < 2; i++) {
    const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: "one" } }));
    const json = Array.from({ length: 1000 }, () => ({ method: "GET", path: "/" }));
    const path = `/sessions/${sessionId}/requests?durable=true`;
    assert.equal((await api.call("POST", path, { json })).status, 202);
  }
  const admin = await connectControl(server.dataDir);
  let pages = 0;
  const left = await leftBy(server.dataDir, async () => {
    for (let after: string | null | undefined; after !== null; pages++) {
      after = (await admin?.exportCustomer({ customerId: "one", after: after ?? null }))?.next;
    }
  });
  assert.ok(pages > 1);
  assert.deepEqual(inShort(left), ["customer.export begun", "customer.export done"]);
  assert.equal(left.at(-1)?.details["sessions"], 2);
});
