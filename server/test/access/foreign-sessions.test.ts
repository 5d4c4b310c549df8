// runs: once

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
 * For a caller, another customer's session looks like one that does not exist (contract.md#rule-4, #reach): except for
 * ids and times, the two responses are the same bytes, and they take equally long.
 */

const people = {
  alice: { role: "customer", customerId: "alice", agentId: null },
  bob: { role: "customer", customerId: "bob", agentId: null },
  page: { role: "customer", customerId: null, agentId: null },
  agent: { role: "agent", customerId: null, agentId: "7" },
} as const satisfies Record<string, Principal>;

const record = { method: "GET", path: "/" };
const page = "?limit=1";

/** Requests of callers who may not access alice's session: method, path after the session id, options. */
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
  test(`mode ${mode}: another customer's session gets the same response, byte for byte, as an unknown one`, async () => {
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
    // Control: callers who may access the session get a different response.
    const own = await of("alice").retrieve(sessionId);
    assert.equal(sessionOf(own).sessionId, sessionId);
    // An agent may access alice's session, but not in a request that names another customer.
    const naming = { headers: { gkc_customerId: "bob" } };
    const other = await of("agent").retrieve(sessionId, naming);
    const none = await of("agent").retrieve("A".repeat(40), naming);
    assert.equal(even(other.text), even(none.text));
  });
}

/** The number of requests of each kind. */
const COUNT = long ? 20_000 : 300;
/** By how much their medians may differ in the long form (0.25: by 25 %). */
const SHARE = 0.25;

test("a request for another customer's session takes as long as one for an unknown session", async (t) => {
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
    // Each kind goes first in half of the pairs.
    const order = i % 2 === 0 ? (["foreign", "unknown"] as const) : (["unknown", "foreign"] as const);
    for (const kind of order) await measure(kind);
  }
  const difference = median(times.foreign) - median(times.unknown);
  const figures = `foreign and unknown are ${difference.toFixed(1)} µs apart, of ${median(times.unknown).toFixed(1)} µs`;
  t.diagnostic(figures);
  assert.ok(!long || Math.abs(difference) <= SHARE * median(times.unknown), figures);
});
