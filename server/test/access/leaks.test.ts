// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { operationsOf } from "../openapi/description.ts";
import { type Answer, type Api, createApi, sessionOf } from "../support/api.ts";
import { keyFor, serve } from "../support/in-process.ts";

/*
 * Each of two customers calls every operation of the OpenAPI document with the ids of the other customer, in the path,
 * headers, query and body. No response may contain the other's data.
 */

const names = ["anna", "berta"] as const;
type Name = (typeof names)[number];

const keys = {
  anna: keyFor({ role: "customer", customerId: "customer-of-anna" }),
  berta: keyFor({ role: "customer", customerId: "customer-of-berta" }),
  administrator: keyFor({ role: "administrator" }),
};

/** Every value that belongs to a customer contains the customer's name; only the session id does not. */
const idsOf = (name: Name) => ({
  customerId: `customer-of-${name}`,
  agentId: `agent-of-${name}`,
  visitId: `visit-of-${name}`,
  globalVisitId: `global-visit-of-${name}`,
});
const recordOf = (name: Name) => ({
  method: "GET",
  path: `/path-of-${name}`,
  service: `service-of-${name}`,
  attributes: { note: `note-of-${name}` },
});

async function sessionFor(name: Name, administrator: Api): Promise<string> {
  const { customerId, agentId, visitId, globalVisitId } = idsOf(name);
  const headers = { gkc_customerId: customerId, gkc_agentId: agentId };
  const json = { visitId, globalVisitId };
  const { sessionId } = sessionOf(await administrator.create({ headers, json }));
  const path = `/sessions/${sessionId}/requests?durable=true`;
  const answer = await administrator.call("POST", path, { json: recordOf(name) });
  assert.equal(answer.status, 202);
  return sessionId;
}

type Operation = Pick<ReturnType<typeof operationsOf>[number], "method" | "path">;

/** Returns requests of an operation with the ids of `name` in the path, headers, query and body. */
function requestsFor({ method, path }: Operation, name: Name, sessionId: string) {
  const ids = idsOf(name);
  const filled = path
    .replace("{sessionId}", sessionId)
    .replace("{customerId}", ids.customerId)
    .replace(/\/\{\w+\}/, "");
  const asserted = { gkc_customerId: ids.customerId, gkc_agentId: ids.agentId };
  const named = {
    gkc_sessionId: sessionId,
    cookie: `sessionId=${sessionId}`,
    "x-forwarded-uri": `/?sessionId=${sessionId}`,
    "antechamber-role": "administrator",
    "antechamber-customer": ids.customerId,
  };
  const query = filled.endsWith("/requests") ? "" : `?${new URLSearchParams(ids).toString()}`;
  const filter = { customerId: ids.customerId };
  const visit = { visitId: ids.visitId };
  const record = { method: "GET", path: "/" };
  const bodies = [record, filter, visit, { ...filter, dryRun: true }, { all: true }];
  const isWithBody = method === "POST" || method === "PUT";
  return [{}, named, { ...named, ...asserted }].flatMap((headers) =>
    [filled, filled + query].flatMap((address) =>
      (isWithBody ? bodies.map((json) => ({ headers, json })) : [{ headers }]).map((options) => ({
        address,
        options,
      })),
    ),
  );
}

const textOf = ({ headers, text }: Answer) => `${JSON.stringify([...headers])}\n${text}`;

test("no operation returns data of another customer", async () => {
  await using server = await serve({
    config: { auth: "key" },
    keys: Object.values(keys).map(({ key }) => key),
  });
  const api = (who: keyof typeof keys) => createApi(server.url, { authorization: keys[who].bearer });
  const administrator = api("administrator");
  const sessionIds = { anna: "", berta: "" };
  const kept = async (name: Name) => {
    const timeline = await administrator.call("GET", `/sessions/${sessionIds[name]}/requests`);
    const {
      lastActiveAt: _last,
      expiresAt: _expires,
      ...session
    } = sessionOf(await administrator.retrieve(sessionIds[name]));
    return { session, timeline: timeline.text };
  };
  const operations = operationsOf("key");
  assert.ok(operations.length > 15, `${operations.length} operations`);
  const leaks: string[] = [];
  const asked = { anna: 0, berta: 0 };
  for (const [asking, other] of [names, names.toReversed()] as [Name, Name][]) {
    // New sessions, because the one who asks may end all of their own.
    for (const name of names) {
      await administrator.call("POST", "/sessions/end", { json: { visitId: idsOf(name).visitId } });
      sessionIds[name] = await sessionFor(name, administrator);
    }
    const before = await kept(other);
    const isTheirs = (text: string) => text.includes(`-of-${other}`) || text.includes(sessionIds[other]);
    // Control: `isTheirs` detects the data in responses to those who may see them.
    assert.ok(isTheirs(textOf(await api(other).retrieve(sessionIds[other]))));
    assert.ok(isTheirs(before.timeline) && before.timeline.includes(`note-of-${other}`));
    for (const operation of operations) {
      for (const { address, options } of requestsFor(operation, other, sessionIds[other])) {
        const answer = await api(asking).call(operation.method, address, options);
        asked[asking]++;
        assert.ok(answer.status < 500, `${operation.method} ${operation.path}: ${answer.text}`);
        if (isTheirs(textOf(answer))) {
          leaks.push(`${operation.method} ${address} of ${other}'s to ${asking}: ${answer.text}`);
        }
      }
    }
    assert.deepEqual(await kept(other), before, "what is another's was changed");
  }
  assert.deepEqual(leaks, []);
  assert.ok(asked.anna > 100 && asked.anna === asked.berta, JSON.stringify(asked));
});
