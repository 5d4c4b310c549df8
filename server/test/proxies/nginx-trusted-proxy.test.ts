// runs: outside

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AuditPage } from "@antechamber/client/protocol";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { exchange } from "../support/raw-http.ts";
import { type Antechamber, startAntechamber } from "./antechamber.ts";
import { nginx } from "./nginx.ts";
import { type RunningProxy, startProxy } from "./proxy-process.ts";

/*
 * Tests mode proxy behind the real nginx, configured like examples/nginx-trusted-proxy.
 */

const program = { ...nginx, example: "nginx-trusted-proxy" };
/** Settings of the example. */
const settings = {
  ANTECHAMBER_AUTH: "proxy",
  ANTECHAMBER_PROXY_SECRET: "put-a-secret-of-your-own-here-32+",
  ANTECHAMBER_TRUSTED_PROXIES: "127.0.0.1",
  ANTECHAMBER_BASE_PATH: "/agents",
};
const password = `Basic ${btoa("anna:change-me")}`;

let antechamber: Antechamber;
let proxy: RunningProxy;
before(async () => {
  antechamber = await startAntechamber(settings);
  proxy = await startProxy(program, { antechamber: antechamber.port, application: 9 });
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await antechamber[Symbol.asyncDispose]();
});

const everybody = (headers = {}, at = proxy) => createApi(`http://127.0.0.1:${at.port}`, headers);
const agents = (headers = {}) => createApi(`http://127.0.0.1:${proxy.port}/agents`, headers);

test("nginx asserts the identity of its agents by the name they signed in with", async () => {
  const anna = agents({ authorization: password });
  const own = sessionOf(await anna.create({ headers: { "gkc-agentId": "anna" } }));
  assert.equal(own.agentId, "anna");
  const other = await anna.create({ headers: { "gkc-agentId": "bert" } });
  problemOf(other, 403, "identity-mismatch");
  assert.equal((await agents().create()).status, 401);
  assert.equal((await agents({ authorization: `Basic ${btoa("anna:guessed")}` }).create()).status, 401);
  const found = await anna.retrieve(own.sessionId);
  const path = `/agents/sessions/${own.sessionId}`;
  assert.equal(found.headers.get("content-location"), path);
});

test("no client can claim to be somebody else through nginx", async () => {
  const pretence = {
    "antechamber-role": "administrator",
    "antechamber-customer": "alice",
    "antechamber-agent": "7",
    "antechamber-secret": "guessed",
    antechamber_role: "administrator",
    "antechamber.role": "administrator",
  };
  for (const api of [everybody(), everybody(pretence)]) {
    sessionOf(await api.create());
    const asserted = await api.create({ headers: { "gkc-customerId": "alice" } });
    problemOf(asserted, 403, "identity-mismatch");
  }
  const anna = agents({ ...pretence, authorization: password });
  problemOf(await anna.create({ headers: { "gkc-agentId": "7" } }), 403, "identity-mismatch");
});

test("no client reaches other paths of Antechamber by dot segments", async () => {
  const paths = ["forward-auth/..", "forward-auth/%2e%2e", "agents/.."].map((start) => `/${start}/sessions/unknown`);
  for (const path of [...paths, "/forward-auth/../agents/sessions"]) {
    const { status, headers } = await exchange(proxy.port, requestFor(path));
    assert.deepEqual([status, headers.get("set-cookie")], [404, undefined], path);
  }
  for (const path of ["/sessions/unknown", "//sessions/unknown?a"]) {
    assert.equal((await exchange(proxy.port, requestFor(path))).status, 200);
  }
  assert.equal((await exchange(proxy.port, requestFor("//agents/sessions/unknown"))).status, 200);
});

/** Returns a request of an agent whose path stays as it is: `fetch` would remove dot segments. */
function requestFor(path: string): string {
  const lines = [`GET ${path} HTTP/1.1`, "Host: localhost", `Authorization: ${password}`, "Connection: close"];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

test("if nginx accepts underscores in headers, forged identity headers are refused", async () => {
  await using lax = await startProxy(program, { antechamber: antechamber.port, application: 9 }, (text) =>
    text.replace("underscores_in_headers off;", "underscores_in_headers on;"),
  );
  const pretence = { antechamber_role: "administrator" };
  problemOf(await everybody(pretence, lax).create(), 401, "invalid-credential");
  sessionOf(await everybody({}, lax).create());
});

test("without the secret nobody can bypass nginx", async () => {
  const direct = createApi(antechamber.server.url, { "antechamber-role": "administrator" });
  problemOf(await direct.create(), 401, "invalid-credential");
});

/** Headers in which a client may claim an address. `at` makes the address different each time. */
const invented = (at: number) => ({
  "X-Forwarded-For": `192.0.2.${at}`,
  Forwarded: `for=198.51.100.${at}`,
  "X-Real-IP": `192.0.2.${at}`,
});

test("no client can avoid the limits by address, or put a false address into the audit trail", async () => {
  await using limited = await startAntechamber({
    ...settings,
    ANTECHAMBER_CREATES_PER_ADDRESS: "3/1h",
  });
  await using nearest = await startProxy(program, { antechamber: limited.port, application: 9 });
  const statuses: number[] = [];
  for (let at = 1; at <= 5; at++) {
    statuses.push((await everybody(invented(at), nearest).create()).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 429]);

  const path = "/agents/sessions/end";
  const headers = { authorization: password, ...invented(66) };
  const json = { customerId: "zz", dryRun: true };
  const ended = await everybody({}, nearest).call("POST", path, { headers, json });
  assert.equal(ended.status, 200, ended.text);
  const administrator = createApi(limited.server.url, {
    "antechamber-secret": settings.ANTECHAMBER_PROXY_SECRET,
    "antechamber-role": "administrator",
  });
  const { entries } = JSON.parse((await administrator.call("GET", "/audit")).text) as AuditPage;
  assert.deepEqual([...new Set(entries.map(({ from }) => from))], ["127.0.0.1"]);
});

test("the list of sessions is served at its documented path", async () => {
  const anna = everybody({ authorization: password });
  const own = sessionOf(await agents({ authorization: password }).create({ headers: { "gkc-customerId": "carl" } }));
  const listed = await anna.call("GET", "/agents/sessions?customerId=carl");
  assert.equal(listed.status, 200, listed.text);
  assert.ok(listed.text.includes(own.sessionId.slice(0, 24)));
  assert.notEqual((await everybody().call("GET", "/sessions?customerId=carl")).status, 301);
});
