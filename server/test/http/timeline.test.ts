// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { LifeEntry, TimelineEntry } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { noIdentity } from "../../src/session/session.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { exchange, requestText, utf8 } from "../support/raw-http.ts";
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
import { DAY, HOUR, MINUTE } from "../support/sessions.ts";

let server: TestServer;
let guarded: TestServer;
let api: Api;
before(async () => {
  server = await serve({ config: { maxRecords: 50 } });
  api = createApi(server.url);
  guarded = await serveKeys(holders);
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await guarded[Symbol.asyncDispose]();
});

const as = (person: Holder) => apiOf(guarded, holders[person]);
const customer = (id: string) => ({ headers: { gkc_customerId: utf8(id) } });

/** Returns the entries of a timeline in a short form that the tests compare. */
const told = (entries: readonly TimelineEntry[]) =>
  entries.map((entry) =>
    entry.type === "request"
      ? `${entry.sequence} ${entry.path} ${entry.state} ${entry.customerId}`
      : `${entry.type} ${JSON.stringify(entry.ids)} ${entry.state}`,
  );

test("a timeline begins with the creation, and each request has the session's identity at that time", async () => {
  const id = await newSession(api, { json: { visitId: "v-shown" } });
  acceptedOf(await post(api, id, visits(2)));
  sessionOf(await api.update(id, customer("Zoë")));
  acceptedOf(await post(api, id, visit("/3")));
  sessionOf(await api.update(id, { headers: { gkc_agentId: "7" }, json: { globalVisitId: "g" } }));
  sessionOf(await api.update(id, customer("Zoë")));
  const expected = [
    'created {"visitId":"v-shown"} anonymous',
    "1 /1 anonymous null",
    "2 /2 anonymous null",
    'associated {"customerId":"Zoë"} recognized',
    "3 /3 recognized Zoë",
    'associated {"agentId":"7","globalVisitId":"g"} recognized',
  ];
  for (const limit of [1000, 1, 2, 5]) {
    assert.deepEqual(told(await wholeTimeline(api, id, limit)), expected, `in pages of ${limit}`);
  }
  const page = await pageOf(api, id);
  assert.equal(page.handle, handleOf(id));
  assert.deepEqual([page.total, page.dropped, page.next], [3, 0, null]);
  const [created] = page.records as readonly LifeEntry[];
  assert.deepEqual(created, {
    type: "created",
    sequence: null,
    at: created?.at,
    ids: { visitId: "v-shown" },
    state: "anonymous",
    ...noIdentity,
    visitId: "v-shown",
  });
  assert.equal(created?.at, sessionOf(await api.retrieve(id)).createdAt);
});

test("a new session has a timeline, and reading it stores nothing", async () => {
  const id = await newSession(api);
  assert.deepEqual(told((await pageOf(api, id)).records), ["created {} anonymous"]);
});

test("a page has 100 lines by default, and next leads to the following page", async () => {
  const id = await newSession(api);
  acceptedOf(await post(api, id, visits(40)));
  const first = await pageOf(api, id, "limit=11");
  assert.equal(first.records.length, 11);
  assert.equal(typeof first.next, "string");
  const second = await pageOf(api, id, `limit=1000&after=${first.next}`);
  assert.equal(second.next, null);
  assert.deepEqual(pathsIn([...first.records, ...second.records]).length, 40);
  assert.deepEqual(pathsIn((await pageOf(api, id, "after=38")).records), ["/39", "/40"]);
  assert.deepEqual((await pageOf(api, id, "after=40")).records, []);
  assert.deepEqual((await pageOf(api, id, "after=4000")).records, []);
  assert.equal((await pageOf(api, id, "after=")).records.length, 41);
  assert.equal((await pageOf(api, id, "")).records.length, 41);
  await using own = await serve();
  const calls = createApi(own.url);
  const long = await newSession(calls);
  acceptedOf(await post(calls, long, visits(1000)));
  assert.equal((await pageOf(calls, long, "")).records.length, 100);
  assert.equal((await pageOf(calls, long, "limit=1000")).records.length, 1000);
});

test("invalid bounds are refused, and the refusal names them", async () => {
  const id = await newSession(api);
  for (const [query, places] of [
    ["limit=0", ["limit"]],
    ["limit=1001", ["limit"]],
    ["limit=-1", ["limit"]],
    ["limit=", ["limit"]],
    ["limit=1.5", ["limit"]],
    ["limit=ten", ["limit"]],
    ["after=x", ["after"]],
    ["after=-1", ["after"]],
    ["after=1.2.3&limit=1e3", ["after", "limit"]],
    ["Limit=5", ["Limit"]],
    ["limit=5&limit=6&cursor=1", ["limit", "cursor"]],
  ] as const) {
    const answer = await api.call("GET", `${requestsOf(id)}?${query}`);
    const { errors = [] } = problemOf(answer, 400, "invalid-request");
    assert.deepEqual(
      errors.map(({ name }) => name),
      places,
      query,
    );
    for (const fault of errors) assert.equal(fault.in, "query");
  }
});

test("the newest records are kept, and the others are counted", async () => {
  const id = await newSession(api);
  acceptedOf(await post(api, id, visits(73)));
  const page = await pageOf(api, id);
  assert.deepEqual([page.total, page.dropped], [73, 23]);
  const kept = visits(73).slice(23);
  assert.deepEqual(
    pathsIn(page.records),
    kept.map(({ path }) => path),
  );
  const first = page.records.find(({ type }) => type === "request");
  assert.equal(first?.sequence, 24);
  assert.deepEqual(pathsIn(await wholeTimeline(api, id, 7)).length, 50);
});

test("HEAD responds like GET, without a body", async () => {
  const id = await newSession(api);
  const head = await exchange(server.port, requestText(`HEAD ${requestsOf(id)}`), { head: true });
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
  const none = await exchange(server.port, requestText(`HEAD ${requestsOf("x")}`), { head: true });
  assert.equal(none.status, 404);
});

test("a timeline can be read after the end until the retention has passed", async () => {
  await using still = await serve({ frozen: true, config: { retention: 2 * DAY } });
  const calls = createApi(still.url);
  const id = await newSession(calls, customer("anna"));
  acceptedOf(await post(calls, id, visits(2)));
  const blank = await newSession(calls);
  acceptedOf(await post(calls, blank, visit("/blank")));
  const unused = await newSession(calls);
  still.pass(30 * MINUTE);
  problemOf(await post(calls, id, visit("/late")), 404, "session-not-found");
  for (const later of [0, DAY, DAY - 1]) {
    still.pass(later);
    assert.deepEqual(told(await wholeTimeline(calls, id)), [
      'created {"customerId":"anna"} recognized',
      "1 /1 recognized anna",
      "2 /2 recognized anna",
      "expired {} recognized",
    ]);
    assert.equal((await wholeTimeline(calls, blank, 1)).length, 3);
    problemOf(await calls.call("GET", requestsOf(unused)), 404, "session-not-found");
  }
  still.pass(1);
  for (const gone of [id, blank]) {
    problemOf(await calls.call("GET", requestsOf(gone)), 404, "session-not-found");
  }
});

test("reading a timeline does not count as a use of the session", async () => {
  await using still = await serve({ frozen: true });
  const calls = createApi(still.url);
  const id = await newSession(calls, customer("anna"));
  still.pass(20 * MINUTE);
  await pageOf(calls, id);
  still.pass(20 * MINUTE);
  assert.equal((await wholeTimeline(calls, id)).at(-1)?.type, "expired");
  still.pass(HOUR);
});

/** The status that each caller gets when recording into a session and when reading its timeline. */
const access: readonly [owner: string, expected: Readonly<Record<Holder, readonly [record: number, read: number]>>][] =
  [
    [
      "alice",
      {
        alice: [202, 200],
        bob: [404, 404],
        page: [404, 404],
        agent: [202, 200],
        service: [202, 200],
        reporter: [403, 200],
        administrator: [202, 200],
      },
    ],
    [
      "",
      {
        alice: [202, 200],
        bob: [202, 200],
        page: [202, 200],
        agent: [202, 200],
        service: [202, 200],
        reporter: [403, 200],
        administrator: [202, 200],
      },
    ],
  ];
for (const [owner, expected] of access) {
  for (const [person, [record, read]] of Object.entries(expected)) {
    const whose = owner === "" ? "nobody's session" : `${owner}'s session`;
    test(`mode key: ${person} in ${whose}: recording ${record}, reading ${read}`, async () => {
      const id = await newSession(as("administrator"), owner === "" ? {} : customer(owner));
      const calls = as(person as Holder);
      const written = await post(calls, id, visit("/"));
      if (record === 202) acceptedOf(written);
      else if (record === 403) problemOf(written, 403, "role-not-permitted");
      else problemOf(written, 404, "session-not-found");
      const answer = await calls.call("GET", requestsOf(id));
      if (read === 200) assert.equal(answer.status, 200, answer.text);
      else problemOf(answer, 404, "session-not-found");
      const { total } = await pageOf(as("administrator"), id);
      assert.equal(total, record === 202 ? 1 : 0);
    });
  }
}

test("mode key: another customer's session gets the same response as an unknown one", async () => {
  const id = await newSession(as("administrator"), customer("alice"));
  acceptedOf(await post(as("alice"), id, visit("/")));
  const text = async (path: string, method: string) => {
    const json = method === "POST" ? { json: visit("/") } : {};
    const answer = await as("bob").call(method, path, json);
    return answer.text.replace(answer.headers.get("x-request-id") ?? "", "");
  };
  for (const method of ["GET", "POST"]) {
    assert.equal(await text(requestsOf(id), method), await text(requestsOf("x"), method));
  }
});

test("mode key: recording and reading need a credential", async () => {
  const id = await newSession(as("administrator"));
  const calls = createApi(guarded.url);
  problemOf(await post(calls, id, visit("/")), 401, "credential-required");
  problemOf(await calls.call("GET", requestsOf(id)), 401, "credential-required");
});

test("a request that names a customer can access only that customer's timelines", async () => {
  const id = await newSession(api, customer("named"));
  assert.equal((await api.call("GET", requestsOf(id), customer("named"))).status, 200);
  const other = await api.call("GET", requestsOf(id), customer("other"));
  problemOf(other, 404, "session-not-found");
});
