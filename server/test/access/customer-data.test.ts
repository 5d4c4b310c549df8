// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, sessionOf } from "../support/api.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";

/** Starts a server, and returns what a holder's request for the data of an anonymous session returns: its status. */
async function statusesFor(customerData: "change" | "read" | "none", holder: Holder) {
  const basePaths = [
    { path: "/v1", dialect: "8.5.1" },
    { path: "/current", dialect: "current" },
  ] as const;
  await using server = await serveKeys(holders, { customerData, basePaths });
  const { sessionId } = sessionOf(await apiOf(server, holders.service).create());
  const json = { user: "visitor" };
  await apiOf(server, holders.service).call("PUT", `/sessions/${sessionId}/data`, {
    json: { user: null, secret: "s3" },
  });
  const api = apiOf(server, holders[holder]);
  const send = async (method: string, path: string, body?: object) => {
    const answer = await api.call(method, path, body && { json: body });
    if (answer.status === 403) {
      const { detail } = problemOf(answer, 403, "role-not-permitted");
      assert.doesNotMatch(detail, /customer/);
      assert.doesNotMatch(answer.text, /s3/);
    }
    return answer.status;
  };
  const reads: number[] = [];
  for (const base of ["", "/v1", "/current"]) {
    reads.push(await send("GET", `${base}/sessions/${sessionId}/data`));
    reads.push(await send("GET", `${base}/sessions/${sessionId}?include=data`));
    // The session itself can be retrieved in any case.
    assert.equal(await send("GET", `${base}/sessions/${sessionId}`), 200);
  }
  const changes = [
    await send("PATCH", `/v1/sessions/${sessionId}/data`, json),
    await send("PUT", `/sessions/${sessionId}/data`, json),
    await send("PATCH", `/sessions/${sessionId}/data`, json),
    await send("DELETE", `/sessions/${sessionId}/data`),
  ];
  return { reads: new Set(reads), changes: new Set(changes) };
}

for (const holder of ["page", "alice"] as const) {
  test(`the setting customerData decides whether ${holder} may read and change session data`, async () => {
    const refused = new Set([403]);
    const changed = new Set([200, 204]);
    assert.deepEqual(await statusesFor("change", holder), { reads: new Set([200]), changes: changed });
    assert.deepEqual(await statusesFor("read", holder), { reads: new Set([200]), changes: refused });
    assert.deepEqual(await statusesFor("none", holder), { reads: refused, changes: refused });
  });
}

test("with customerData none an application still reads and changes session data, and a reporter reads them", async () => {
  assert.deepEqual(await statusesFor("none", "service"), { reads: new Set([200]), changes: new Set([200, 204]) });
  assert.deepEqual(await statusesFor("none", "reporter"), { reads: new Set([200]), changes: new Set([403]) });
});
