// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { SessionList, Timeline, ViewToken } from "@antechamber/client/protocol";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { startIssuer } from "../support/issuer.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { MINUTE } from "../support/sessions.ts";

let server: TestServer;
before(async () => {
  server = await serveKeys(holders, { auditReads: true });
});
after(() => server[Symbol.asyncDispose]());

const as = (person: Holder, at = server) => apiOf(at, holders[person]);
const withToken = ({ token }: ViewToken, at = server) => createApi(at.url, { authorization: `Bearer ${token}` });

async function viewOf(json: object, person: Holder = "service", at = server): Promise<ViewToken> {
  const answer = await as(person, at).call("POST", "/view-tokens", { json });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return JSON.parse(answer.text) as ViewToken;
}

/** Creates a session of a customer with a record, and returns its id. */
async function sessionFor(customerId: string | null, at = server): Promise<string> {
  const headers: Record<string, string> = customerId === null ? {} : { gkc_customerId: customerId };
  const { sessionId } = sessionOf(await as("service", at).create({ headers }));
  const json = { method: "GET", path: "/basket" };
  await as("service", at).call("POST", `/sessions/${sessionId}/requests?durable=true`, { json });
  return sessionId;
}

const handlesIn = (text: string) => (JSON.parse(text) as SessionList).sessions.map(({ handle }) => handle).toSorted();

test("a token for a session reads that session, and no other", async () => {
  const [id, other] = [await sessionFor("anna"), await sessionFor("anna")];
  const handle = id.slice(0, 24);
  const view = await viewOf({ session: id });
  assert.deepEqual([view.handle, view.customerId], [handle, null]);
  const reader = withToken(view);
  const timeline = await reader.call("GET", `/sessions/${handle}/requests`);
  assert.equal((JSON.parse(timeline.text) as Timeline).total, 1);
  assert.deepEqual(handlesIn((await reader.call("GET", "/sessions")).text), [handle]);
  assert.deepEqual(handlesIn((await reader.call("GET", "/sessions?customerId=anna")).text), [handle]);
  for (const name of [other, other.slice(0, 24), "A".repeat(24), "new"]) {
    problemOf(await reader.call("GET", `/sessions/${name}/requests`), 404, "session-not-found");
  }
  problemOf(await reader.call("GET", `/sessions?handle=${other.slice(0, 24)}`), 403, "role-not-permitted");
});

test("a token for a customer reads the sessions of that customer, and no others", async () => {
  const own = [await sessionFor("berta"), await sessionFor("berta")];
  const anonymous = await sessionFor(null);
  const foreign = await sessionFor("carla");
  const reader = withToken(await viewOf({ customerId: "berta", minutes: 60 }));
  assert.deepEqual(
    handlesIn((await reader.call("GET", "/sessions")).text),
    own.map((id) => id.slice(0, 24)).toSorted(),
  );
  assert.equal((await reader.call("GET", `/sessions/${own[0]?.slice(0, 24)}/requests`)).status, 200);
  for (const id of [anonymous, foreign]) {
    problemOf(await reader.call("GET", `/sessions/${id}/requests`), 404, "session-not-found");
    problemOf(await reader.call("GET", `/sessions/${id.slice(0, 24)}/requests`), 404, "session-not-found");
  }
  problemOf(await reader.call("GET", "/sessions?customerId=carla"), 403, "identity-mismatch");
});

test("a token opens nothing but reading: no change, no other operation, no further token", async () => {
  const id = await sessionFor("dora");
  for (const view of [await viewOf({ session: id }), await viewOf({ customerId: "dora" })]) {
    const reader = withToken(view);
    for (const [method, path] of [
      ["GET", `/sessions/${id}`],
      ["HEAD", `/sessions/${id}`],
      ["POST", `/sessions/${id}`],
      ["DELETE", `/sessions/${id.slice(0, 24)}`],
      ["GET", `/sessions/${id.slice(0, 24)}/data`],
      ["POST", `/sessions/${id}/requests`],
      ["PUT", "/sessions/new"],
      ["POST", "/sessions/end"],
      ["GET", "/customers/dora/export"],
      ["GET", "/audit"],
      ["GET", "/api-keys"],
      ["POST", "/view-tokens"],
      ["GET", "/events"],
      ["GET", "/stats"],
      ["GET", "/metrics"],
      ["GET", "/configuration"],
    ] as const) {
      const { status } = await reader.call(method, path);
      assert.equal(status, 403, `${method} ${path}`);
    }
    // In a proxy's sub-request the header belongs to the client.
    assert.equal((await reader.call("GET", "/forward-auth")).status, 401);
  }
});

test("a token ends after its minutes, and with the key that asked for it", async () => {
  await using own = await serveKeys(holders);
  const id = await sessionFor("emma", own);
  const path = `/sessions/${id.slice(0, 24)}/requests`;
  const view = await viewOf({ session: id, minutes: 1 }, "service", own);
  assert.equal((await withToken(view, own).call("GET", path)).status, 200);
  own.pass(MINUTE);
  problemOf(await withToken(view, own).call("GET", path), 401, "invalid-credential");
  const next = await viewOf({ session: id }, "service", own);
  await own.restart();
  assert.equal((await withToken(next, own).call("GET", path)).status, 200);
  await as("administrator", own).call("DELETE", `/api-keys/${holders.service.key.id}`);
  problemOf(await withToken(next, own).call("GET", path), 401, "invalid-credential");
});

test("an ended session can still be read, and an erased one is gone", async () => {
  const id = await sessionFor("frida");
  const reader = withToken(await viewOf({ session: id }));
  await as("service").call("DELETE", `/sessions/${id}`);
  assert.equal((await reader.call("GET", `/sessions/${id.slice(0, 24)}/requests`)).status, 200);
  await as("administrator").call("DELETE", "/customers/frida");
  problemOf(await reader.call("GET", `/sessions/${id.slice(0, 24)}/requests`), 404, "session-not-found");
  assert.deepEqual(handlesIn((await reader.call("GET", "/sessions")).text), []);
});

test("a token that was changed or made up opens nothing", async () => {
  const { token } = await viewOf({ customerId: "gina" });
  const [text = "", signature = ""] = token.slice(3).split(".");
  const content = JSON.parse(Buffer.from(text, "base64url").toString()) as object;
  const forged = Buffer.from(JSON.stringify({ ...content, view: { customerId: "anna" } })).toString("base64url");
  for (const wrong of [
    `vt_${forged}.${signature}`,
    `vt_${text}.${"A".repeat(43)}`,
    `vt_${text}`,
    "vt_",
    token.slice(3),
  ]) {
    problemOf(await createApi(server.url, { authorization: `Bearer ${wrong}` }).call("GET", "/sessions"), 401);
  }
});

test("only services and administrators get tokens, for a session that exists or for a customer", async () => {
  for (const person of ["alice", "agent", "reporter"] as const) {
    problemOf(await as(person).call("POST", "/view-tokens", { json: { customerId: "a" } }), 403, "role-not-permitted");
  }
  await viewOf({ customerId: "a" }, "administrator");
  for (const [json, name] of [
    [{}, "session"],
    [{ session: "A".repeat(24), customerId: "a" }, "session"],
    [{ session: "anna" }, "session"],
    [{ customerId: "" }, "customerId"],
    [{ customerId: "a", minutes: 61 }, "minutes"],
    [{ customerId: "a", minutes: 0.5 }, "minutes"],
  ] as const) {
    const problem = problemOf(await as("service").call("POST", "/view-tokens", { json }), 400, "invalid-request");
    assert.deepEqual(
      problem.errors?.map((fault) => fault.name),
      [name],
      JSON.stringify(json),
    );
  }
  const unknown = { session: "AaIH2SEAAACPHF0qsH5DyZFu" };
  const refused = problemOf(
    await as("service").call("POST", "/view-tokens", { json: unknown }),
    404,
    "session-not-found",
  );
  assert.match(refused.detail, /No stored session has this handle or id/);
});

test("with auditReads the trail says who asked for a token, and each reading with it", async () => {
  await sessionFor("hanna");
  const reader = withToken(await viewOf({ customerId: "hanna" }));
  const [handle = ""] = handlesIn((await reader.call("GET", "/sessions")).text);
  await reader.call("GET", `/sessions/${handle}/requests`);
  const page = await as("administrator").call("GET", "/audit?limit=2");
  const { entries } = JSON.parse(page.text) as { entries: { what: string; details: { session?: string } }[] };
  assert.deepEqual(
    entries.map(({ what, details }) => [what, details.session]),
    [
      ["timeline.read", handle],
      ["view-token.create", undefined],
    ],
  );
});

test("in mode jwt tokens work beside those of the issuer", async () => {
  await using issuer = await startIssuer();
  await using own = await serve({ config: { auth: "jwt", tokens: issuer.config } });
  const service = createApi(own.url, { authorization: `Bearer ${await issuer.token({ role: "service" })}` });
  const { sessionId } = sessionOf(await service.create({ headers: { gkc_customerId: "ines" } }));
  const answer = await service.call("POST", "/view-tokens", { json: { customerId: "ines" } });
  const reader = withToken(JSON.parse(answer.text) as ViewToken, own);
  assert.deepEqual(handlesIn((await reader.call("GET", "/sessions")).text), [sessionId.slice(0, 24)]);
});
