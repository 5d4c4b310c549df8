// runs: once

import assert from "node:assert/strict";
import { createServer, request as sendRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { problemOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { exchange, requestText } from "../support/raw-http.ts";

let server: TestServer;
before(async () => {
  server = await serve({ config: { console: true } });
});
after(() => server[Symbol.asyncDispose]());

const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(server.url + path, { headers, redirect: "manual" });

/** Returns the addresses of files in a page. */
const addressesIn = (html: string) => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address);

test("a browser runs and loads nothing in the console but this server's own files", async () => {
  const response = await get("/console/");
  const policy = response.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
  for (const part of ["connect-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(part), part);
  }
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  for (const [name, value] of [
    ["x-content-type-options", "nosniff"],
    ["referrer-policy", "no-referrer"],
    ["cross-origin-opener-policy", "same-origin"],
    ["cross-origin-resource-policy", "same-origin"],
  ] as const) {
    assert.equal(response.headers.get(name), value);
  }
  const html = await response.text();
  assert.doesNotMatch(html, /<script>|<style|\son\w+=|\sstyle=|https?:/);
});

test("every path below /console shows the page, with addresses that fit to its depth", async () => {
  for (const path of ["/console/", "/console/search", "/console/session/", "/console/a/b/c?handle=x"]) {
    const response = await get(path);
    assert.equal(response.status, 200, path);
    const addresses = addressesIn(await response.text());
    assert.ok(addresses.length >= 3);
    for (const address of addresses) {
      const url = new URL(address, server.url + path);
      assert.ok(url.pathname.startsWith("/console/assets/"), url.href);
      assert.equal((await get(url.pathname)).status, 200);
    }
  }
  assert.equal((await get("/console")).headers.get("location"), "console/");
  for (const path of ["/console/assets/none.js", "/console/assets/", "/consolex", "/console/assets/..%2findex.html"]) {
    const response = await get(path);
    problemOf({ status: response.status, headers: response.headers, text: await response.text() }, 404, "not-found");
  }
});

test("files are compressed for those who accept it, and kept by browsers until they change", async () => {
  const [script = ""] = addressesIn(await (await get("/console/")).text()).filter((address) =>
    /main-.*js$/.test(address),
  );
  const path = `/console/${script.replace("./", "")}`;
  const fetched = async (encoding: string) => {
    const response = await fetch(server.url + path, { headers: { "accept-encoding": encoding || "identity" } });
    return { headers: response.headers, text: await response.text() };
  };
  const plain = await fetched("");
  assert.equal(plain.headers.get("content-encoding"), null);
  assert.match(plain.headers.get("cache-control") ?? "", /immutable/);
  const tags = new Set([plain.headers.get("etag")]);
  for (const [encoding, expected] of [
    ["gzip, br", "br"],
    ["gzip", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["br;q=0.5, gzip", "gzip"],
    ["BR", "br"],
    ["deflate", null],
  ] as const) {
    const { headers, text } = await fetched(encoding);
    assert.equal(headers.get("content-encoding"), expected, encoding);
    assert.equal(headers.get("vary"), "Accept-Encoding");
    assert.equal(text, plain.text);
    tags.add(headers.get("etag"));
  }
  assert.equal(tags.size, 3);
  for (const tag of tags) {
    const { status } = await get(path, { "if-none-match": tag ?? "", "accept-encoding": "br" });
    assert.equal(status, tag?.endsWith('-br"') ? 304 : 200);
  }
  const page = await get("/console/search");
  assert.equal(page.headers.get("cache-control"), "no-cache");
  for (const known of [`W/${page.headers.get("etag")}`, `"a,b", ${page.headers.get("etag")}`, "*"]) {
    assert.equal((await get("/console/search", { "if-none-match": known })).status, 304, known);
  }
});

test("a browser that asks for the root gets to the console, or without one to the page of the API", async () => {
  const html = { accept: "text/html,*/*" };
  assert.equal((await get("/", html)).headers.get("location"), "console/");
  for (const accept of ["application/json", "application/json, text/html;q=0.1", "text/html;q=0", "*/*"]) {
    assert.equal((await get("/", { accept })).status, 200, accept);
  }
  await using other = await serve();
  const response = await fetch(`${other.url}/`, { headers: html, redirect: "manual" });
  assert.equal(response.headers.get("location"), "docs");
});

test("HEAD gets no body, and other methods are refused", async () => {
  const head = await exchange(server.port, requestText("HEAD /console/search"), { head: true });
  assert.equal(head.status, 200);
  assert.equal((await fetch(`${server.url}/console/search`, { method: "POST" })).status, 405);
});

test("below the prefix of a proxy the console finds its files and the API", async () => {
  const proxy = createServer((incoming, response) => {
    const path = (incoming.url ?? "").replace(/^\/tools\/ac/, "");
    if (path === incoming.url) {
      response.writeHead(404).end();
      return;
    }
    const outgoing = sendRequest(
      { port: server.port, path, headers: { ...incoming.headers, host: "localhost" } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    outgoing.end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    for (const path of ["/tools/ac/", "/tools/ac/console", "/tools/ac/console/session?handle=x"]) {
      const response = await fetch(origin + path, { headers: { accept: "text/html" } });
      assert.ok(response.url.startsWith(`${origin}/tools/ac/console/`), response.url);
      const addresses = addressesIn(await response.text());
      assert.ok(addresses.length >= 3);
      for (const address of addresses) assert.equal((await fetch(new URL(address, response.url))).status, 200);
    }
  } finally {
    proxy.close();
    proxy.closeAllConnections();
  }
});
