// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { exchange, requestText } from "../support/raw-http.ts";

const SHOP = "https://shop.example";
const list = (value: string | null | undefined) =>
  (value ?? "")
    .toLowerCase()
    .split(/\s*,\s*/)
    .filter(Boolean);

/** Returns the preflight that a browser sends before a request by a page of `origin` with this method and headers. */
function preflight(origin: string, method: string, path: string, headers: string): string {
  return requestText(`OPTIONS ${path}`, [
    `Origin: ${origin}`,
    `Access-Control-Request-Method: ${method}`,
    `Access-Control-Request-Headers: ${headers}`,
  ]);
}

const operations = [
  ["PUT", "/sessions/new"],
  ["GET", "/sessions/x"],
  ["POST", "/sessions/x"],
  ["POST", "/gks-server/v1/sessions/x"],
  ["PUT", "/gks-server/v1/sessions/new/"],
  ["PUT", "/gks-server/v1//sessions/new"],
  ["POST", "/session/v2/sessions/"],
  ["PATCH", "/session/v2/sessions/x"],
] as const;

for (const [method, path] of operations) {
  test(`a preflight allows a listed origin ${method} ${path} with every header of the API`, async () => {
    const basePaths = [
      { path: "/gks-server/v1", dialect: "8.5.0" },
      { path: "/session/v2", dialect: "v2" },
    ] as const;
    const config = { corsOrigins: ["https://other.example", SHOP], basePaths };
    await using server = await serve({ config });
    const asked = [
      "content-type,authorization,x-api-key,contactcenterid",
      ..."gkc_agentid gkc_customerid gkc_sessionid gkc_apiclientid gkc_apiclientmediatype".split(" "),
      ..."gkc-agentid gkc-customerid gkc-sessionid gkc-apiclientid gkc-apiclientmediatype".split(" "),
    ].join(",");
    const answer = await exchange(server.port, preflight(SHOP, method, path, asked));
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get("access-control-allow-origin"), SHOP);
    assert.ok(list(answer.headers.get("access-control-allow-methods")).includes(method.toLowerCase()));
    const allowed = list(answer.headers.get("access-control-allow-headers"));
    for (const header of asked.split(",")) assert.ok(allowed.includes(header), header);
    assert.ok(!allowed.includes("*"), "where something is served, only what it takes is allowed");
    assert.ok(list(answer.headers.get("vary")).includes("origin"));
    assert.equal(answer.headers.get("access-control-allow-credentials"), undefined);
  });
}

test("a page of a listed origin may read every response, including refusals", async () => {
  await using server = await serve({ config: { corsOrigins: [SHOP] } });
  const api = createApi(server.url, { origin: SHOP });
  const created = await api.create();
  const { sessionId } = sessionOf(created);
  const answers = [
    created,
    await api.retrieve(sessionId),
    await api.retrieve(sessionId),
    await api.update(sessionId, { headers: { gkc_customerId: "c" } }),
    await api.update(sessionId, { headers: { gkc_customerId: "d" } }),
    await api.create({ body: "x" }),
    await api.call("DELETE", "/sessions/x"),
    await api.call("GET", "/nowhere"),
  ];
  for (const { status, headers } of answers) {
    assert.equal(headers.get("access-control-allow-origin"), SHOP, String(status));
    assert.ok(list(headers.get("vary")).includes("origin"), String(status));
    const exposed = list(headers.get("access-control-expose-headers"));
    assert.ok(exposed.includes("content-location"), String(status));
    assert.ok(exposed.includes("gkc_sessionid"), String(status));
  }
});

for (const origin of [
  "https://evil.example",
  "http://shop.example",
  "https://shop.example:8443",
  "https://shop.example.evil",
  "https://SHOP.example",
  "null",
]) {
  test(`a page of another origin is not allowed: ${origin}`, async () => {
    await using server = await serve({ config: { corsOrigins: [SHOP] } });
    const ask = preflight(origin, "PUT", "/sessions/new", "gkc_customerid");
    const before = await exchange(server.port, ask);
    assert.equal(before.headers.get("access-control-allow-origin"), undefined);
    assert.equal(before.headers.get("access-control-allow-methods"), undefined);
    const answer = await createApi(server.url, { origin }).create();
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
    assert.ok(list(answer.headers.get("vary")).includes("origin"), "no cache may mix the two up");
  });
}

test("without configured origins no page is allowed", async () => {
  await using server = await serve();
  const answer = await exchange(server.port, preflight(SHOP, "PUT", "/sessions/new", "x"));
  assert.equal(answer.headers.get("access-control-allow-origin"), undefined);
  const created = await createApi(server.url, { origin: SHOP }).create();
  assert.equal(created.headers.get("access-control-allow-origin"), null);
});

test("every origin is allowed if the configuration says so", async () => {
  await using server = await serve({ config: { corsOrigins: ["*"] } });
  for (const origin of [SHOP, "https://other.example", "null"]) {
    const before = await exchange(server.port, preflight(origin, "POST", "/sessions/x", "x"));
    assert.equal(before.status, 204);
    assert.equal(before.headers.get("access-control-allow-origin"), "*");
    const answer = await createApi(server.url, { origin }).create();
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.equal(answer.headers.get("access-control-allow-credentials"), null);
  }
});

test("a preflight needs no key, but the request after it does", async () => {
  await using server = await serve({ config: { auth: "key", corsOrigins: [SHOP] } });
  const asked = preflight(SHOP, "PUT", "/sessions/new", "authorization");
  const answer = await exchange(server.port, asked);
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-origin"), SHOP);
  const refused = await createApi(server.url, { origin: SHOP }).create();
  problemOf(refused, 401, "credential-required");
  assert.equal(refused.headers.get("access-control-allow-origin"), SHOP);
});

for (const method of ["GET", "PUT", "PATCH"]) {
  test(`a page that sends ${method} to an unknown path gets the 404 instead of a failed preflight`, async () => {
    await using server = await serve({ config: { corsOrigins: [SHOP] } });
    const asked = preflight(SHOP, method, "/kbs", "gkc_customerid,x-requested-with");
    const answer = await exchange(server.port, asked);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get("access-control-allow-origin"), SHOP);
    assert.ok(list(answer.headers.get("access-control-allow-methods")).includes(method.toLowerCase()));
    const allowed = list(answer.headers.get("access-control-allow-headers"));
    assert.ok(allowed.includes("*") && allowed.includes("authorization"));
    const refused = await createApi(server.url, { origin: SHOP }).call(method, "/kbs");
    problemOf(refused, 404, "not-found");
    assert.equal(refused.headers.get("access-control-allow-origin"), SHOP);
    const strange = preflight("https://evil.example", method, "/kbs", "gkc_customerid");
    assert.equal((await exchange(server.port, strange)).status, 404);
  });
}

for (const [method, path] of [
  ["PUT", "/session/v2/sessions/new"],
  ["PATCH", "/sessions/x"],
  ["PURGE", "/sessions"],
] as const) {
  test(`a page that sends ${method} to ${path} gets the 405 instead of a failed preflight`, async () => {
    const config = {
      corsOrigins: [SHOP],
      basePaths: [{ path: "/session/v2", dialect: "v2" }],
    } as const;
    await using server = await serve({ config });
    const answer = await exchange(server.port, preflight(SHOP, method, path, "gkc_customerid"));
    assert.equal(answer.status, 204);
    const allowed = list(answer.headers.get("access-control-allow-methods"));
    assert.ok(allowed.includes(method.toLowerCase()) || allowed.includes("*"));
    const headers = list(answer.headers.get("access-control-allow-headers"));
    assert.ok(headers.includes("gkc_customerid") && !headers.includes("*"));
    const refused = await createApi(server.url, { origin: SHOP }).call(method, path);
    problemOf(refused, 405, "method-not-allowed");
    const strange = preflight("https://evil.example", method, path, "gkc_customerid");
    const other = await exchange(server.port, strange);
    assert.equal(other.headers.get("access-control-allow-methods"), undefined);
  });
}

test("an OPTIONS request that is not a preflight is refused for an unknown path", async () => {
  await using server = await serve({ config: { corsOrigins: [SHOP] } });
  problemOf(await createApi(server.url, { origin: SHOP }).call("OPTIONS", "/kbs"), 404, "not-found");
});
