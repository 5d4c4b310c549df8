import assert from "node:assert/strict";
import { test } from "node:test";
import type { Principal } from "../../src/session/permissions.ts";
import { type Api, createApi, sessionOf } from "../support/api.ts";
import { median } from "../support/calibration.ts";
import { serve } from "../support/in-process.ts";
import { introduce } from "../support/people.ts";
import { openConnection, requestText } from "../support/raw-http.ts";
import { long } from "../support/tier.ts";

/*
 * Somebody else's session is treated as unknown (contract.md#rule-4 and contract.md#reach): the responses are the
 * same, byte for byte except ids and times, and take the same time.
 */

const people = {
  alice: { role: "customer", customerId: "alice", agentId: null },
  bob: { role: "customer", customerId: "bob", agentId: null },
  page: { role: "customer", customerId: null, agentId: null },
  agent: { role: "agent", customerId: null, agentId: "7" },
} as const satisfies Record<string, Principal>;

const record = { method: "GET", path: "/" };
const page = "?limit=1";

/** Requests of callers who do not reach alice's session: method, path after the id, options. */
const requests: [string, string, Parameters<Api["call"]>[2]][] = [
  ["GET", "", {}],
  ["GET", "/", {}],
  ["HEAD", "", {}],
  ["POST", "", { json: { visitId: "v" } }],
  ["POST", "", { json: { globalVisitId: "g" } }],
  ["POST", "", {}],
  ["POST", "", { json: { visitId: 7 } }],
  ["POST", "", { body: "{", headers: { "content-type": "application/json" } }],
  ["POST", "", { headers: { gkc_customerId: "alice" } }],
  ["POST", "/requests", { json: record }],
  ["POST", "/requests", { json: [] }],
  ["POST", "/requests?durable", { json: record }],
  ["POST", "/requests", { json: record, headers: { "idempotency-key": "k" } }],
  ["GET", "/requests", {}],
  ["GET", `/requests${page}`, {}],
  ["GET", "/requests?after=x", {}],
  ["DELETE", "", {}],
  ["DELETE", "/", {}],
  ["DELETE", "", { headers: { gkc_customerId: "alice" } }],
];

function even(text: string): string {
  return text
    .replaceAll(/[\w-]{40}/g, "ID")
    .replaceAll(/\d{4}-[\d-]+T[\d:.]+Z/g, "TIME")
    .replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, "REQUEST");
}

for (const mode of ["key", "jwt", "proxy"] as const) {
  test(`mode ${mode}: the response to somebody else's session is that to an unknown one, byte for byte`, async () => {
    await using known = await introduce(mode, people);
    await using server = await serve({ config: known.config, keys: known.keys });
    const of = (person: keyof typeof people) => createApi(server.url, known.headers[person]);
    const headers = { gkc_customerId: "alice" };
    const { sessionId } = sessionOf(await of("alice").create({ headers }));
    const forged = `${sessionId.slice(0, -1)}${sessionId.endsWith("A") ? "B" : "A"}`;
    const seen = async (api: Api, id: string) => {
      const answers: unknown[] = [];
      for (const [method, rest, options] of requests) {
        const { status, headers: fields, text } = await api.call(method, `/sessions/${id}${rest}`, options);
        const told = [...fields].map(([name, value]) => `${name}: ${name === "date" ? "" : even(value)}`);
        answers.push({ request: `${method} ${rest}`, status, fields: told, text: even(text) });
      }
      const { status, headers: fields } = await api.call("GET", "/forward-auth", {
        headers: { "gkc-sessionid": id },
      });
      return [...answers, { status, fields: [...fields].map(([name, value]) => [name, even(value)]) }];
    };
    for (const person of ["bob", "page"] as const) {
      const foreign = await seen(of(person), sessionId);
      for (const unknown of ["A".repeat(40), forged]) {
        const answers = await seen(of(person), unknown);
        const dateless = (all: unknown) =>
          JSON.parse(JSON.stringify(all).replaceAll(/"date","[^"]*"/g, '"date",""')) as unknown;
        assert.deepEqual(dateless(foreign), dateless(answers));
      }
    }
    // Callers who reach the session get other responses.
    const own = await of("alice").retrieve(sessionId);
    assert.equal(sessionOf(own).sessionId, sessionId);
    // An agent who names another customer gets the same responses.
    const naming = { headers: { gkc_customerId: "bob" } };
    const other = await of("agent").retrieve(sessionId, naming);
    const none = await of("agent").retrieve("A".repeat(40), naming);
    assert.equal(even(other.text), even(none.text));
  });
}

/** The number of requests of each kind, and the greatest difference of their medians, as a share of one. */
const [COUNT, SHARE] = long ? [20_000, 0.25] : [1500, 1];

test("somebody else's session takes as long as an unknown one", async () => {
  await using known = await introduce("key", people);
  await using server = await serve({
    config: { ...known.config, accessLog: "off" },
    keys: known.keys,
  });
  const headers = { gkc_customerId: "alice" };
  const alice = createApi(server.url, known.headers.alice);
  const { sessionId } = sessionOf(await alice.create({ headers }));
  await using connection = await openConnection(server.port);
  const lines = Object.entries(known.headers.bob).map(([name, value]) => `${name}: ${value}`);
  const texts = {
    foreign: requestText(`GET /sessions/${sessionId}`, lines),
    unknown: requestText(`GET /sessions/${"A".repeat(40)}`, lines),
  };
  const times = { foreign: [] as number[], unknown: [] as number[] };
  const measure = async (kind: keyof typeof texts) => {
    const begun = performance.now();
    connection.send(texts[kind]);
    const { status } = await connection.response();
    times[kind].push((performance.now() - begun) * 1000);
    assert.equal(status, 200);
  };
  for (let i = 0; i < COUNT; i++) {
    // Alternating, and each as often first as second.
    const order = i % 2 === 0 ? (["foreign", "unknown"] as const) : (["unknown", "foreign"] as const);
    for (const kind of order) await measure(kind);
  }
  const difference = median(times.foreign) - median(times.unknown);
  const bound = SHARE * median(times.unknown);
  assert.ok(Math.abs(difference) <= bound, `${difference.toFixed(1)} µs apart, of ${bound}`);
  if (long) console.log(`foreign and unknown: ${difference.toFixed(1)} µs apart`);
});
