// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { serve } from "../support/in-process.ts";
import { oneServer } from "../support/one-server.ts";
import { openConnection } from "../support/raw-http.ts";
import { newSession } from "../support/records.ts";
import {
  bulk,
  cookieOf,
  createAsk,
  forwardAuthConfig,
  identityOf,
  requestsIn,
  requestText,
} from "./forward-auth-requests.ts";

/* The places in which /forward-auth finds the id of a session. */

const server = oneServer({ config: forwardAuthConfig });
const ask = createAsk(server);

test("a visitor with many cookies is allowed", async () => {
  const id = await newSession(server.api);
  const lines = [bulk(50_000), `Cookie: ${"a=b; ".repeat(1000)}sessionId=${id}`];
  const many = [...Array.from({ length: 400 }, () => "X: y"), `Cookie: sessionId=${id}`];
  for (const [fields, target] of [
    [lines, "/forward-auth"],
    [many, "/forward-auth"],
    [lines, "/forward-auth/a/b?c"],
    [many, "http://localhost/forward-auth"],
  ] as const) {
    const answer = await ask(fields, { target });
    assert.deepEqual([answer.status, answer.headers.get("gkc-sessionid")], [200, id], answer.body);
  }
  // The limit for headers is lower on all other paths.
  assert.equal((await ask([bulk(17_000)], { target: "/sessions/x" })).status, 431);
  assert.equal((await ask([bulk(17_000)], { target: "/forward-authority" })).status, 431);
});

test("cookies in several Cookie headers are read like those in one", async () => {
  const id = await newSession(server.api);
  for (const lines of [
    [`Cookie: sessionId=${id}`, "Cookie: a=1"],
    ["Cookie: a=1", `Cookie: sessionId=${id}`, "Cookie: b=2"],
  ]) {
    assert.equal((await ask(lines)).headers.get("gkc-sessionid"), id);
  }
});

test("a session id in the value of another cookie does not count", async () => {
  const [own, planted] = [await newSession(server.api), await newSession(server.api)];
  const values = [
    `x sessionId=${planted}`,
    `x,sessionId=${planted}`,
    `"x, sessionId=${planted}, y"`,
    `sessionId=${planted}`,
  ];
  for (const value of values) {
    const sessionIdWith = async (cookies: string) =>
      (await ask([`Cookie: q=${value}${cookies}`])).headers.get("gkc-sessionid");
    assert.equal(await sessionIdWith(`; sessionId=${own}`), own, value);
    assert.notEqual(await sessionIdWith(""), planted, value);
  }
  assert.equal((await ask([`Cookie: q=x;\t sessionId="${own}" ;r=y`])).headers.get("gkc-sessionid"), own);
});

/** Places where the original request can have the session id. */
const sources: Readonly<Record<string, (id: string) => readonly string[]>> = {
  "the query, of Caddy and Traefik": (id) => [`X-Forwarded-Uri: /a?b=c&sessionId=${id}&d=e`],
  "the query, of nginx": (id) => [`X-Original-URI: /a?sessionId=${id}`],
  "an encoded query": (id) => [`X-Original-URI: /a?session%49d=${id}&sessionId=%${hex(id)}`],
  "the header with underscore": (id) => [`gkc_sessionId: ${id}`],
  "the header with hyphen": (id) => [`GKC-SessionID: ${id}`],
  "the cookie": (id) => [`Cookie: sessionId=${id}`],
  "one of many cookies": (id) => [`Cookie: a=b; xsessionId=no; sessionId=${id}; c=d`],
  "a repeated header": (id) => ["gkc-sessionId: old", `gkc-sessionId: ${id}`],
  "the header in quotes": (id) => [`gkc_sessionId: "${id}"`],
  "a cookie in quotes": (id) => [`Cookie: sessionId="${id}"`],
  "the second cookie of the name": (id) => [`Cookie: sessionId=old; sessionId=${id}`],
  "the cookie, after ids that lead nowhere": (id) => [
    `X-Forwarded-Uri: /?sessionId=${"A".repeat(40)}`,
    "gkc-sessionId: 00000000-0000-0000-0000-0000000000",
    `Cookie: sessionId=${id}`,
  ],
};
const hex = (id: string) => `${id.charCodeAt(0).toString(16)}${id.slice(1)}`;

for (const [name, lines] of Object.entries(sources)) {
  test(`the session is found in ${name}`, async () => {
    const id = await newSession(server.api, { headers: { gkc_customerId: "anna", gkc_agentId: "7" } });
    const answer = await ask(lines(id));
    assert.deepEqual(identityOf(answer), [id, "anna", "7", "", ""]);
    assert.equal(cookieOf(answer), undefined);
    assert.equal(answer.body, "");
    assert.equal((await requestsIn(id, server.api)).length, 1);
  });
}

test("if a request names several live sessions, query precedes header, and header precedes cookie", async () => {
  const [a, b, c] = [await newSession(server.api), await newSession(server.api), await newSession(server.api)];
  const all = [`X-Forwarded-Uri: /?sessionId=${a}`, `gkc_sessionId: ${b}`, `Cookie: sessionId=${c}`];
  for (const [skip, id] of [a, b, c].entries()) {
    assert.equal(identityOf(await ask(all.slice(skip)))[0], id);
  }
});

test("only the sources in the setting are read, in its order", async () => {
  for (const forwardAuthSources of [["header", "cookie"], ["cookie", "query", "header"], ["query"]] as const) {
    await using other = await serve({ config: { forwardAuthSources } });
    const calls = createApi(other.url);
    const ids = {
      query: await newSession(calls),
      header: await newSession(calls),
      cookie: await newSession(calls),
    };
    const lines = [
      `X-Forwarded-Uri: /?sessionId=${ids.query}`,
      `gkc_sessionId: ${ids.header}`,
      `Cookie: sessionId=${ids.cookie}`,
    ];
    const [found] = identityOf(await ask(lines, { to: other }));
    assert.equal(found, ids[forwardAuthSources[0]]);
  }
  await using usual = await serve();
  const id = await newSession(createApi(usual.url));
  const answer = await ask([`X-Forwarded-Uri: /?sessionId=${id}`], { to: usual });
  assert.notEqual(identityOf(answer)[0], id);
});

/** Returns `count` different texts that look like session ids but that no server issued. */
const junkIds = (count: number) => Array.from({ length: count }, (_, i) => `${i}`.padStart(40, "A"));
const cookies = (ids: readonly string[]) => ids.map((id) => `sessionId=${id}`).join("; ");
const query = (ids: readonly string[]) => ids.map((id) => `sessionId=${id}`).join("&");

test("a session is found after any number of ids that the server did not issue, in every source", async () => {
  const id = await newSession(server.api);
  const junk = junkIds(250);
  for (const lines of [
    [`Cookie: ${cookies([...junk, id])}`],
    [`X-Forwarded-Uri: /?${query(junk)}`, `Cookie: sessionId=${id}`],
    [`X-Forwarded-Uri: /?${query([...junk, id])}`],
    [`gkc-sessionId: ${junk.join(", ")}`, `Cookie: sessionId=${id}`],
    [`gkc-sessionId: ${junk[0]}`, `gkc_sessionId: ${id}`],
    [`X-Forwarded-Uri: /?${"sessionId=a&".repeat(900)}`, `gkc-sessionId: ${id}`],
  ]) {
    const answer = await ask(lines);
    assert.equal(identityOf(answer)[0], id, lines.join().slice(0, 80));
    assert.equal(cookieOf(answer), undefined);
  }
});

onEachEngine((engine) => {
  engine.test("at most four different ids of a source are looked up before the next source", async () => {
    const config = { forwardAuthSources: ["query", "header", "cookie"] } as const;
    await using to = await engine.serve({ config });
    const calls = createApi(to.url);
    const ended = [];
    for (let i = 0; i < 12; i++) ended.push(await newSession(calls));
    for (const id of ended) {
      assert.equal((await calls.call("DELETE", `/sessions/${id}`)).status, 204);
    }
    const id = await newSession(calls);
    const [first = "", second = "", third = "", ...others] = ended;
    const repeated = [first, first, ...junkIds(5), first, second, third];
    for (const [lines, isFound] of [
      [[`Cookie: ${cookies([...repeated, id])}`], true],
      [[`Cookie: ${cookies([...ended, id])}`], false],
      [[`X-Forwarded-Uri: /?${query(ended)}`, `Cookie: ${cookies([...repeated, id])}`], true],
      [[`gkc-sessionId: ${others.join(",")}`, `Cookie: sessionId=${id}`], true],
    ] as const) {
      const answer = await ask(lines, { to });
      assert.equal(identityOf(answer)[0] === id, isFound, lines.join());
    }
  });
});

test("a head full of invented ids takes little more time than one without ids", async () => {
  const id = await newSession(server.api);
  await using connection = await openConnection(server.port);
  const fastest = async (lines: readonly string[]) => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 40; i++) {
      const startedAt = performance.now();
      connection.send(requestText(lines));
      assert.equal(identityOf(await connection.response())[0], id);
      least = Math.min(least, performance.now() - startedAt);
    }
    return least;
  };
  const usual = await fastest([`Cookie: sessionId=${id}`]);
  const full = await fastest([`Cookie: ${cookies([...junkIds(300), id])}`]);
  assert.ok(full - usual < 10, `${full} ms, and ${usual} ms with one id`);
});

test("the query that Envoy appends may contain the session", async () => {
  const id = await newSession(server.api);
  const target = `/forward-auth/products/7?sessionId=${id}&page=3`;
  assert.equal(identityOf(await ask([], { target }))[0], id);
  assert.equal((await requestsIn(id, server.api))[0]?.path, "/products/7?page=3");
});
