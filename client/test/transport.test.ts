import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { keyFor, serve } from "../../server/test/support/in-process.ts";
import { oneServer } from "../../server/test/support/one-server.ts";
import { type FailureCode, ProblemError } from "../src/problem-error.ts";
import { randomKey } from "../src/session-operations.ts";
import { createTransport, type Fetch } from "../src/transport.ts";

const antechamber = oneServer();

const unknown = "x".repeat(40);

/** Returns the error of a call; fails unless the call is refused with this code. */
async function refusal(call: Promise<unknown>, code: FailureCode): Promise<ProblemError> {
  const error = await call.then(
    () => assert.fail(`not refused, but ${code} expected`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ProblemError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

test("create, retrieve and update work with ids in any alphabet", async () => {
  const transport = createTransport({ url: `${antechamber.url}/` });
  const ids = { customerId: "Zoë Ørsted 客", agentId: "a 1", visitId: "v/1", globalVisitId: "g" };
  const created = await transport.create(ids);
  assert.deepEqual({ ...created, ...ids, state: "recognized" }, created);
  assert.deepEqual((await transport.retrieve(created.sessionId)).customerId, ids.customerId);
  const anonymous = await transport.create();
  assert.equal(anonymous.state, "anonymous");
  const updated = await transport.update(anonymous.sessionId, { customerId: "ü", visitId: "v2" });
  assert.deepEqual({ ...updated, customerId: "ü", visitId: "v2", agentId: null }, updated);
});

test("an id that would arrive as somebody else's is refused and not sent", async () => {
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create();
  const strange: unknown[] = [
    "anna\n",
    "\tanna",
    " anna",
    "anna ",
    "an\u0000na",
    "an\ud800na",
    { id: "anna" },
    ["anna"],
    4711,
  ];
  for (const id of strange) {
    for (const ids of [{ customerId: id as string }, { agentId: id as string }]) {
      assert.equal((await refusal(transport.create(ids), "invalid-request")).status, 0);
      await refusal(transport.update(sessionId, ids, { rotate: true }), "invalid-request");
      await refusal(transport.retrieve(sessionId, ids), "invalid-request");
    }
  }
  assert.equal((await transport.retrieve(sessionId)).state, "anonymous");
  assert.equal((await transport.create({ customerId: "anna\u00a0" })).customerId, "anna\u00a0");
});

test("retrieving an unknown session, or another customer's, returns a new one", async () => {
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create({ customerId: "a" });
  for (const id of [unknown, "../x y", sessionId]) {
    const other = await transport.retrieve(id, { customerId: "b" });
    assert.notEqual(other.sessionId, id);
    assert.equal(other.customerId, "b");
  }
});

test("a text that is not an id reaches no other path of the service", async () => {
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create({ visitId: "path", globalVisitId: "path" });
  for (const id of ["", ".", "..", "new", "end", "../customers/a", "a/requests?b#c", "\ud800"]) {
    assert.match((await transport.retrieve(id)).sessionId, /^[\w-]{40}$/, id);
    const ids = { visitId: "path", globalVisitId: "path" };
    await refusal(transport.update(id, ids), "session-not-found");
    await refusal(transport.record(id, { method: "GET", path: "/" }), "session-not-found");
    await refusal(transport.timeline(id), "session-not-found");
  }
  assert.equal((await transport.retrieve(sessionId)).sessionId, sessionId);
});

test("every refusal is a ProblemError with its code, status and problem", async () => {
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create({ customerId: "a", visitId: "refused" });
  const anothers = await refusal(transport.update(sessionId, { customerId: "b" }), "already-exists");
  assert.deepEqual([anothers.status, anothers.problem?.field], [400, "customerId"]);
  const taken = await refusal(transport.create({ visitId: "refused" }), "already-exists");
  assert.equal(taken.problem?.field, "visitId");
  await refusal(transport.update(sessionId, {}), "nothing-to-associate");
  await refusal(transport.update(unknown, { customerId: "a" }), "session-not-found");
  const tooLong = await refusal(transport.create({ visitId: "v".repeat(257) }), "invalid-request");
  assert.equal(tooLong.problem?.errors?.[0]?.name, "visitId");
  await refusal(transport.create({ globalVisitId: "v".repeat(20_000) }), "body-too-large");
  await refusal(transport.record(unknown, { method: "GET", path: "/" }), "session-not-found");
  await refusal(transport.timeline(unknown), "session-not-found");
  await refusal(transport.timeline(sessionId, { limit: 1001 }), "invalid-request");
  const elsewhere = createTransport({ url: `${antechamber.url}/nowhere` });
  await refusal(elsewhere.create(), "not-found");
});

test("the error for an invalid record has its index, and nothing is recorded", async () => {
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create();
  const records = [
    { method: "GET", path: "/" },
    { method: "GET", path: "no slash" },
  ];
  const error = await refusal(transport.record(sessionId, records), "invalid-request");
  assert.equal(error.problem?.errors?.[0]?.name, "[1].path");
});

test("a timeline has all records in order, page by page", async () => {
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create();
  const records = Array.from({ length: 25 }, (_, n) => ({ method: "GET", path: `/${n}` }));
  const receipt = await transport.record(sessionId, records, { durable: true });
  assert.deepEqual(receipt, { accepted: 25 });
  const paths: string[] = [];
  let after: string | undefined;
  do {
    const page = await transport.timeline(sessionId, { after, limit: 10 });
    assert.equal(page.total, 25);
    for (const entry of page.records) if (entry.type === "request") paths.push(entry.path);
    after = page.next ?? undefined;
  } while (after !== undefined);
  assert.deepEqual(
    paths,
    records.map(({ path }) => path),
  );
});

test("a repeated Idempotency-Key returns the first response, and is refused for a different request", async () => {
  const transport = createTransport({ url: antechamber.url });
  const idempotencyKey = randomKey();
  const first = await transport.create({ visitId: "once" }, { idempotencyKey });
  assert.deepEqual(await transport.create({ visitId: "once" }, { idempotencyKey }), first);
  await refusal(transport.create({ visitId: "other" }, { idempotencyKey }), "idempotency-key-reused");
  const record = { method: "GET", path: "/", startedAt: 1 };
  const once = { idempotencyKey: randomKey(), durable: true };
  await transport.record(first.sessionId, record, once);
  await transport.record(first.sessionId, record, once);
  assert.equal((await transport.timeline(first.sessionId)).total, 1);
});

test("a call whose response was lost is retried without a second effect", async () => {
  let lost = 0;
  const losing: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (lost++ > 0) return response;
    await response.text();
    throw new TypeError("connection lost");
  };
  const transport = createTransport({ url: antechamber.url, fetch: losing });
  const session = await transport.create({ visitId: "lost" });
  assert.equal(session.visitId, "lost");
  lost = 0;
  await transport.record(session.sessionId, { method: "GET", path: "/" }, { durable: true });
  assert.equal((await transport.timeline(session.sessionId)).total, 1);
});

test("keys are sent, and refused as described in contract.md#refusals", async () => {
  const agent = keyFor({ role: "agent", agentId: "a1" });
  const reporter = keyFor({ role: "reporter" });
  const config = { auth: "key" } as const;
  await using server = await serve({ config, keys: [agent.key, reporter.key] });
  const by = (key?: string) => createTransport({ url: server.url, key });
  const secret = (bearer: string) => bearer.replace("Bearer ", "");
  const session = await by(secret(agent.bearer)).create({ agentId: "a1", customerId: "c" });
  assert.equal(session.agentId, "a1");
  const mine = by(secret(agent.bearer)).update(session.sessionId, { agentId: "a2" });
  assert.equal((await refusal(mine, "identity-mismatch")).status, 403);
  const record = { method: "GET", path: "/" };
  const notTheirs = by(secret(reporter.bearer)).record(session.sessionId, record);
  await refusal(notTheirs, "role-not-permitted");
  await refusal(by().create(), "credential-required");
  await refusal(by("wrong").create(), "invalid-credential");
});

/** Starts a server. `respond` chooses the response to the `nth` request; `null` sends none. */
async function startServer(respond: (nth: number) => [number, Record<string, string>, string] | null) {
  let requests = 0;
  const server = createServer((_, response) => {
    const [status, headers, body] = respond(++requests) ?? [];
    if (status !== undefined) response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a response that is not from the service is recognized", async () => {
  await using proxy = await startServer(() => [404, { "content-type": "text/html" }, "<h1>Oh</h1>"]);
  const error = await refusal(createTransport({ url: proxy.url }).create(), "unexpected-answer");
  assert.deepEqual([error.status, error.problem], [404, undefined]);
  assert.equal(proxy.requests(), 1, "it is not retried");
});

test("a successful response without a session is an error", async () => {
  await using portal = await startServer(() => [200, {}, "Sign in to the network"]);
  await refusal(createTransport({ url: portal.url }).create(), "unexpected-answer");
});

test("an answer that is not a session, or has no data, is an error, whatever the call", async () => {
  const strange = [
    ...["{}", "[]", "null", "5", '"text"', '{"sessionId":null}', '{"sessionId":5}', '{"sessionId":["x"]}'],
    ...["x\r\nSet-Cookie: a=b", "x; Domain=example.org", `${unknown}x`].map((sessionId) =>
      JSON.stringify({ sessionId }),
    ),
  ];
  for (const body of strange) {
    await using portal = await startServer(() => [200, {}, body]);
    const transport = createTransport({ url: portal.url });
    await refusal(transport.create(), "unexpected-answer");
    await refusal(transport.retrieve(unknown), "unexpected-answer");
    await refusal(transport.retrieveWithData(unknown), "unexpected-answer");
    await refusal(transport.update(unknown, { visitId: "v" }, { rotate: true }), "unexpected-answer");
  }
  for (const body of ["[]", "null", "5"]) {
    await using portal = await startServer(() => [200, {}, body]);
    const transport = createTransport({ url: portal.url });
    await refusal(transport.readData(unknown), "unexpected-answer");
    await refusal(transport.mergeData(unknown, {}), "unexpected-answer");
    await refusal(transport.replaceData(unknown, {}), "unexpected-answer");
  }
  await using empty = await startServer(() => [204, {}, ""]);
  await refusal(createTransport({ url: empty.url }).create(), "unexpected-answer");
});

test("a 502 from a gateway is retried", async () => {
  const session = JSON.stringify({ sessionId: unknown });
  await using proxy = await startServer((n) => (n < 3 ? [502, {}, ""] : [200, {}, session]));
  assert.equal((await createTransport({ url: proxy.url }).create()).sessionId, unknown);
});

test("a call to a service that never responds ends at its time limit", async () => {
  await using hanging = await startServer(() => null);
  const later = new AbortController();
  const calls = {
    default: createTransport({ url: hanging.url }).create({}, { signal: later.signal }),
    short: refusal(createTransport({ url: hanging.url, timeout: 200 }).create(), "timeout"),
  };
  const names = Object.entries(calls).map(([name, call]) => call.then(() => name, String));
  assert.equal(await Promise.race(names), "short");
  later.abort(new Error("enough"));
  await assert.rejects(calls.default, /enough/);
});

test("a call does not wait for a Retry-After beyond its time limit", async () => {
  await using busy = await startServer(() => [503, { "retry-after": "30" }, ""]);
  const error = await refusal(createTransport({ url: busy.url }).create(), "unexpected-answer");
  assert.equal(error.retryAfter, 30);
});

test("a call without a server is a network failure, and an aborted call rejects with the reason", async () => {
  const gone = await startServer(() => null);
  await gone[Symbol.asyncDispose]();
  await refusal(createTransport({ url: gone.url }).create(), "network");
  const signal = AbortSignal.abort(new Error("left"));
  await assert.rejects(createTransport({ url: gone.url }).create({}, { signal }), /left/);
});

test("session data are typed, merged, replaced, cleared and read with the session", async () => {
  const transport = createTransport({ url: antechamber.url });
  interface Data {
    readonly cart?: { readonly [sku: string]: number };
    readonly locale?: string;
  }
  const { sessionId } = await transport.create();
  assert.deepEqual((await transport.readData(sessionId)).data, {});
  await transport.mergeData<Data>(sessionId, { cart: { a: 1 }, locale: "de" });
  const merged = await transport.mergeData<Data>(sessionId, { cart: { b: 2 }, locale: null });
  assert.deepEqual(merged.data, { cart: { a: 1, b: 2 } });
  assert.deepEqual(await transport.readData<Data>(sessionId), merged);
  const found = await transport.retrieveWithData<Data>(sessionId, { customerId: "c" });
  assert.deepEqual([found.sessionId, found.data.cart?.["b"]], [sessionId, 2]);
  assert.deepEqual((await transport.retrieveWithData(unknown, { customerId: "c" })).data, {});
  const replaced = await transport.replaceData<Data>(sessionId, { locale: "fr" }, { ifMatch: merged.etag });
  assert.deepEqual(replaced.data, { locale: "fr" });
  await refusal(transport.mergeData(sessionId, { a: 1 }, { ifMatch: merged.etag }), "precondition-failed");
  await refusal(transport.clearData(sessionId, { ifMatch: merged.etag }), "precondition-failed");
  assert.equal(await transport.clearData(sessionId, { ifMatch: replaced.etag }), undefined);
  assert.deepEqual((await transport.readData(sessionId)).data, {});
  await refusal(transport.readData("end"), "session-not-found");
});

test("the tag of data is the same behind a proxy that makes it weak because it compresses", async () => {
  const weak: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    const headers = new Headers(response.headers);
    const tag = headers.get("etag");
    if (tag !== null) headers.set("etag", `W/${tag}`);
    return new Response(await response.text(), { status: response.status, headers });
  };
  const transport = createTransport({ url: antechamber.url, fetch: weak });
  const { sessionId } = await transport.create();
  const { etag } = await transport.mergeData(sessionId, { a: 1 });
  assert.deepEqual((await transport.mergeData(sessionId, { b: 2 }, { ifMatch: etag })).data, { a: 1, b: 2 });
});
