// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { oneServer } from "../support/one-server.ts";
import { utf8 } from "../support/raw-http.ts";
import { newSession } from "../support/records.ts";
import { createAsk, forwardAuthConfig, identityOf, requestsIn } from "./forward-auth-requests.ts";

/* The record that /forward-auth makes of the original request. */

const server = oneServer({ config: forwardAuthConfig });
const ask = createAsk(server);

test("the original request is recorded, whichever proxy's headers describe it", async () => {
  for (const [lines, options, expected] of [
    [["X-Forwarded-Method: POST", "X-Forwarded-Uri: /cart?mail=x&page=2"], {}, ["POST", "/cart?page=2", null]],
    [
      ["X-Original-Method: PUT", "X-Original-URI: /b?mail=x", "X-Forwarded-Host: shop.example"],
      {},
      ["PUT", "/b", "shop.example"],
    ],
    [[], { target: "/forward-auth/c/d?mail=x", method: "DELETE" }, ["DELETE", "/c/d", null]],
    [[], { target: "/forward-auth/", method: "GET" }, ["GET", "/", null]],
    [[], { target: "/forward-auth?mail=x", method: "POST" }, ["POST", "/", null]],
    [["X-Original-URI: /x"], { method: "HEAD" }, ["HEAD", "/x", null]],
    [["X-Forwarded-Uri: "], {}, ["GET", "/", null]],
  ] as const) {
    const id = await newSession(server.api);
    identityOf(await ask([...lines, `gkc-sessionId: ${id}`], options));
    const [entry, ...rest] = await requestsIn(id, server.api);
    assert.deepEqual(rest, []);
    assert.deepEqual([entry?.method, entry?.path, entry?.service], expected);
    assert.deepEqual([entry?.status, entry?.durationMs], [null, null]);
  }
});

test("paths and hosts are recorded as decoded text", async () => {
  const inUtf8 = (path: string) => [utf8(path), path] as const;
  for (const [sent, expected] of [
    ...["/caf\u00e9", "/stra\u00dfe", "/\u540d\u524d", "/cafe\u0301", "/\u{1f600}", "/\ufeffx"].map(inUtf8),
    ["/caf%C3%A9", "/caf%C3%A9"],
    ["/caf\xe9", "/caf\u00e9"],
    ["/\xff\xfe", "/\u00ff\u00fe"],
    ["/a\x80b", "/a%C2%80b"],
    [utf8("/a\u0085b"), "/a%C2%85b"],
    [utf8("/\u00fc?page=\u540d&mail=x"), "/\u00fc?page=\u540d"],
  ] as const) {
    for (const [lines, target] of [
      [[`X-Forwarded-Uri: ${sent}`], "/forward-auth"],
      [[`X-Original-URI: ${sent}`], "/forward-auth"],
      [[], `/forward-auth${sent}`],
    ] as const) {
      const id = await newSession(server.api);
      const host = `X-Forwarded-Host: ${utf8("b\u00fccher.example")}`;
      identityOf(await ask([...lines, host, `gkc-sessionId: ${id}`], { target }));
      const [entry] = await requestsIn(id, server.api);
      assert.equal(entry?.path, expected);
      assert.equal(entry?.service, "b\u00fccher.example");
    }
  }
});

test("of a target with a scheme and a host, only the path is recorded", async () => {
  for (const [sent, expected] of [
    ["http://shop.example/a%20b?page=2&q=x", "/a%20b?page=2"],
    ["HTTPS://shop.example:8443/a//b", "/a//b"],
    ["http://shop.example", "/"],
    ["http://shop.example?page=2", "/"],
    ["/http://shop.example/a", "/http://shop.example/a"],
    ["//shop.example/a", "//shop.example/a"],
  ]) {
    const id = await newSession(server.api);
    identityOf(await ask([`X-Forwarded-Uri: ${sent}`, `gkc-sessionId: ${id}`]));
    const [entry] = await requestsIn(id, server.api);
    assert.equal(entry?.path, expected);
  }
});

test("a long path is cut between characters", async () => {
  for (const start of ["/", "/a"]) {
    const id = await newSession(server.api);
    const path = `${start}${"\u{1f600}".repeat(1500)}`;
    identityOf(await ask([`X-Original-URI: ${utf8(path)}`, `gkc-sessionId: ${id}`]));
    const stored = (await requestsIn(id, server.api))[0]?.path ?? "";
    assert.ok(path.startsWith(stored) && stored.length > 2000 && stored.isWellFormed());
  }
});
