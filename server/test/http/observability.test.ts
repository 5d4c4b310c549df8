import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { eventually, until } from "../support/eventually.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { exchange, openConnection, requestText } from "../support/raw-http.ts";

/** Returns the values of all metrics by name and labels. */
async function samples(server: TestServer): Promise<Map<string, number>> {
  const { status, headers, text } = await createApi(server.url).call("GET", "/metrics");
  assert.equal(status, 200);
  assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** Returns how much each of the service's metrics changed during `work`. */
async function moved(server: TestServer, work: () => Promise<unknown>): Promise<Map<string, number>> {
  const before = await samples(server);
  await work();
  const differences = new Map<string, number>();
  for (const [name, value] of await samples(server)) {
    const difference = value - (before.get(name) ?? 0);
    if (difference !== 0) differences.set(name, difference);
  }
  return differences;
}

/** Returns the number of requests for each `operation status`. */
function requests(differences: ReadonlyMap<string, number>): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const [name, value] of differences) {
    if (!name.startsWith("antechamber_requests_total{")) continue;
    const operation = /operation="([^"]*)"/.exec(name)?.[1];
    const status = /status="([^"]*)"/.exec(name)?.[1];
    if (operation !== "metrics") counted[`${operation} ${status}`] = value;
  }
  return counted;
}

test("requests are counted by operation and status, with their durations", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const startedAt = performance.now();
  const differences = await moved(server, async () => {
    const { sessionId } = sessionOf(await api.create({ json: { visitId: "v" } }));
    await api.create();
    await api.create({ json: { visitId: "v" } });
    for (let i = 0; i < 3; i++) await api.retrieve(sessionId);
    await api.call("HEAD", `/sessions/${sessionId}`);
    await api.call("HEAD", "/sessions/unknown");
    await api.update(sessionId, { headers: { gkc_customerId: "c" } });
    await api.update("unknown", { headers: { gkc_customerId: "c" } });
    await api.call("GET", "/nowhere");
    await api.call("PATCH", "/sessions/x");
    await api.call("GET", "/healthz");
  });
  assert.deepEqual(requests(differences), {
    "create 200": 2,
    "create 400": 1,
    "retrieve 200": 3,
    "head 200": 1,
    "head 404": 1,
    "associate 200": 1,
    "associate 404": 1,
    "other 404": 1,
    "other 405": 1,
    "health 200": 1,
  });
  const count = 'antechamber_request_duration_seconds_count{operation="retrieve"}';
  const most = 'antechamber_request_duration_seconds_bucket{le="+Inf",operation="retrieve"}';
  assert.equal(differences.get(count), 3);
  assert.equal(differences.get(most), 3);
  const sum = 'antechamber_request_duration_seconds_sum{operation="retrieve"}';
  const seconds = differences.get(sum) ?? 0;
  assert.ok(seconds > 0 && seconds < (performance.now() - startedAt) / 1000, `${seconds} s`);
});

test("sessions are counted when they are created, associated, and expire", async () => {
  await using server = await serve({ frozen: true });
  const api = createApi(server.url);
  const differences = await moved(server, async () => {
    const { sessionId } = sessionOf(await api.create());
    await api.create({ json: { visitId: "v" } });
    await api.retrieve("unknown");
    await api.retrieve(sessionId);
    await api.update(sessionId, { headers: { gkc_customerId: "c" } });
    await api.create({ json: { visitId: "v" } });
    await api.update(sessionId, { headers: { gkc_customerId: "d" } });
  });
  assert.equal(differences.get("antechamber_sessions_created_total"), 3);
  assert.equal(differences.get("antechamber_sessions_associated_total"), 1);
  assert.equal(differences.get('antechamber_refusals_total{code="already-exists"}'), 2);

  server.pass(24 * 3_600_000);
  const purged = async () => (await samples(server)).get("antechamber_sessions_expired_total") ?? 0;
  await until("the stored sessions are purged", async () => (await purged()) >= 2);
});

test("requests that cannot be read are counted by the status of their refusal", async () => {
  await using server = await serve();
  const ask = async (text: string) => {
    await using connection = await openConnection(server.port);
    connection.send(text);
    return (await connection.response()).status;
  };
  const differences = await moved(server, async () => {
    assert.equal(await ask("GET / HTTP/2.0\r\n\r\n"), 505);
    assert.equal(await ask("what is this\r\n\r\n"), 400);
    assert.equal(await ask("GET / HTTP/1.1\r\n\r\n"), 400);
    assert.equal(await ask("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 400);
    assert.equal(await ask(`GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), 414);
    assert.equal(await ask(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`), 431);
  });
  const unreadable = [...differences].filter(([name]) => name.includes("unreadable"));
  assert.deepEqual(Object.fromEntries(unreadable), {
    'antechamber_unreadable_requests_total{status="400"}': 3,
    'antechamber_unreadable_requests_total{status="414"}': 1,
    'antechamber_unreadable_requests_total{status="431"}': 1,
    'antechamber_unreadable_requests_total{status="505"}': 1,
  });
  assert.deepEqual(requests(differences), {});
});

test("open connections are counted", async () => {
  await using server = await serve();
  // Not with `fetch`, which keeps connections open for seconds.
  const connections = async () => {
    const { body } = await exchange(server.port, requestText("GET /metrics"));
    return Number(/^antechamber_connections (\d+)$/m.exec(body)?.[1]);
  };
  const before = await connections();
  {
    await using first = await openConnection(server.port);
    await using second = await openConnection(server.port);
    for (const connection of [first, second]) {
      connection.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      assert.equal((await connection.response()).status, 200);
    }
    await eventually(async () => assert.equal(await connections(), before + 2));
  }
  await eventually(async () => assert.equal(await connections(), before));
});

test("refusals are counted by code", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const differences = await moved(server, async () => {
    const { sessionId } = sessionOf(await api.create());
    await api.create({ json: { visitId: 1 } });
    await api.update(sessionId);
    await api.update("x", { json: { visitId: "v" } });
    await api.create({ body: "x" });
    await api.create({ json: "x".repeat(20_000) });
    await api.call("GET", "/nowhere");
    await api.call("PATCH", "/sessions/x");
  });
  for (const code of [
    "invalid-request",
    "nothing-to-associate",
    "session-not-found",
    "unsupported-media-type",
    "body-too-large",
    "not-found",
    "method-not-allowed",
  ]) {
    assert.equal(differences.get(`antechamber_refusals_total{code="${code}"}`), 1, code);
  }
});

test("the metrics show the store's commit groups, queue and size", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const differences = await moved(server, () =>
    Promise.all(Array.from({ length: 64 }, (_, i) => api.create({ json: { visitId: `v${i}` } }))),
  );
  // More than 64 are possible, since a purge counts as a change.
  assert.ok((differences.get("antechamber_commit_group_size_sum") ?? 0) >= 64);
  const groups = differences.get("antechamber_commit_group_size_count") ?? 0;
  assert.ok(groups >= 1, `${groups} groups`);
  await eventually(async () => {
    assert.equal((await samples(server)).get("antechamber_store_queue_depth"), 0);
  });
  const now = await samples(server);
  assert.equal(now.get("antechamber_store_writable"), 1);
  assert.ok((now.get("antechamber_store_size_bytes") ?? 0) > 4096);
  assert.ok((now.get("antechamber_commit_duration_seconds_count") ?? 0) >= groups);
  assert.ok((now.get("process_resident_memory_bytes") ?? 0) > 0);
});

test("the metrics are well-formed and name no session, customer or path", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const headers = { gkc_customerId: "customer-of-mine" };
  const { sessionId } = sessionOf(await api.create({ headers, json: { visitId: "visit-of-mine" } }));
  await api.retrieve(sessionId);
  await api.call("GET", "/private/path");
  const { text } = await api.call("GET", "/metrics");
  for (const line of text.split("\n")) {
    assert.match(line, /^$|^# (HELP|TYPE) |^[a-z_:][a-z0-9_:]*(\{[^{}]*\})? (-?[\d.e+-]+|NaN)$/i);
  }
  for (const secret of [sessionId, "customer-of-mine", "visit-of-mine", "/private/path"]) {
    assert.ok(!text.includes(secret), secret);
  }
});

test("the probes show that the process runs and the store is writable", async () => {
  await using server = await serve();
  for (const path of ["/healthz", "/readyz", "/healthz/", "/readyz/"]) {
    const { status, headers, text } = await createApi(server.url).call("GET", path);
    assert.equal(status, 200, path);
    assert.deepEqual(JSON.parse(text), { status: "ok" });
    assert.equal(headers.get("cache-control"), "no-store");
    const head = await createApi(server.url).call("HEAD", path);
    assert.equal(head.status, 200);
  }
});

test("the log is JSON with one line per request, and a session has the same handle in all lines", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create());
  for (let i = 0; i < 3; i++) await api.retrieve(sessionId);
  await api.retrieve("other");
  await api.call("GET", "/nowhere", { headers: { "x-request-id": "mine-1" } });
  const lines = server.log().trimEnd().split("\n");
  const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const answered = logged.filter(({ status }) => status !== undefined);
  assert.deepEqual(
    answered.map(({ operation, method, status }) => [operation, method, status]),
    [
      ["create", "PUT", 200],
      ["retrieve", "GET", 200],
      ["retrieve", "GET", 200],
      ["retrieve", "GET", 200],
      ["retrieve", "GET", 200],
      ["other", "GET", 404],
    ],
  );
  const handles = answered.filter(({ operation }) => operation === "retrieve").map((l) => l["session"]);
  assert.equal(typeof handles[0], "string");
  assert.deepEqual([handles[1], handles[2]], [handles[0], handles[0]]);
  assert.notEqual(handles[3], handles[0]);
  assert.equal(answered.at(-1)?.["requestId"], "mine-1");
  for (const line of answered) assert.equal(typeof line["requestId"], "string");
});

test("no log line contains an id, a key or a body, whatever is requested", async () => {
  const key = keyFor({ role: "administrator" });
  await using local = await serve();
  await using keyed = await serve({ config: { auth: "key" }, keys: [key.key] });
  const secret = "SecretOf";
  for (const server of [local, keyed]) {
    const api = createApi(server.url, { authorization: key.bearer });
    const headers = { gkc_customerId: `${secret}Customer`, "gkc-agentId": `${secret}Agent` };
    const json = { visitId: `${secret}Visit`, globalVisitId: `${secret}Global` };
    const { sessionId } = sessionOf(await api.create({ headers, json }));
    await api.retrieve(sessionId, { headers });
    await api.retrieve(`${secret}Unknown`, { headers });
    await api.update(sessionId, { headers, json });
    await api.update(sessionId, { headers: { gkc_customerId: `${secret}Other` } });
    await api.update(`${secret}Unknown`, { headers });
    await api.create({ json });
    await api.create({ json: { visitId: `${secret}\n` } });
    await api.create({
      body: `{"visitId": "${secret}`,
      headers: { "content-type": "application/json" },
    });
    await api.call("GET", `/${secret}/path?customer=${secret}`);
    await api.call("GET", `/sessions/${sessionId}?customer=${secret}`);
    const evil = createApi(server.url, { authorization: `Bearer ${secret}Key` });
    await evil.create({ headers });
    const log = server.log();
    assert.ok(log.split("\n").length > 12, "every request is logged");
    assert.ok(!log.includes(secret), log);
    assert.ok(!log.includes(sessionId), "no session id");
    assert.ok(!log.includes(key.bearer.slice(7)), "no key");
    assert.ok(!/[A-Za-z0-9_-]{40}/.test(log.replaceAll(/"(?:session|url)":"[^"]*"/g, "")), log);
  }
});

test("by default only failures of the service are logged", async () => {
  await using server = await serve({ config: { accessLog: "errors" } });
  const api = createApi(server.url);
  const before = server.log();
  await api.create();
  await api.call("GET", "/nowhere");
  await api.create({ json: { visitId: 1 } });
  assert.equal(server.log(), before);
});

test("the log says why /forward-auth refuses a proxy, once for each mistake in its set-up", async () => {
  const reporter = keyFor({ role: "reporter" });
  await using keyed = await serve({ config: { auth: "key", accessLog: "errors" }, keys: [reporter.key] });
  await using local = await serve({ config: { accessLog: "errors" } });
  const ask = (server: TestServer, ...lines: readonly string[]) =>
    exchange(server.port, ["GET /forward-auth HTTP/1.1", "Connection: close", ...lines, "", ""].join("\r\n"));
  const from = [keyed.log().length, local.log().length];
  for (const authorization of ["", "Bearer ak_wrong", reporter.bearer, ""]) {
    await ask(keyed, "Host: 127.0.0.1", `Authorization: ${authorization}`);
  }
  for (let i = 0; i < 2; i++) await ask(local, "Host: shop.example");
  const warnings = [keyed, local].flatMap((server, at) =>
    server
      .log()
      .slice(from[at])
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
  assert.deepEqual(
    warnings.map(({ level, code, refused }) => [level, code, refused]),
    [
      [40, "credential-required", 1],
      [40, "invalid-credential", 1],
      [40, "role-not-permitted", 1],
      [40, "invalid-request", 1],
    ],
  );
  assert.match(String(warnings[0]?.["msg"]), /^\/forward-auth refuses the proxy: .* key of the role agent$/);
  assert.match(String(warnings[3]?.["msg"]), /Host must name this machine/);
});

test("the log line of a refusal has its code, and shows only words of the API in an unknown path", async () => {
  await using server = await serve({
    config: { accessLog: "all", basePaths: [{ path: "/gks-server/v1", dialect: "8.5.0" }] },
  });
  const api = createApi(server.url);
  const lineOf = async (method: string, path: string, options = {}) => {
    await api.call(method, path, options);
    const line = server.log().trimEnd().split("\n").at(-1) ?? "";
    return JSON.parse(line) as Record<string, unknown>;
  };
  const held = sessionOf(await api.create({ headers: { gkc_customerId: "c" } })).sessionId;
  const refused = await lineOf("POST", `/sessions/${held}`, { headers: { gkc_customerId: "d" } });
  assert.deepEqual(
    [refused["operation"], refused["status"], refused["code"], refused["path"]],
    ["associate", 400, "already-exists", undefined],
  );
  const done = await lineOf("GET", `/sessions/${held}`);
  assert.deepEqual([done["status"], done["code"]], [200, undefined]);
  for (const [method, path, code, hint] of [
    ["GET", "/gks-server/v2/sessions/secret-id", "not-found", "/gks-server/*/sessions/*"],
    ["GET", "/customers/anna/exports", "not-found", "/customers/*/*"],
    ["PATCH", `/sessions/${held}`, "method-not-allowed", "/sessions/*"],
    ["GET", `/x${"/a".repeat(50)}`, "not-found", "/*".repeat(8)],
    ["GET", "/anna@example.org", "not-found", "/*"],
    ["GET", "/sessions//audit/", "not-found", "/sessions//audit/"],
  ] as const) {
    const line = await lineOf(method, path);
    assert.deepEqual([line["operation"], line["code"], line["path"]], ["other", code, hint]);
  }
});

test("a server that stops completes the requests that it has accepted", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const asked = Array.from({ length: 100 }, (_, i) =>
    api.create({ json: { visitId: `v${i}` } }).catch(() => undefined),
  );
  // When the first response arrives, the server has accepted all requests.
  await Promise.race(asked);
  await server.restart();
  const answered = (await Promise.all(asked)).filter((answer) => answer !== undefined);
  assert.ok(answered.length > 0);
  for (const answer of answered) {
    if (answer.status === 503) continue;
    const { sessionId, visitId } = sessionOf(answer);
    assert.equal(sessionOf(await createApi(server.url).retrieve(sessionId)).visitId, visitId);
  }
  problemOf(await createApi(server.url).create({ json: { visitId: "v0" } }), 400, "already-exists");
});
