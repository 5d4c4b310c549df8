import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { LifeEntry, TimelineEntry } from "@antechamber/client/protocol";
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

/** A timeline in short. */
const told = (entries: readonly TimelineEntry[]) =>
  entries.map((entry) =>
    entry.type === "request"
      ? `${entry.sequence} ${entry.path} ${entry.state} ${entry.customerId}`
      : `${entry.type} ${JSON.stringify(entry.ids)} ${entry.state}`,
  );

test("a visit is told from its beginning, each request with the identity of its moment", async () => {
  const id = await newSession(api, { json: { visitId: "v-told" } });
  acceptedOf(await post(api, id, visits(2)));
  sessionOf(await api.update(id, customer("Zoë")));
  acceptedOf(await post(api, id, visit("/3")));
  sessionOf(await api.update(id, { headers: { gkc_agentId: "7" }, json: { globalVisitId: "g" } }));
  sessionOf(await api.update(id, customer("Zoë")));
  const expected = [
    'created {"visitId":"v-told"} anonymous',
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
  assert.equal(page.sessionId, id);
  assert.deepEqual([page.total, page.dropped, page.next], [3, 0, null]);
  const [created] = page.records as readonly LifeEntry[];
  assert.deepEqual(created, {
    type: "created",
    sequence: null,
    at: created?.at,
    ids: { visitId: "v-told" },
    state: "anonymous",
    agentId: null,
    customerId: null,
    visitId: "v-told",
    globalVisitId: null,
  });
  assert.equal(created?.at, sessionOf(await api.retrieve(id)).createdAt);
});

test("a session that has just begun has a timeline, which stores nothing", async () => {
  const id = await newSession(api);
  assert.deepEqual(told((await pageOf(api, id)).records), ["created {} anonymous"]);
});

test("a page is 100 lines long unless asked, and next leads on", async () => {
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

test("bounds that are none are refused with their places", async () => {
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

test("the newest records are kept, the others counted", async () => {
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

test("HEAD tells that there is a timeline, without it", async () => {
  const id = await newSession(api);
  const head = await exchange(server.port, requestText(`HEAD ${requestsOf(id)}`), { head: true });
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
  const none = await exchange(server.port, requestText(`HEAD ${requestsOf("x")}`), { head: true });
  assert.equal(none.status, 404);
});

test("a timeline stays readable for the retention after the end, and is gone then", async () => {
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

test("reading a timeline is no use of the session", async () => {
  await using still = await serve({ frozen: true });
  const calls = createApi(still.url);
  const id = await newSession(calls, customer("anna"));
  still.pass(20 * MINUTE);
  await pageOf(calls, id);
  still.pass(20 * MINUTE);
  assert.equal((await wholeTimeline(calls, id)).at(-1)?.type, "expired");
  still.pass(HOUR);
});

/** Who may record into which session, and who may read its timeline. */
const access: readonly [
  owner: string,
  expected: Readonly<Record<Holder, readonly [record: number, read: number]>>,
][] = [
  [
    "alice",
    {
      alice: [202, 200],
      bob: [404, 404],
      page: [404, 404],
      agent: [202, 200],
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

test("mode key: somebody else's session is as unknown as one that never was", async () => {
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

test("mode key: without a credential there is neither recording nor reading", async () => {
  const id = await newSession(as("administrator"));
  const calls = createApi(guarded.url);
  problemOf(await post(calls, id, visit("/")), 401, "credential-required");
  problemOf(await calls.call("GET", requestsOf(id)), 401, "credential-required");
});

test("naming a customer asks for that customer's timeline alone", async () => {
  const id = await newSession(api, customer("named"));
  assert.equal((await api.call("GET", requestsOf(id), customer("named"))).status, 200);
  const other = await api.call("GET", requestsOf(id), customer("other"));
  problemOf(other, 404, "session-not-found");
});
