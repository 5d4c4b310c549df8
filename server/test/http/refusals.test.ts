// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { problemStatus } from "@antechamber/client/protocol";
import { type Answer, createApi, problemOf, sessionOf } from "../support/api.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";

const customer = keyFor({ role: "customer", customerId: "c" });
const administrator = keyFor({ role: "administrator" });

let local: TestServer;
let keyed: TestServer;
before(async () => {
  local = await serve();
  keyed = await serve({ config: { auth: "key" }, keys: [customer.key, administrator.key] });
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
});

const api = () => createApi(local.url);
const withKey = (bearer: string) => createApi(keyed.url, { authorization: bearer });

async function held(): Promise<string> {
  return sessionOf(await api().create({ headers: { gkc_customerId: "c" } })).sessionId;
}

/** For each code a request that is refused with it, and the response's additional members and headers. */
const refusals: [string, () => Promise<Answer>, string[], Record<string, string>][] = [
  ["already-exists", async () => api().update(await held(), { headers: { gkc_customerId: "d" } }), ["field"], {}],
  ["invalid-request", () => api().create({ json: { visitId: 1 } }), ["errors"], {}],
  ["nothing-to-associate", async () => api().update(await held()), [], {}],
  ["session-not-found", () => api().update("x", { json: { visitId: "v" } }), [], {}],
  ["not-found", () => api().call("GET", "/nowhere"), [], {}],
  ["method-not-allowed", () => api().call("PATCH", "/sessions/x"), [], { allow: "GET" }],
  ["body-too-large", () => api().create({ json: "x".repeat(20_000) }), [], {}],
  ["unsupported-media-type", () => api().create({ body: "x" }), [], {}],
  ["credential-required", () => createApi(keyed.url).create(), [], { "www-authenticate": "Bearer" }],
  ["invalid-credential", () => withKey("Bearer wrong").create(), [], { "www-authenticate": "Bearer" }],
  ["identity-mismatch", () => withKey(customer.bearer).create({ headers: { gkc_customerId: "d" } }), [], {}],
  ["role-not-permitted", () => withKey(customer.bearer).call("GET", "/metrics"), [], {}],
];

for (const [code, ask, more, headers] of refusals) {
  test(`the response to ${code} is problem details (RFC 9457)`, async () => {
    const answer = await ask();
    const status = problemStatus[code as keyof typeof problemStatus];
    const problem = problemOf(answer, status, code);
    const members = ["type", "title", "status", "detail", "code", ...more, "requestId"];
    assert.deepEqual(Object.keys(problem).toSorted(), members.toSorted());
    assert.equal(problem.type, `urn:antechamber:problem:${code}`);
    assert.match(problem.title, /^[A-Z].{5,}/);
    assert.match(problem.detail, /\.$/, "the detail is a sentence");
    assert.equal(answer.headers.get("x-request-id"), problem.requestId);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.equal(answer.headers.get("set-cookie"), null);
    for (const [name, start] of Object.entries(headers)) {
      assert.ok(answer.headers.get(name)?.startsWith(start), `${name}: ${answer.headers.get(name)}`);
    }
  });

  test(`${code} names no path, stack, library or session`, async () => {
    const { text } = await ask();
    assert.doesNotMatch(text, /\/(?:home|usr|tmp|var|node_modules|src|test)\b/);
    assert.doesNotMatch(text, /\bat .+:\d+|node:|\.ts\b|sqlite|bun\b|stack/i);
    assert.doesNotMatch(text, /[A-Za-z0-9_-]{40}/);
  });
}

test("a response repeats the caller's request id if it is harmless", async () => {
  const ask = (id: string) => api().call("GET", "/nowhere", { headers: { "x-request-id": id } });
  assert.equal(problemOf(await ask("abc-1.2_3"), 404, "not-found").requestId, "abc-1.2_3");
  for (const id of ["x".repeat(65), "a b", "<script>", '"', "a,b", await held()]) {
    const { requestId } = problemOf(await ask(id), 404, "not-found");
    assert.notEqual(requestId, id);
    assert.match(requestId ?? "", /^[\w.-]{1,64}$/);
  }
});

test("a refusal does not repeat an id that the caller sent", async () => {
  const marker = "very-secret-value";
  const answers = [
    await api().create({ json: { visitId: `${marker}\n` } }),
    await api().create({ headers: { gkc_customerId: `${marker}, ${marker}` } }),
    await api().update(await held(), { headers: { gkc_customerId: marker } }),
    await api().update(marker, { json: { visitId: marker } }),
    await api().call("GET", `/${marker}`),
  ];
  const id = await held();
  const body = { [id]: 1 };
  for (const { status, text } of [
    await api().call("GET", `/sessions?${id}=1`),
    await api().call("GET", `/audit?${id}=1`),
    await api().call("GET", `/audit/verify?${id}=1`),
    await api().call("GET", `/api-keys?${id}=1`),
    await api().call("GET", `/events?${id}=1`),
    await api().call("GET", `/stats?${id}=1`),
    await api().call("POST", "/sessions/end", { json: body }),
  ]) {
    assert.equal(status, 400);
    assert.ok(!text.includes(id));
  }
  for (const { status, text } of answers) {
    assert.ok(status >= 400);
    assert.ok(!text.includes(marker), text);
  }
});

test("the root redirects browsers to the API page, and gives programs its address", async () => {
  for (const { url } of [local, keyed]) {
    const accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    const browser = await fetch(`${url}/`, { headers: { accept }, redirect: "manual" });
    assert.equal(browser.status, 302);
    assert.equal(new URL(browser.headers.get("location") ?? "", `${url}/`).pathname, "/docs");
    const program = await fetch(`${url}/`);
    assert.equal(program.status, 200);
    const { docs, openapi } = (await program.json()) as { docs: string; openapi: string };
    for (const address of [docs, openapi]) {
      assert.equal((await fetch(new URL(address, `${url}/`))).status, 200, address);
    }
    for (const answer of [browser, program]) assert.equal(answer.headers.get("vary"), "Accept");
    assert.equal((await fetch(`${url}/`, { method: "HEAD" })).status, 200);
    problemOf(await createApi(url).call("POST", "/"), 405, "method-not-allowed");
  }
});

test("the refusal of a create with the wrong method names the right one", async () => {
  for (const options of [{}, { json: { visitId: "v" } }, { headers: { gkc_customerId: "c" } }]) {
    const answer = await api().call("POST", "/sessions/new", options);
    assert.match(problemOf(answer, 404, "session-not-found").detail, /use PUT \/sessions\/new/);
  }
});
