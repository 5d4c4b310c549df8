// runs: outside

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { unlimited } from "../support/in-process.ts";
import { addressAliases, aliases, assertionHeader, identityHeaders } from "./aliases.ts";
import { allValues, exampleDocument, onlyValue } from "./documents.ts";
import { type KeyedServer, requestsOf, serveKeyed } from "./key-mode.ts";
import { sessionCookie } from "./visitor.ts";

let server: KeyedServer;
before(async () => {
  server = await serveKeyed();
});
after(() => server[Symbol.asyncDispose]());

/** The headers of the sub-request that Envoy sends with the example: without a body, and with Antechamber's Host. */
const subRequest = (bearer: string, own: readonly string[] = []) => [
  "host: shop.example",
  "content-length: 0",
  ...own,
  "x-forwarded-proto: https",
  `authorization: ${bearer}`,
  "x-forwarded-host: shop.example",
  "x-envoy-internal: true",
  "x-forwarded-for: 203.0.113.9",
  "x-envoy-expected-rq-timeout-ms: 2000",
];

test("envoy: its sub-request, of any method below the prefix, is answered and recorded", async () => {
  const session = await server.createSession("alice");
  const cookie = `cookie: theme=dark; sessionId=${session.sessionId}`;
  const lines = ["GET /", "POST /orders/7?q=secret", "PUT /%C3%A4//b", "DELETE /orders/7/"];
  for (const line of lines) {
    const [method, path] = line.split(" ");
    const sent = `${method} /forward-auth${path}`;
    const answer = await server.ask(sent, subRequest(server.bearer, [cookie]));
    assert.equal(answer.status, 200, `${sent}: ${answer.body}`);
    assert.equal(answer.headers.get("gkc-sessionid"), session.sessionId);
    assert.equal(answer.headers.get("gkc-customerid"), "alice");
    for (const name of ["gkc-agentid", "gkc-visitid", "gkc-globalvisitid"]) {
      assert.equal(answer.headers.get(name), "", name);
    }
  }
  const requests = requestsOf(await server.timeline(session.sessionId));
  assert.deepEqual(
    requests.map(({ method, path }) => `${method} ${path}`),
    lines.map((line) => line.replace("?q=secret", "")),
  );
  for (const { service } of requests) assert.equal(service, "shop.example");
});

test("envoy: the session id may be in the header, and in the query if the configuration allows the query", async () => {
  await using reader = await serveKeyed({ forwardAuthSources: ["query", "header"] });
  for (const [to, path, own] of [
    [server, "/", (id: string) => [`gkc-sessionid: ${id}`]],
    [reader, "/?sessionId=", () => []],
  ] as const) {
    const { sessionId } = await to.createSession("bob");
    const line = `GET /forward-auth${path.replace("=", `=${sessionId}`)}`;
    const answer = await to.ask(line, subRequest(to.bearer, own(sessionId)));
    assert.equal(answer.headers.get("gkc-customerid"), "bob", answer.body);
  }
});

test("envoy: the client's address is the last one that Envoy itself has added", async () => {
  await using limited = await serveKeyed({
    trustedProxies: [parseRange("127.0.0.1") as AddressRange],
    perAddress: { ...unlimited, misses: { count: 1, period: 60_000 } },
  });
  const status = async (addresses: string) => {
    const lines = subRequest(limited.bearer).map((line) =>
      line.replace("x-forwarded-for: 203.0.113.9", `x-forwarded-for: ${addresses}`),
    );
    return (await limited.ask("GET /forward-auth/", lines)).status;
  };
  assert.equal(await status("203.0.113.9"), 200);
  // The addresses before 203.0.113.9 are forged. Envoy before version 1.29 appends its own address.
  assert.equal(await status("192.0.2.1,203.0.113.9"), 503);
  assert.equal(await status("192.0.2.2,203.0.113.9,127.0.0.1"), 503);
  assert.equal(await status("203.0.113.10"), 200);
});

test("envoy: a new visitor behind https gets a secure cookie", async () => {
  const answer = await server.ask("GET /forward-auth/", subRequest(server.bearer));
  assert.equal(answer.status, 200, answer.body);
  const sessionId = answer.headers.get("gkc-sessionid") ?? "";
  assert.equal(sessionCookie(answer), `sessionId=${sessionId}; Path=/; SameSite=Lax; HttpOnly; Secure`);
});

test("envoy: in mode required a visitor without a session gets a 401", async () => {
  await using strict = await serveKeyed({ forwardAuth: "required" });
  const answer = await strict.ask("POST /forward-auth/orders", subRequest(strict.bearer));
  assert.equal(answer.status, 401);
  assert.ok(![...answer.headers.keys()].some((name) => name.startsWith("gkc")));
});

test("envoy: the example clears every spelling except the one that Antechamber reads", () => {
  const document = exampleDocument("envoy/envoy.yaml");
  const patterns = allValues(document, "regex").map((text) => new RegExp(`^(?:${String(text)})$`));
  const left = aliases(["", "-", "_", ".", "--", "-_"])
    .map((name) => name.toLowerCase())
    .filter((name) => !patterns.some((pattern) => pattern.test(name)));
  assert.deepEqual([...new Set(left)], ["gkc-sessionid"]);
});

test("envoy: the example passes the whole identity on, and fails closed", () => {
  const document = exampleDocument("envoy/envoy.yaml");
  const names = (key: string) => allValues(onlyValue(document, key), "exact");
  assert.deepEqual(
    names("allowed_upstream_headers"),
    [...identityHeaders, assertionHeader].map((name) => name.toLowerCase()),
  );
  assert.deepEqual(names("allowed_client_headers_on_success"), ["set-cookie"]);
  assert.deepEqual(names("allowed_headers"), ["cookie", "gkc-sessionid", "x-forwarded-proto", "x-forwarded-for"]);
  assert.equal(onlyValue(document, "failure_mode_allow"), false);
  assert.equal(onlyValue(document, "path_prefix"), "/forward-auth");
  const filters = onlyValue(document, "http_filters") as readonly { name: string }[];
  assert.deepEqual(
    filters.map(({ name }) => name.replace("envoy.filters.http.", "")),
    ["lua", "header_mutation", "ext_authz", "router"],
  );
  const clusters = onlyValue(document, "clusters") as readonly { name: string }[];
  const known = clusters.map(({ name }) => name);
  for (const cluster of allValues(document, "cluster")) assert.ok(known.includes(String(cluster)));
});

test("envoy: in the example no path bypasses the sub-request", () => {
  const document = exampleDocument("envoy/envoy.yaml");
  // Envoy must normalize the path, because Antechamber may resolve dot segments in the path of the sub-request.
  assert.equal(onlyValue(document, "normalize_path"), true);
  assert.equal(onlyValue(document, "merge_slashes"), true);
  assert.equal(onlyValue(document, "path_with_escaped_slashes_action"), "REJECT_REQUEST");
});

test("envoy: in the example no response with a cookie may be cached, and no client can forge its address", () => {
  const document = exampleDocument("envoy/envoy.yaml");
  const script = String(onlyValue(document, "inline_string"));
  assert.match(script, /get\("set-cookie"\) ~= nil[\s\S]*replace\("cache-control", "private, no-store"\)/);
  assert.deepEqual(allValues(document, "remove"), ["forwarded", "x-real-ip"]);
  const patterns = allValues(document, "regex").map((text) => new RegExp(`^(?:${String(text)})$`));
  const left = addressAliases()
    .map((name) => name.toLowerCase())
    .filter((name) => !patterns.some((pattern) => pattern.test(name)));
  // Envoy sets `x-forwarded-for` itself; the other two are under `remove`.
  assert.deepEqual(left, ["x-forwarded-for", "x-real-ip", "forwarded"]);
});
