// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createApi } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";

let server: TestServer;
before(async () => {
  server = await serve();
});
after(() => server[Symbol.asyncDispose]());

const get = (path: string) => createApi(server.url).call("GET", path);

test("a browser runs and loads nothing on the page but this server's own files", async () => {
  const { headers } = await get("/docs");
  const policy = headers.get("content-security-policy") ?? "";
  const directives = new Map(
    policy.split("; ").map((directive) => {
      const [name = "", ...sources] = directive.split(" ");
      return [name, sources.join(" ")];
    }),
  );
  assert.equal(directives.get("default-src"), "'none'");
  assert.equal(directives.get("script-src"), "'self'");
  assert.equal(directives.get("style-src"), "'self'");
  assert.equal(directives.get("connect-src"), "'self'");
  assert.equal(directives.get("frame-ancestors"), "'none'");
  assert.equal(directives.get("form-action"), "'none'");
  assert.equal(directives.get("base-uri"), "'none'");
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.equal(headers.get("referrer-policy"), "no-referrer");
});

test("the page refers only to existing files, and has no inline script", async () => {
  const { text } = await get("/docs");
  assert.doesNotMatch(text, /<script>|<style|\son\w+=|\sstyle=/);
  const names = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name = ""]) => name);
  assert.ok(names.length >= 5);
  for (const name of names) {
    const { status, headers } = await get(new URL(name, `${server.url}/docs`).pathname);
    assert.equal(status, 200, name);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  }
});

test("the page asks no other server to check the document", async () => {
  const { text } = await get("/docs/page.js");
  assert.match(text, /validatorUrl: null/);
  assert.doesNotMatch(text, /https?:/);
});

test("other files of the page's package are not served", async () => {
  for (const name of ["package.json", "index.html", "swagger-ui.js.map", "..%2fpackage.json"]) {
    const { status } = await get(`/docs/${name}`);
    assert.equal(status, 404, name);
  }
});
