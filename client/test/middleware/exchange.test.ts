import assert from "node:assert/strict";
import { test } from "node:test";
import { keyFor, serve } from "../../../server/test/support/in-process.ts";
import { createExchanges, type Exchange, type Exchanges } from "../../src/middleware/exchange.ts";
import type { SessionsOptions } from "../../src/middleware/options.ts";
import { createRecorder } from "../../src/middleware/recorder.ts";
import type { RequestSession } from "../../src/middleware/request-session.ts";
import { ProblemError } from "../../src/problem-error.ts";
import { createTransport } from "../../src/transport.ts";
import { eventually } from "./eventually.ts";
import { openFront } from "./front.ts";

/** A request of nobody in particular, or of whoever has the cookie. */
function begin(exchanges: Exchanges, target = "/page", cookie?: string): Exchange {
  const exchange = exchanges.begin({
    method: "GET",
    target,
    isEncrypted: false,
    header: (name) =>
      name === "cookie" && cookie !== undefined ? `sessionId=${cookie}` : undefined,
  });
  assert.ok(exchange !== null);
  return exchange;
}

async function sessionIn(exchange: Exchange): Promise<RequestSession> {
  const session = await exchange.session;
  assert.ok(session !== null);
  return session;
}

test("identify gives up after four deadlines and says so", async () => {
  await using antechamber = await serve();
  await using front = await openFront(antechamber.port);
  const errors: unknown[] = [];
  const exchanges = createExchanges({
    url: front.url,
    deadline: 500,
    onError: (error) => errors.push(error),
  });
  const session = await sessionIn(begin(exchanges));
  front.become("hang");
  const started = performance.now();
  assert.equal(await session.identify({ customerId: "jane" }), false);
  assert.ok(performance.now() - started < 4000);
  assert.deepEqual(
    errors.map((error) => (error as ProblemError).code),
    ["timeout"],
  );
  front.become("pass");
  assert.equal(await session.identify({ customerId: "jane" }), true);
  assert.equal(session.customerId, "jane");
  assert.equal(session.state, "recognized");
});

test("identify rejects ids that are refused, and the session stays as it was", async () => {
  await using antechamber = await serve();
  const exchanges = createExchanges({ url: antechamber.url, deadline: 5000 });
  const session = await sessionIn(begin(exchanges));
  const refusal = (code: string) => (error: unknown) =>
    error instanceof ProblemError && error.code === code;
  await assert.rejects(session.identify({ visitId: "\n" }), refusal("invalid-request"));
  await assert.rejects(session.identify({}), refusal("nothing-to-associate"));
  assert.equal(await session.identify({ visitId: "v1" }), true);
  await assert.rejects(session.identify({ visitId: "v2" }), refusal("already-exists"));
  assert.deepEqual([session.visitId, session.customerId], ["v1", null]);
});

test("a session that ended meanwhile is replaced at sign-in", async () => {
  await using antechamber = await serve({ frozen: true });
  const exchanges = createExchanges({ url: antechamber.url, deadline: 5000 });
  const exchange = begin(exchanges);
  const session = await sessionIn(exchange);
  const { sessionId } = session;
  antechamber.pass(24 * 60 * 60 * 1000);
  assert.equal(await session.identify({ customerId: "jane" }), true);
  assert.notEqual(session.sessionId, sessionId);
  assert.deepEqual(exchange.headers()[0], ["gkc-sessionId", session.sessionId]);
});

test("what is meant for another session middleware does not vanish silently", async () => {
  await using antechamber = await serve();
  const session = await sessionIn(begin(createExchanges({ url: antechamber.url, deadline: 5000 })));
  assert.throws(() => Object.assign(session, { user: "jane" }), TypeError);
});

test("a key opens the sessions that it reaches; without one requests go on", async () => {
  const agent = keyFor({ role: "agent" });
  await using antechamber = await serve({ config: { auth: "key" }, keys: [agent.key] });
  const key = agent.bearer.slice("Bearer ".length);
  const session = await sessionIn(
    begin(createExchanges({ url: antechamber.url, key, deadline: 5000 })),
  );
  assert.equal(await session.identify({ customerId: "jane" }), true);

  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const stranger = createExchanges({ url: antechamber.url, onError, deadline: 5000 });
  assert.equal(await begin(stranger).session, null);
  assert.equal((errors[0] as ProblemError).code, "credential-required");
});

test("a record that is refused does not take others with it", async () => {
  await using antechamber = await serve();
  const lost: number[] = [];
  const exchanges = createExchanges({
    url: antechamber.url,
    deadline: 5000,
    record: (record) => (record.path === "/bad" ? { ...record, method: "no method" } : record),
    onError: (_error, count) => lost.push(count),
  });
  const { sessionId } = await sessionIn(begin(exchanges));
  for (const path of ["/1", "/2", "/bad", "/3", "/4"]) {
    const exchange = begin(exchanges, path, sessionId);
    await exchange.session;
    exchange.over(200, false);
  }
  await exchanges.close();
  const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId);
  const paths = records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
  assert.deepEqual(paths, ["/1", "/2", "/3", "/4"]);
  assert.deepEqual([lost, exchanges.dropped()], [[1], 1]);
});

test("records whose receipt was lost are there once", async () => {
  await using antechamber = await serve();
  await using front = await openFront(antechamber.port);
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const exchanges = createExchanges({ url: front.url, deadline: 5000, onError });
  const exchange = begin(exchanges);
  const { sessionId } = await sessionIn(exchange);
  const direct = createTransport({ url: antechamber.url });
  exchange.over(200, false);
  front.become("swallow");
  await eventually(
    () => direct.timeline(sessionId),
    ({ total }) => total === 1,
  );
  await eventually(
    () => errors.length,
    (count) => count > 0,
  );
  front.become("pass");
  await exchanges.close();
  assert.deepEqual([(await direct.timeline(sessionId)).total, exchanges.dropped()], [1, 0]);
});

test("targets that no record could have are recorded all the same", async () => {
  await using antechamber = await serve();
  const exchanges = createExchanges({ url: antechamber.url, deadline: 5000 });
  const { sessionId } = await sessionIn(begin(exchanges));
  const targets = [
    "*",
    "/\u0080\ud800é?q=1",
    `/${"a".repeat(9000)}`,
    "http://site/x?y",
    "nonsense",
  ];
  for (const target of targets) {
    const exchange = begin(exchanges, target, sessionId);
    await exchange.session;
    exchange.over(null, true);
  }
  await exchanges.close();
  assert.equal(exchanges.dropped(), 0);
  const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId);
  const paths = records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
  assert.deepEqual(
    paths.map((path) => path.slice(0, 30)),
    ["*", "/%C2%80%EF%BF%BD%C3%A9", `/${"a".repeat(29)}`, "/x", "/"],
  );
});

test("beyond ten thousand records are let go and counted, and closing does not wait for ever", async () => {
  await using antechamber = await serve();
  await using front = await openFront(antechamber.port);
  let lost = 0;
  const transport = createTransport({ url: front.url });
  const failed = (_error: unknown, count: number) => {
    lost += count;
  };
  const recorder = createRecorder({ transport, failed });
  const { sessionId } = await transport.create();
  front.become("hang");
  for (let sent = 0; sent < 10_500; sent++)
    recorder.add(sessionId, { method: "GET", path: `/${sent}` });
  assert.deepEqual([recorder.dropped(), lost], [500, 500]);
  const started = performance.now();
  await recorder.close();
  assert.ok(performance.now() - started < 8000);
  assert.deepEqual([recorder.dropped(), lost], [10_500, 10_500]);
});

test("options that cannot be meant are refused at once", () => {
  const url = "http://127.0.0.1:8080";
  const wrong: readonly SessionsOptions[] = [
    { url: "antechamber" },
    { url, deadline: 0 },
    { url, deadline: Number.NaN },
    { url, service: "" },
    { url, cookie: { name: "a b" } },
    { url, cookie: { path: "/;x" } },
  ];
  for (const options of wrong) assert.throws(() => createExchanges(options), TypeError);
});
