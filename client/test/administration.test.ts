import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { keyFor, serve } from "../../server/test/support/in-process.ts";
import { createAdministration, type ListFilter } from "../src/administration.ts";
import type { ProblemError } from "../src/problem-error.ts";
import { createTransport } from "../src/transport.ts";

const key = keyFor({ role: "administrator" });

/** Starts a server that requires keys, with an administrator's client and transport. */
async function startAdministered() {
  const server = await serve({ config: { auth: "key" }, keys: [key.key] });
  const options = { url: server.url, key: key.bearer.slice("Bearer ".length) };
  return {
    admin: createAdministration(options),
    transport: createTransport(options),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("an administrator lists sessions over all pages, and ends them by id and by filter", async () => {
  await using given = await startAdministered();
  const { admin, transport } = given;
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) {
    ids.unshift((await transport.create({ customerId: i === 6 ? "ü" : "a b" })).sessionId);
  }
  const handles = ids.map((id) => id.slice(0, 24));
  const handlesOf = async (...asked: Parameters<typeof admin.list>) =>
    (await all(admin.list(...asked))).map(({ handle }) => handle);
  assert.deepEqual(await handlesOf({}, { limit: 3 }), handles);
  assert.deepEqual(await handlesOf({ customerId: "a b" }, { limit: 2 }), handles.slice(1));
  assert.equal(await admin.end(ids[0] ?? ""), true);
  assert.equal(await admin.end(ids[0] ?? ""), false);
  assert.equal(await admin.endByFilter({ customerId: "a b", dryRun: true }), 6);
  assert.equal(await admin.endByFilter({ customerId: "a b" }), 6);
  assert.deepEqual(await handlesOf({ live: true }), []);
  assert.deepEqual(await handlesOf({ live: false, customerId: "ü" }), handles.slice(0, 1));
  const entries = await all(admin.audit({ limit: 1 }));
  assert.deepEqual(
    entries.map(({ what }) => what),
    ["sessions.end", "sessions.end", "session.end", "session.end"].slice(0, entries.length),
  );
  assert.equal(entries.length, 3);
});

test("an administrator lists sessions page by page, with the total on the first page", async () => {
  await using given = await startAdministered();
  const { admin, transport } = given;
  for (let i = 0; i < 5; i++) await transport.create({ customerId: "paged" });
  const first = await admin.listPage({ customerId: "paged" }, { limit: 3 });
  assert.deepEqual([first.sessions.length, first.total], [3, 5]);
  const second = await admin.listPage({ customerId: "paged" }, { limit: 3, cursor: first.next ?? "" });
  assert.deepEqual([second.sessions.length, second.next], [2, null]);
  const handles = [...first.sessions, ...second.sessions].map(({ handle }) => handle);
  assert.equal(new Set(handles).size, 5);
  await assert.rejects(admin.listPage({ customerId: "" }), TypeError);
});

test("a customer lists and ends its own sessions, by handle, and all except the current one", async () => {
  const customer = keyFor({ role: "customer", customerId: "ada" });
  await using server = await serve({ config: { auth: "key" }, keys: [key.key, customer.key] });
  const asAdministrator = createTransport({ url: server.url, key: key.bearer.slice("Bearer ".length) });
  const own = createAdministration({ url: server.url, key: customer.bearer.slice("Bearer ".length) });
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.unshift((await asAdministrator.create({ customerId: "ada" })).sessionId);
  const { sessionId: theirs } = await asAdministrator.create({ customerId: "bo" });
  const [first = "", current = ""] = ids;
  const shown = async () =>
    (await all(own.list({ live: true }, { sessionId: current, limit: 2 }))).map(({ handle, isCurrent }) => [
      ids.findIndex((id) => id.startsWith(handle)),
      isCurrent,
    ]);
  assert.deepEqual(await shown(), [
    [0, false],
    [1, true],
    [2, false],
    [3, false],
  ]);
  assert.equal((await all(own.timeline(first.slice(0, 24)))).length, 1);
  assert.equal(await own.end(theirs.slice(0, 24)), false);
  assert.equal(await own.end(first.slice(0, 24)), true);
  assert.equal(await own.endByFilter({ handle: theirs.slice(0, 24) }), 0);
  assert.equal(await own.endByFilter({ except: current }), 2);
  assert.deepEqual(await shown(), [[1, true]]);
  assert.equal((await asAdministrator.retrieve(theirs)).sessionId, theirs);
});

test("an empty condition, or an id that no URL can contain, is a TypeError, and no request is sent", async () => {
  const sent: string[] = [];
  const admin = createAdministration({
    url: "http://127.0.0.1:9",
    fetch: async (input) => {
      sent.push(input instanceof Request ? input.url : String(input));
      return Response.json({ sessions: [], next: null });
    },
  });
  const nothing = null as unknown as string;
  for (const name of [
    "customerId",
    "agentId",
    "visitId",
    "globalVisitId",
    "handle",
    "state",
    "since",
    "activeSince",
    "live",
  ]) {
    for (const value of ["", nothing, "\ud800"]) {
      const filter = { state: "recognized", [name]: value } as ListFilter;
      await assert.rejects(all(admin.list(filter)), TypeError, name);
      await assert.rejects(admin.endByFilter(filter), TypeError, name);
    }
    await assert.rejects(admin.endByFilter({ state: "recognized", [name]: undefined }), TypeError, name);
  }
  for (const id of ["", ".", "..", "a\udfff", nothing, undefined as unknown as string]) {
    await assert.rejects(all(admin.exportCustomer(id)), TypeError);
    await assert.rejects(admin.eraseCustomer(id), TypeError);
  }
  await assert.rejects(admin.eraseCustomer(".."), /antechamber customers erase \.\./);
  for (const id of ["", ".", "..", "new", "end", "a/b"]) assert.equal(await admin.end(id), false);
  assert.deepEqual(sent, []);
  await all(admin.list({ customerId: undefined, live: undefined }));
  assert.deepEqual(sent, ["http://127.0.0.1:9/sessions?"]);
});

test("a customer with any id can be exported and erased, without touching another customer", async () => {
  await using given = await startAdministered();
  const { admin, transport } = given;
  const ids = ["/", "a/../b", "%", "%2e%2e", "%2F", "?", "#", "a?b#c", "...", "+", "\\", "é/😀", ";"];
  for (const customerId of [...ids, "other"]) await transport.create({ customerId });
  for (const id of ids) {
    const lines = await all(admin.exportCustomer(id));
    const found = lines.flatMap((line) => (line.type === "session" ? [line.customerId] : []));
    assert.deepEqual(found, [id]);
    const listed = await all(admin.list({ customerId: id }));
    assert.deepEqual(
      listed.map(({ customerId }) => customerId),
      [id],
    );
    assert.deepEqual(await admin.eraseCustomer(id), { sessions: 1, keys: 0 }, id);
  }
  assert.equal((await all(admin.list())).length, 1);
});

test("a customer's export has every line of the timeline, and is empty after the erasure", async () => {
  await using given = await startAdministered();
  const { admin, transport } = given;
  const { sessionId } = await transport.create({ customerId: "a/b é" });
  const records = Array.from({ length: 900 }, (_, n) => ({ method: "GET", path: `/é/${n}` }));
  for (let i = 0; i < 3; i++) await transport.record(sessionId, records, { durable: true });
  const entries = await all(admin.timeline(sessionId, { limit: 1000 }));
  assert.deepEqual(
    entries.flatMap((entry) => (entry.type === "request" ? [entry.sequence] : [])),
    Array.from({ length: 2700 }, (_, i) => i + 1),
  );
  await assert.rejects(all(admin.timeline("..")), { code: "session-not-found" });
  const lines = await all(admin.exportCustomer("a/b é"));
  const count = (type: string) => lines.filter((line) => line.type === type).length;
  assert.deepEqual([count("session"), count("entry")], [1, 2701]);
  const last = lines.findLast((line) => line.type === "entry")?.entry;
  assert.equal(last?.type === "request" && last.path, "/é/899");
  for await (const line of admin.exportCustomer("a/b é")) {
    assert.equal(line.type, "session");
    break;
  }
  assert.deepEqual(await admin.eraseCustomer("a/b é"), { sessions: 1, keys: 0 });
  assert.deepEqual(await all(admin.exportCustomer("a/b é")), []);
});

test("a refused, cut off or silent response rejects with the right code", async () => {
  await using given = await startAdministered();
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => "done",
      (error: ProblemError) => error.code,
    );
  assert.equal(await codeOf(given.admin.endByFilter({})), "invalid-request");
  assert.equal(await codeOf(all(given.admin.list({}, { limit: 0 }))), "invalid-request");

  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.write('{"type":"session"}\n');
    if (request.url?.includes("/cut/")) response.end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const admin = createAdministration({ url });
  assert.equal(await codeOf(all(admin.exportCustomer("cut"))), "unexpected-answer");
  const impatient = createAdministration({ url, timeout: 100 });
  assert.equal(await codeOf(all(impatient.exportCustomer("silent"))), "timeout");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await codeOf(all(admin.exportCustomer("gone"))), "network");
  assert.equal(await codeOf(admin.eraseCustomer("gone")), "network");
});

test("an administrator manages endpoints of webhooks and reads their deliveries over all pages", async () => {
  await using given = await startAdministered();
  const { webhooks } = given.admin;
  const { secret, ...created } = await webhooks.create({ url: "http://127.0.0.1:1/", types: ["session.ended"] });
  assert.match(secret, /^whsec_/);
  assert.deepEqual(await webhooks.list(), [created]);
  assert.deepEqual(await webhooks.get(created.id), created);
  assert.equal((await webhooks.update(created.id, { description: "Shop" })).description, "Shop");
  assert.notEqual((await webhooks.rotateSecret(created.id, { graceSeconds: 60 })).secret, secret);
  const sent: string[] = [];
  for (let i = 0; i < 3; i++) sent.unshift((await webhooks.test(created.id)).id);
  assert.equal((await webhooks.redeliver(created.id, sent[0] ?? "")).state, "pending");
  const found = await all(webhooks.deliveries(created.id, { limit: 2 }));
  assert.deepEqual(
    found.map(({ id }) => id),
    sent,
  );
  assert.deepEqual(await all(webhooks.deliveries(created.id, { state: "delivered" })), []);
  const first = await webhooks.deliveriesPage(created.id, { limit: 2 });
  const second = await webhooks.deliveriesPage(created.id, { limit: 2, cursor: first.next ?? "" });
  assert.deepEqual(
    [...first.deliveries, ...second.deliveries].map(({ id }) => id),
    sent,
  );
  assert.deepEqual([await webhooks.remove(created.id), await webhooks.remove(created.id)], [true, false]);
  await assert.rejects(webhooks.get(created.id), (error: ProblemError) => error.code === "not-found");
});

test("an administrator reads statistics of a range, and an invalid range is refused", async () => {
  await using given = await startAdministered();
  const { admin, transport } = given;
  const now = Date.now();
  await transport.create({ customerId: "counted" });
  const { step, times, sessions } = await admin.statistics();
  assert.deepEqual([step, times.length === sessions.created.length], [60, true]);
  const since = new Date(now - 2 * 60 * 60_000);
  const hours = await admin.statistics({ since, until: new Date(now + 60_000), step: 3600 });
  assert.equal(
    hours.sessions.created.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    1,
  );
  assert.ok(Date.parse(hours.since) <= since.getTime());
  await assert.rejects(admin.statistics({ step: 61 }), { code: "invalid-request" });
});
