// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import { aliases, FORGED, identityHeaders } from "../proxies/aliases.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { openConnection, type RawResponse, requestText } from "../support/raw-http.ts";

/* The spellings of identity headers. test/proxies/ tests that the proxies in `examples/` remove every spelling. */

let server: TestServer;
before(async () => {
  server = await serve();
});
after(() => server[Symbol.asyncDispose]());

/** The spellings that the server reads (contract.md#caller-ids), in lower case. */
const meant = ["gkc_customerid", "gkc-customerid", "gkc_agentid", "gkc-agentid"];

test("the server accepts only its two spellings of the identity headers, in upper and lower case", async () => {
  await using connection = await openConnection(server.port);
  const names = aliases();
  assert.ok(names.length > 300);
  for (const name of names) {
    connection.send(requestText("PUT /sessions/new", [`${name}: ${FORGED}`]));
    const { status, body } = await connection.response();
    assert.equal(status, 200, body);
    const { customerId, agentId, visitId, globalVisitId } = JSON.parse(body) as SessionInfo;
    const taken = [customerId, agentId, visitId, globalVisitId].filter((id) => id !== null);
    assert.deepEqual(taken, meant.includes(name.toLowerCase()) ? [FORGED] : [], name);
  }
});

test("/forward-auth ignores every spelling of an identity header", async () => {
  await using connection = await openConnection(server.port);
  const ask = async (headers: readonly string[]): Promise<RawResponse> => {
    connection.send(requestText("GET /forward-auth", headers));
    return connection.response();
  };
  const names = aliases().filter((name) => !/^gkc[-_]sessionid$/i.test(name));
  for (let from = 0; from < names.length; from += 60) {
    const forged = names.slice(from, from + 60).map((name) => `${name}: ${FORGED}`);
    const answer = await ask(forged);
    assert.equal(answer.status, 200, answer.body);
    assert.doesNotMatch([...answer.headers.values()].join("\n"), new RegExp(FORGED));
    for (const name of identityHeaders) assert.ok(answer.headers.has(name.toLowerCase()), name);
  }
});
