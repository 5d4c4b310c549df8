import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, until } from "../../../server/test/support/eventually.ts";
import { keyFor, serve } from "../../../server/test/support/in-process.ts";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { Recorder } from "../../src/middleware/recorder.ts";
import type { RequestSession } from "../../src/middleware/request-session.ts";
import {
  createRequestTracker,
  type RequestTracker,
  type TrackedRequest,
} from "../../src/middleware/request-tracking.ts";
import { ProblemError } from "../../src/problem-error.ts";
import { createTransport } from "../../src/transport.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";

const antechamber = oneServer();

/** Tracks a request without a session, or with the session of `cookie`. */
function track(tracker: RequestTracker, target = "/page", cookie?: string): TrackedRequest {
  const request = tracker.track({
    method: "GET",
    target,
    isEncrypted: false,
    header: (name) => (name === "cookie" && cookie !== undefined ? `sessionId=${cookie}` : undefined),
  });
  assert.ok(request !== null);
  return request;
}

async function sessionIn(request: TrackedRequest): Promise<RequestSession> {
  const session = await request.session;
  assert.ok(session !== null);
  return session;
}

test("identify resolves with false after four deadlines, and the next attempt works", async () => {
  await using proxy = await startFaultyProxy(antechamber.port);
  const errors: unknown[] = [];
  const tracker = createRequestTracker({
    url: proxy.url,
    deadline: 500,
    onError: (error) => errors.push(error),
  });
  const session = await eventually(() => sessionIn(track(tracker)));
  errors.length = 0;
  proxy.setFault("hang");
  const started = performance.now();
  assert.equal(await session.identify({ customerId: "jane" }), false);
  assert.ok(performance.now() - started > 4 * 500 - 50);
  assert.deepEqual(
    errors.map((error) => (error as ProblemError).code),
    ["timeout"],
  );
  proxy.setFault("pass");
  // A busy machine may exceed the deadlines.
  await until("it works", () => session.identify({ customerId: "jane" }));
  assert.equal(session.customerId, "jane");
  assert.equal(session.state, "recognized");
});

test("identify rejects refused ids, and the session stays unchanged", async () => {
  const tracker = createRequestTracker({ url: antechamber.url, deadline: 20_000 });
  const session = await sessionIn(track(tracker));
  const refusal = (code: string) => (error: unknown) => error instanceof ProblemError && error.code === code;
  await assert.rejects(session.identify({ visitId: "\n" }), refusal("invalid-request"));
  await assert.rejects(session.identify({}), refusal("nothing-to-associate"));
  assert.equal(await session.identify({ visitId: "v1" }), true);
  await assert.rejects(session.identify({ visitId: "v2" }), refusal("already-exists"));
  assert.deepEqual([session.visitId, session.customerId], ["v1", null]);
});

test("identify rejects for every refusal, and resolves with false only without a response", async () => {
  const agent = keyFor({ role: "agent", agentId: "boss" });
  const reporter = keyFor({ role: "reporter" });
  const keys = [agent.key, reporter.key];
  await using server = await serve({ config: { auth: "key" }, keys });
  const sessionFor = async (bearer: string) => {
    const key = bearer.slice("Bearer ".length);
    const tracker = createRequestTracker({ url: server.url, key, deadline: 20_000 });
    return await sessionIn(track(tracker));
  };
  const code = (expected: string) => (error: unknown) =>
    error instanceof ProblemError && error.code === expected && error.status === 403;
  const agents = await sessionFor(agent.bearer);
  await assert.rejects(agents.identify({ agentId: "anna" }), code("identity-mismatch"));
  const reporters = await sessionFor(reporter.bearer);
  await assert.rejects(reporters.identify({ customerId: "jane" }), code("identity-mismatch"));
  // A mistake in a handler must reject: it is not a missing response.
  await assert.rejects(agents.identify(null as never), TypeError);
});

test("ending a session also ends it for requests in progress", async () => {
  const lost: number[] = [];
  const tracker = createRequestTracker({
    url: antechamber.url,
    deadline: 20_000,
    onError: (_error, count) => lost.push(count),
  });
  const { sessionId } = await sessionIn(track(tracker));
  const inProgress = track(tracker, "/slow", sessionId);
  const slow = await sessionIn(inProgress);
  assert.equal(await slow.identify({ customerId: "jane" }), true);
  const signOut = track(tracker, "/sign-out", slow.sessionId);
  const ending = await sessionIn(signOut);
  assert.equal(await ending.end(), true);
  assert.deepEqual(signOut.sessionHeaders(), [
    ["set-cookie", "sessionId=; Path=/; SameSite=Lax; HttpOnly; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
  ]);
  assert.equal(await ending.end(), true, "it has ended");
  for (const customerId of ["jane", "john"]) {
    await assert.rejects(slow.identify({ customerId }), { code: "session-not-found" });
  }
  assert.deepEqual(inProgress.sessionHeaders(), []);
  for (const request of [signOut, inProgress]) request.finish(200, false);
  await tracker.close();
  assert.deepEqual([lost, tracker.dropped()], [[], 0]);
  const after = await createTransport({ url: antechamber.url }).retrieve(slow.sessionId);
  assert.notEqual(after.sessionId, slow.sessionId);

  // A sign-in in the same request creates a new session.
  assert.equal(await ending.identify({ customerId: "john" }), true);
  assert.notEqual(ending.sessionId, sessionId);
  assert.deepEqual(signOut.sessionHeaders()[0], ["gkc-sessionId", ending.sessionId]);
});

test("if Antechamber does not end the session in time, end() resolves with false and the cookie is removed", async () => {
  await using proxy = await startFaultyProxy(antechamber.port);
  const tracker = createRequestTracker({
    url: proxy.url,
    deadline: 500,
    onError: () => undefined,
  });
  // A busy machine may exceed the deadline.
  const { request, session } = await eventually(async () => {
    const tracked = track(tracker);
    return { request: tracked, session: await sessionIn(tracked) };
  });
  proxy.setFault("hang");
  assert.equal(await session.end(), false);
  assert.match(String(request.sessionHeaders()[0]), /^set-cookie,sessionId=;/);
  proxy.setFault("pass");
  await until("it has ended", () => session.end());
});

test("a valid session id is found behind ids that open no session, in any source", async () => {
  const { sessionId } = await createTransport({ url: antechamber.url }).create({ customerId: "a" });
  const { sessionId: other } = await createTransport({ url: antechamber.url }).create({ customerId: "b" });
  const forged = Array.from({ length: 9 }, (_, index) => String(index).repeat(40));
  const junk = Array.from({ length: 50 }, (_, index) => `junk${index}`);
  const cookies = (ids: readonly string[]) => ids.map((id) => `sessionId=${id}`).join("; ");
  const query = (ids: readonly string[]) => `/?${ids.map((id) => `sessionId=${id}`).join("&")}`;
  const tracker = createRequestTracker({
    url: antechamber.url,
    deadline: 20_000,
    sources: ["query", "header", "cookie"],
  });
  const requests: Record<string, { target?: string; headers: Record<string, string> }> = {
    "forged ids in the query": { target: query(forged), headers: { cookie: cookies([sessionId]) } },
    "junk in the query": { target: query([...junk, sessionId]), headers: {} },
    "forged ids in the header": {
      headers: { "gkc-sessionid": forged.join(", "), cookie: cookies([sessionId]) },
    },
    "a header twice": { headers: { "gkc-sessionid": `junk, ${sessionId}` } },
    "either spelling": { headers: { "gkc-sessionid": "junk", gkc_sessionid: sessionId } },
    "junk in cookies": { headers: { cookie: cookies([...junk, sessionId]) } },
    "cookies of sister domains": {
      headers: { cookie: cookies([...forged.slice(0, 3), sessionId]) },
    },
    "the value of another cookie": {
      headers: { cookie: `q=x, sessionId=${other}, y; r=sessionId=${other}; sessionId=${sessionId}` },
    },
    "names that a browser takes for others": {
      headers: { cookie: `\u00a0sessionId=${other};\ufeffsessionId=${other}; \tsessionId=${sessionId} ` },
    },
    "a cookie whose name ends alike": {
      headers: { cookie: `xsessionId=${forged[0]}; sessionId="${sessionId}"` },
    },
  };
  for (const [name, { target = "/", headers }] of Object.entries(requests)) {
    const request = tracker.track({
      method: "GET",
      target,
      isEncrypted: false,
      header: (header) => headers[header],
    });
    assert.equal((await request?.session)?.sessionId, sessionId, name);
    assert.deepEqual(request?.sessionHeaders(), [], name);
  }
  await tracker.close();
});

test("the cookie is Secure for visitors with a TLS connection to the first proxy", async () => {
  const tracker = createRequestTracker({ url: antechamber.url, deadline: 20_000 });
  const schemes = { https: true, HTTPS: true, wss: true, "https, http": true, " https ": true };
  for (const [scheme, isSecure] of Object.entries({
    ...schemes,
    "http, https": false,
    httpsx: false,
  })) {
    const request = tracker.track({
      method: "GET",
      target: "/",
      isEncrypted: false,
      header: (name) => (name === "x-forwarded-proto" ? scheme : undefined),
    });
    await request?.session;
    assert.equal(String(request?.sessionHeaders().at(-1)).endsWith("; Secure"), isSecure, scheme);
  }
  await tracker.close();
});

test("a sign-in after the session has expired creates a new one", async () => {
  await using server = await serve({ frozen: true });
  const tracker = createRequestTracker({ url: server.url, deadline: 20_000 });
  const request = track(tracker);
  const session = await sessionIn(request);
  const { sessionId } = session;
  server.pass(24 * 60 * 60 * 1000);
  assert.equal(await session.identify({ customerId: "jane" }), true);
  assert.notEqual(session.sessionId, sessionId);
  assert.deepEqual(request.sessionHeaders()[0], ["gkc-sessionId", session.sessionId]);
});

test("setting a property of the session is an error", async () => {
  const session = await sessionIn(track(createRequestTracker({ url: antechamber.url, deadline: 20_000 })));
  assert.throws(() => Object.assign(session, { user: "jane" }), TypeError);
});

test("requests with a key get sessions; without one they continue without a session", async () => {
  const agent = keyFor({ role: "agent" });
  await using server = await serve({ config: { auth: "key" }, keys: [agent.key] });
  const key = agent.bearer.slice("Bearer ".length);
  const session = await sessionIn(track(createRequestTracker({ url: server.url, key, deadline: 20_000 })));
  assert.equal(await session.identify({ customerId: "jane" }), true);

  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const stranger = createRequestTracker({ url: server.url, onError, deadline: 20_000 });
  assert.equal(await track(stranger).session, null);
  assert.equal((errors[0] as ProblemError).code, "credential-required");
});

test("one refused record does not prevent the others from being recorded", async () => {
  const lost: number[] = [];
  const tracker = createRequestTracker({
    url: antechamber.url,
    deadline: 20_000,
    record: (record) => (record.path === "/bad" ? { ...record, method: "no method" } : record),
    onError: (_error, count) => lost.push(count),
  });
  const { sessionId } = await sessionIn(track(tracker));
  for (const path of ["/1", "/2", "/bad", "/3", "/4"]) {
    const request = track(tracker, path, sessionId);
    await request.session;
    request.finish(200, false);
  }
  await tracker.close();
  const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId);
  const paths = records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
  assert.deepEqual(paths, ["/1", "/2", "/3", "/4"]);
  assert.deepEqual([lost, tracker.dropped()], [[1], 1]);
});

test("records are stored once if the first response was lost", async () => {
  await using proxy = await startFaultyProxy(antechamber.port);
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const tracker = createRequestTracker({ url: proxy.url, deadline: 20_000, onError });
  const request = track(tracker);
  const { sessionId } = await sessionIn(request);
  const direct = createTransport({ url: antechamber.url });
  request.finish(200, false);
  proxy.setFault("swallow");
  const isRecorded = async () => (await direct.timeline(sessionId)).total === 1;
  await until("the record has arrived", isRecorded);
  await until("an error is reported", () => errors.length > 0);
  proxy.setFault("pass");
  await tracker.close();
  assert.deepEqual([(await direct.timeline(sessionId)).total, tracker.dropped()], [1, 0]);
});

test("requests with invalid or long targets are recorded with a valid path", async () => {
  const tracker = createRequestTracker({ url: antechamber.url, deadline: 20_000 });
  const { sessionId } = await sessionIn(track(tracker));
  const targets = ["*", "/\u0080\ud800é?q=1", `/${"a".repeat(9000)}`, "http://site/x?y", "nonsense"];
  for (const target of targets) {
    const request = track(tracker, target, sessionId);
    await request.session;
    request.finish(null, true);
  }
  await tracker.close();
  assert.equal(tracker.dropped(), 0);
  const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId);
  const paths = records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
  assert.deepEqual(
    paths.map((path) => path.slice(0, 30)),
    ["*", "/%C2%80%EF%BF%BD%C3%A9", `/${"a".repeat(29)}`, "/x", "/"],
  );
});

test("a record that is not JSON, by the application's own filter, is dropped, and no other waits behind it", async () => {
  const lost: unknown[] = [];
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const odd: Readonly<Record<string, unknown>> = { "/big": 1n, "/circular": circular };
  const tracker = createRequestTracker({
    url: antechamber.url,
    deadline: 20_000,
    record: (record) => ({ ...record, attributes: (odd[record.path] ?? null) as null }),
    onError: (error, count) => lost.push([(error as Error).name, count]),
  });
  const { sessionId } = await sessionIn(track(tracker));
  const other = await sessionIn(track(tracker));
  for (const target of ["/a", "/big", "/b", "/circular", "/c"]) {
    const request = track(tracker, target, sessionId);
    await request.session;
    request.finish(200, false);
  }
  const request = track(tracker, "/other", other.sessionId);
  await request.session;
  request.finish(200, false);
  await tracker.close();
  const transport = createTransport({ url: antechamber.url });
  const pathsOf = async (id: string) =>
    (await transport.timeline(id)).records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
  assert.deepEqual(await pathsOf(sessionId), ["/a", "/b", "/c"]);
  assert.deepEqual(await pathsOf(other.sessionId), ["/other"]);
  assert.deepEqual(lost, [
    ["TypeError", 1],
    ["TypeError", 1],
  ]);
  assert.equal(tracker.dropped(), 2);
});

test("records beyond ten thousand waiting ones are dropped and counted, and close() ends in time", async () => {
  await using proxy = await startFaultyProxy(antechamber.port);
  let lost = 0;
  const transport = createTransport({ url: proxy.url });
  const failed = (_error: unknown, count: number) => {
    lost += count;
  };
  const recorder = new Recorder({ transport, reportFailure: failed });
  const { sessionId } = await transport.create();
  proxy.setFault("hang");
  for (let sent = 0; sent < 10_500; sent++) recorder.add(sessionId, { method: "GET", path: `/${sent}` }, false);
  assert.deepEqual([recorder.dropped(), lost], [500, 500]);
  const started = performance.now();
  await recorder.close();
  // Each of the calls would take ten seconds.
  assert.ok(performance.now() - started < 60_000);
  assert.deepEqual([recorder.dropped(), lost], [10_500, 10_500]);
});
