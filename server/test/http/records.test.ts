// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Fault, RequestEntry } from "@antechamber/client/protocol";
import { noIdentity } from "../../src/session/session.ts";
import { type Api, createApi, problemOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { exchange, openConnection, requestText } from "../support/raw-http.ts";
import {
  acceptedOf,
  newSession,
  pageOf,
  pathsIn,
  post,
  requestsOf,
  visit,
  visits,
  wholeTimeline,
} from "../support/records.ts";
import { MINUTE } from "../support/sessions.ts";

let server: TestServer;
let api: Api;
before(async () => {
  server = await serve({
    config: {
      basePaths: [{ path: "/gks-server/v1", dialect: "8.5.0" }],
      recordQueryKeys: ["page"],
      maxRecords: 2000,
    },
  });
  api = createApi(server.url);
});
after(() => server[Symbol.asyncDispose]());

/** Returns the request record of a session that has only one. */
async function onlyRequest(id: string): Promise<RequestEntry> {
  const found = (await wholeTimeline(api, id)).filter((entry) => entry.type === "request");
  assert.equal(found.length, 1);
  return found[0] as RequestEntry;
}

test("a record is in the timeline as soon as it is accepted", async () => {
  const id = await newSession(api);
  const sent = {
    method: "POST",
    path: "/cart?mail=x&page=2",
    status: 201,
    startedAt: "2026-11-23T12:00:00+02:00",
    durationMs: 12.3456,
    service: "shop",
    attributes: { language: "de", empty: "" },
    unknown: { is: "ignored" },
  };
  assert.equal(acceptedOf(await post(api, id, sent)), 1);
  assert.deepEqual(await onlyRequest(id), {
    type: "request",
    sequence: 1,
    method: "POST",
    path: "/cart?page=2",
    status: 201,
    startedAt: "2026-11-23T10:00:00.000Z",
    durationMs: 12.346,
    service: "shop",
    attributes: { language: "de", empty: "" },
    state: "anonymous",
    ...noIdentity,
  });
});

test("missing values of a record are null; a missing start is the time at which the record arrived", async () => {
  for (const sent of [
    visit("/"),
    { ...visit("/"), status: null, startedAt: null, durationMs: null, attributes: null },
    { ...visit("/"), service: "", attributes: [] },
  ]) {
    const id = await newSession(api);
    const earliest = server.now();
    acceptedOf(await post(api, id, sent));
    const { status, durationMs, service, attributes, startedAt } = await onlyRequest(id);
    assert.deepEqual([status, durationMs, service, attributes], [null, null, null, {}]);
    // The clock of sessions may be 1 ms ahead of the machine's, because it never runs backwards.
    assert.ok(Date.parse(startedAt) >= earliest && Date.parse(startedAt) <= server.now() + 1);
  }
});

test("records that are sent in many requests keep their order", async () => {
  const id = await newSession(api);
  assert.equal(acceptedOf(await post(api, id, visits(1000))), 1000);
  for (let i = 1001; i <= 1020; i++) {
    const query = i % 5 === 0 ? "?durable=true" : "";
    const json = [visit(`/${i}`)];
    acceptedOf(await api.call("POST", requestsOf(id) + query, { json }));
  }
  const paths = visits(1020).map(({ path }) => path);
  assert.deepEqual(pathsIn(await wholeTimeline(api, id)), paths);
  assert.deepEqual(pathsIn(await wholeTimeline(api, id, 77)), paths);
});

test("an empty array is accepted, and counts as a use of the session", async () => {
  const id = await newSession(api);
  assert.equal(acceptedOf(await post(api, id, [])), 0);
  assert.equal(acceptedOf(await post(api, id, [], { "idempotency-key": "k-empty" })), 0);
  const page = await pageOf(api, id);
  assert.equal(page.total, 0);
  assert.deepEqual(
    page.records.map(({ type }) => type),
    ["created"],
  );
});

/** Bodies that are refused, and the places that the refusal names. */
const wrong: readonly [name: string, json: unknown, places: readonly string[]][] = [
  ["a text", "x", [""]],
  ["null", null, [""]],
  ["a number", 1, [""]],
  ["an array of no objects", [visit("/"), 1, null, []], ["[1]", "[2]", "[3]"]],
  ["no members", {}, ["method", "path"]],
  ["no members in an array", [visit("/"), {}], ["[1].method", "[1].path"]],
  ["a method that is none", { method: "G T", path: "/" }, ["method"]],
  ["an empty method", { method: "", path: "/" }, ["method"]],
  ["a method of another type", { method: 1, path: "/" }, ["method"]],
  ["a relative path", { method: "GET", path: "a" }, ["path"]],
  ["a whole URL", { method: "GET", path: "https://x/" }, ["path"]],
  ["a path with a control character", [visit("/\u0007")], ["[0].path"]],
  ["a path with half a character", [visit("/\ud800")], ["[0].path"]],
  ["a status out of range", [{ ...visit("/"), status: 99 }], ["[0].status"]],
  ["a status above", { ...visit("/"), status: 600 }, ["status"]],
  ["half a status", { ...visit("/"), status: 200.5 }, ["status"]],
  ["a status in words", { ...visit("/"), status: "200" }, ["status"]],
  ["a time without zone", { ...visit("/"), startedAt: "2026-11-23T10:00:00" }, ["startedAt"]],
  ["a day", { ...visit("/"), startedAt: "2026-11-23" }, ["startedAt"]],
  ["an impossible time", { ...visit("/"), startedAt: "2026-13-23T10:00:00Z" }, ["startedAt"]],
  ["a day that the month does not have", { ...visit("/"), startedAt: "2026-02-29T10:00:00Z" }, ["startedAt"]],
  ["a time before 1970", { ...visit("/"), startedAt: -1 }, ["startedAt"]],
  ["a time beyond all dates", { ...visit("/"), startedAt: 9e15 }, ["startedAt"]],
  ["a time of another type", { ...visit("/"), startedAt: true }, ["startedAt"]],
  ["a negative duration", { ...visit("/"), durationMs: -1 }, ["durationMs"]],
  ["a duration in words", { ...visit("/"), durationMs: "1" }, ["durationMs"]],
  ["a service of another type", { ...visit("/"), service: 7 }, ["service"]],
  ["a long service", { ...visit("/"), service: "x".repeat(257) }, ["service"]],
  ["a service with a line break", { ...visit("/"), service: "a\nb" }, ["service"]],
  ["attributes in an array", { ...visit("/"), attributes: ["a"] }, ["attributes"]],
  ["attributes in a text", { ...visit("/"), attributes: "a" }, ["attributes"]],
  ["an attribute of another type", { ...visit("/"), attributes: { a: 1 } }, ["attributes.a"]],
  ["an attribute that is null", [{ ...visit("/"), attributes: { a: null } }], ["[0].attributes.a"]],
  ["half a character", { ...visit("/"), attributes: { a: "\udc00" } }, ["attributes.a"]],
  ["a long name", { ...visit("/"), attributes: { ["x".repeat(129)]: "" } }, ["attributes"]],
  ["a name with controls", { ...visit("/"), attributes: { "a\n": "" } }, ["attributes"]],
  [
    "too many attributes",
    {
      ...visit("/"),
      attributes: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, ""])),
    },
    ["attributes"],
  ],
  ["a long record", visit(`/${"x".repeat(8192)}`), [""]],
  ["a long record in an array", [visit("/"), visit(`/${"é".repeat(4096)}`)], ["[1]"]],
  ["1,001 records", visits(1001), [""]],
];
for (const [name, json, places] of wrong) {
  test(`${name}: refused with the name of the fault, and nothing is recorded`, async () => {
    const id = await newSession(api);
    const answer = await post(api, id, json);
    const { errors } = problemOf(answer, 400, "invalid-request");
    assert.deepEqual(
      errors?.map(({ name: place }) => place),
      places,
    );
    for (const fault of errors as Fault[]) {
      assert.equal(fault.in, "body");
      assert.match(fault.detail, /^[^\n]{5,200}\.$/);
    }
    assert.equal((await pageOf(api, id)).total, 0);
  });
}

test("the refusal of a body with many faults lists only the first ones", async () => {
  const id = await newSession(api);
  const { errors = [] } = problemOf(
    await post(
      api,
      id,
      Array.from({ length: 1000 }, () => 0),
    ),
    400,
    "invalid-request",
  );
  assert.ok(errors.length >= 10 && errors.length <= 40, `${errors.length} faults`);
});

test("a misspelt or repeated parameter is refused, and nothing is recorded", async () => {
  const id = await newSession(api);
  for (const [query, names] of [
    ["durabel=true", ["durabel"]],
    ["durable=true&durable=false&x", ["durable", "x"]],
    ["provisional=true&durable=true&wait=1", ["wait", "provisional"]],
  ] as const) {
    const answer = await api.call("POST", `${requestsOf(id)}?${query}`, { json: visit("/") });
    const { errors = [] } = problemOf(answer, 400, "invalid-request");
    assert.deepEqual(
      errors.map(({ name }) => name),
      names,
    );
  }
  assert.equal((await pageOf(api, id)).total, 0);
});

test("a body that is not JSON is refused", async () => {
  const id = await newSession(api);
  const headers = { "content-type": "application/json" };
  for (const body of ["", "{", "[{}", '{"method":"GET","path":"/"}x', "undefined"]) {
    const answer = await api.call("POST", requestsOf(id), { body, headers });
    problemOf(answer, 400, "invalid-request");
  }
  const bytes = `{"method":"GET","path":"/\xff"}`;
  const text = requestText(`POST ${requestsOf(id)}`, ["Content-Type: application/json"], "");
  const request = `${text.slice(0, -2)}Content-Length: ${bytes.length}\r\n\r\n${bytes}`;
  assert.equal((await exchange(server.port, request)).status, 400);
  assert.equal((await pageOf(api, id)).total, 0);
});

test("a service and the name of an attribute are as long as promised, counted in characters", async () => {
  const id = await newSession(api);
  const [service, name] = ["🦊".repeat(256), "🦊".repeat(128)];
  acceptedOf(await post(api, id, { ...visit("/"), service, attributes: { [name]: "a" } }));
  const request = await onlyRequest(id);
  assert.deepEqual([request.service, request.attributes], [service, { [name]: "a" }]);
  const longer = { ...visit("/"), service: `${service}x`, attributes: { [`${name}x`]: "a" } };
  const { errors } = problemOf(await post(api, id, longer), 400, "invalid-request");
  assert.deepEqual(
    errors?.map((fault) => fault.name),
    ["service", "attributes"],
  );
});

test("a record may have the maximum length, whatever it consists of", async () => {
  const id = await newSession(api);
  const long = { ...visit("/long"), attributes: { a: "😀".repeat(1900), b: '"'.repeat(100) } };
  assert.equal(acceptedOf(await post(api, id, long)), 1);
  const attributes = JSON.parse('{"__proto__":"p","constructor":"c","toString":"t"}') as unknown;
  acceptedOf(await post(api, id, { ...visit("/odd"), attributes }));
  const own = '{"method":"GET","path":"/own","__proto__":{"status":7,"service":5}}';
  const headers = { "content-type": "application/vnd.x+json; charset=utf-8" };
  acceptedOf(await api.call("POST", requestsOf(id), { body: own, headers }));
  const entries = (await wholeTimeline(api, id)).filter(({ type }) => type === "request");
  assert.deepEqual(
    entries.map((entry) => JSON.stringify((entry as RequestEntry).attributes)),
    [JSON.stringify(long.attributes), JSON.stringify(attributes), "{}"],
  );
  assert.equal((entries[2] as RequestEntry).status, null);
});

test("1,000 records of 8 KiB are accepted in one request, and returned", async () => {
  const id = await newSession(api);
  const path = (i: number) => `/${i}/`.padEnd(8000, "x");
  const all = Array.from({ length: 1000 }, (_, i) => visit(path(i)));
  assert.equal(acceptedOf(await post(api, id, all)), 1000);
  const entries = await wholeTimeline(api, id);
  assert.deepEqual(
    pathsIn(entries),
    all.map(({ path: sent }) => sent),
  );
});

test("a body of millions of values is refused before it is parsed, whatever the texts in it", async () => {
  const id = await newSession(api);
  const send = (body: string) =>
    api.call("POST", requestsOf(id), { body, headers: { "content-type": "application/json" } });
  const many = [
    ["[".repeat(4_000_000), "]".repeat(4_000_000)],
    ["[", `${"{},".repeat(2_700_000)}{}]`],
    ['{"method":"GET","path":"/","x":[', `${"1,".repeat(4_000_000)}1]}`],
    ['{"method":"GET","path":"/","attributes":', `${'{"\\"":'.repeat(1_000_000)}1${"}".repeat(1_000_000)}}`],
  ];
  for (const parts of many) {
    const { detail } = problemOf(await send(parts.join("")), 400, "invalid-request");
    assert.match(detail, /more than 64000 values/);
  }
  const attributes = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`n${i}`, '[{,"\\'.repeat(20)]));
  const full = { ...visit("/full"), startedAt: 1, status: 200, durationMs: 1, service: "s", attributes };
  assert.equal(
    acceptedOf(
      await post(
        api,
        id,
        Array.from({ length: 1000 }, () => full),
      ),
    ),
    1000,
  );
  assert.equal((await pageOf(api, id)).total, 1000);
});

test("a body that is too large is refused, announced or not", async () => {
  const id = await newSession(api);
  const type = "Content-Type: application/json";
  const line = `POST ${requestsOf(id)}`;
  const announced = requestText(line, [type, "Content-Length: 99999999"]);
  assert.equal((await exchange(server.port, announced)).status, 413);

  await using connection = await openConnection(server.port);
  connection.send(requestText(line, [type, "Transfer-Encoding: chunked"]));
  const chunk = `10000\r\n${" ".repeat(65_536)}\r\n`;
  for (let sent = 0; sent < 9 * 1024 * 1024; sent += 65_536) connection.send(chunk);
  const refused = await connection.response();
  assert.equal(refused.status, 413);
  assert.equal((JSON.parse(refused.body) as { code: string }).code, "body-too-large");
  assert.equal((await pageOf(api, id)).total, 0);
});

test("a second Content-Length does not circumvent the limit", async () => {
  const id = await newSession(api);
  const send = async (line: string, length: number) => {
    const lengths = Array.from({ length: 2 }, () => `Content-Length: ${length}`);
    const head = requestText(line, ["Content-Type: application/json", ...lengths]);
    return (await exchange(server.port, head + "[]".padEnd(length))).status;
  };
  // The HTTP server may refuse two lengths with 400, or the service reads the body.
  assert.ok([202, 400].includes(await send(`POST ${requestsOf(id)}`, 10)));
  assert.ok([400, 413].includes(await send(`POST ${requestsOf(id)}`, 9 * 1024 * 1024)));
  assert.ok([413, 400].includes(await send("PUT /sessions/new", 20_000)));
  acceptedOf(await post(api, id, visit("/")));
});

test("a body with another content type than JSON is refused", async () => {
  const id = await newSession(api);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"]) {
    const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
    const text = JSON.stringify(visit("/"));
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const answer = await exchange(server.port, requestText(`POST ${requestsOf(id)}`, fields, text));
    assert.equal(answer.status, 415, type);
  }
  assert.equal((await pageOf(api, id)).total, 0);
});

test("without a live session nothing is recorded", async () => {
  const known = await newSession(api);
  for (const id of [
    "new",
    "x",
    "00000000-0000-0000-0000-0000000000",
    "A".repeat(40),
    `${known.slice(0, -1)}${known.endsWith("A") ? "B" : "A"}`,
    `${known}A`,
    "%20",
    "a%2Fb",
  ]) {
    problemOf(await post(api, id, visit("/")), 404, "session-not-found");
    problemOf(await api.call("GET", requestsOf(id)), 404, "session-not-found");
  }
  problemOf(await api.call("POST", "/sessions//requests", { json: visit("/") }), 404, "not-found");
  problemOf(await api.call("GET", `${requestsOf(known)}/1`), 404, "not-found");
});

test("a faulty record is refused before the session is looked up, and nothing is recorded", async () => {
  problemOf(await post(api, "x", {}), 400, "invalid-request");
});

test("the response to an unknown method lists the allowed ones", async () => {
  const id = await newSession(api);
  for (const path of [requestsOf(id), `/gks-server/v1${requestsOf(id)}/`]) {
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const answer = await api.call(method, path);
      problemOf(answer, 405, "method-not-allowed");
      assert.deepEqual(answer.headers.get("allow")?.split(", ").toSorted(), ["GET", "HEAD", "OPTIONS", "POST"]);
    }
    const options = await api.call("OPTIONS", path);
    assert.equal(options.status, 204);
    assert.match(options.headers.get("allow") ?? "", /POST/);
  }
});

test("recording and reading work below the base path and with a trailing slash", async () => {
  const id = await newSession(api);
  const requests = requestsOf(id);
  for (const [i, path] of [`${requests}/`, `/gks-server/v1${requests}`, `/gks-server/v1${requests}/`].entries()) {
    acceptedOf(await api.call("POST", path, { json: visit(`/page/${i}`) }));
    const answer = await api.call("GET", `${path}?limit=1000`);
    assert.ok(answer.text.includes(`"path":"/page/${i}"`), path);
  }
});

test("recording renews the session", async () => {
  await using still = await serve({ frozen: true });
  const calls = createApi(still.url);
  const id = await newSession(calls);
  for (let i = 1; i <= 5; i++) {
    still.pass(20 * MINUTE);
    const query = i % 2 === 0 ? "?durable=true" : "";
    acceptedOf(await calls.call("POST", requestsOf(id) + query, { json: visit(`/${i}`) }));
  }
  assert.equal((await pageOf(calls, id)).total, 5);
  still.pass(31 * MINUTE);
  problemOf(await post(calls, id, visit("/late")), 404, "session-not-found");
});

test("accepted records are still there after a restart", async () => {
  await using own = await serve();
  const id = await newSession(createApi(own.url));
  acceptedOf(await post(createApi(own.url), id, visits(500)));
  await own.restart();
  const calls = createApi(own.url);
  acceptedOf(await post(calls, id, visit("/501")));
  assert.equal(pathsIn(await wholeTimeline(calls, id)).length, 501);
});

test("records are counted, and none is lost", async () => {
  const id = await newSession(api);
  const count = async () => {
    const { text } = await api.call("GET", "/metrics");
    return Number(/^antechamber_records_accepted_total(?:\{\S*\})? (\d+)/m.exec(text)?.[1]);
  };
  const earlier = await count();
  acceptedOf(await post(api, id, visits(7)));
  assert.equal((await count()) - earlier, 7);
});
