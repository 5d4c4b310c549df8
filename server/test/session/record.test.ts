// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { forwardedRecord, isMethod, isPath, recordedPath } from "../../src/session/record.ts";
import { START } from "../support/sessions.ts";

const none: ReadonlySet<string> = new Set();

test("a path is recorded without its query and fragment", () => {
  for (const [uri, path] of [
    ["/", "/"],
    ["/a/b.html", "/a/b.html"],
    ["/a?mail=x@example.org", "/a"],
    ["/a?", "/a"],
    ["/?", "/"],
    ["/a#top", "/a"],
    ["/a?b=c#d?e", "/a"],
    ["/a#b?c=d", "/a"],
    ["/a%3Fb=c", "/a%3Fb=c"],
    ["*", "*"],
    ["", ""],
  ] as const) {
    assert.equal(recordedPath(uri, none), path, uri);
  }
});

test("only the allowed parameters of a query are recorded, unchanged", () => {
  const keys = new Set(["page", "q", "größe", "a b", "__proto__", ""]);
  for (const [uri, path] of [
    ["/a?page=2", "/a?page=2"],
    ["/a?mail=x&page=2&mail=y", "/a?page=2"],
    ["/a?q=1&page=2&q=3", "/a?q=1&page=2&q=3"],
    ["/a?page", "/a?page"],
    ["/a?page=a=b", "/a?page=a=b"],
    ["/a?Page=2&pages=2&pag=2", "/a"],
    ["/a?%70age=2", "/a?%70age=2"],
    ["/a?gr%C3%B6%C3%9Fe=1", "/a?gr%C3%B6%C3%9Fe=1"],
    ["/a?a+b=1&a%20b=2", "/a?a+b=1&a%20b=2"],
    ["/a?page=1#q=2", "/a?page=1"],
    ["/a#?page=1", "/a"],
    ["/a?mail=x?page=1", "/a"],
    ["/a?%=1&%E0%A4%A=2&page=3", "/a?page=3"],
    ["/a?__proto__=1&constructor=2", "/a?__proto__=1"],
  ] as const) {
    assert.equal(recordedPath(uri, keys), path, uri);
  }
});

test("parameters of a query that are not allowed are never recorded", () => {
  const word = fc.stringMatching(/^[a-z%+=.&?#]{0,12}$/);
  fc.assert(
    fc.property(word, word, fc.uniqueArray(fc.constantFrom<string>("a", "b", "c")), (path, query, keys) => {
      const recorded = recordedPath(`/${path}?${query}`, new Set(keys));
      const [, kept = ""] = recorded.split("?");
      for (const parameter of new URLSearchParams(kept).keys()) {
        assert.ok(keys.includes(parameter), `${parameter} of ${recorded}`);
      }
      assert.ok(!recorded.includes("#"));
    }),
  );
});

test("methods and paths must be valid in a request", () => {
  for (const method of ["GET", "M-SEARCH", "x", "PROPFIND", "A".repeat(32)]) {
    assert.ok(isMethod(method), method);
  }
  for (const method of ["", "G T", "GET\n", "GÉT", "A".repeat(33), "GET/"]) {
    assert.ok(!isMethod(method), method);
  }
  for (const path of ["/", "/a b", "/é😀", "*", "//"]) assert.ok(isPath(path), path);
  for (const path of ["", "a", "http://x/", "**", "/\u0000", "/\n", "/\u0085", "/\ud800"]) {
    assert.ok(!isPath(path), path);
  }
});

test("invalid values that a proxy reports are cut or left out", () => {
  const of = (method: string, uri: string, service: string | null = null) =>
    forwardedRecord({ method, uri, service }, START, none);
  assert.deepEqual(of("POST", "/cart?mail=x", "shop.example"), {
    method: "POST",
    path: "/cart",
    status: null,
    startedAt: START,
    durationMs: null,
    service: "shop.example",
    attributes: {},
  });
  assert.equal(of("", "/").method, "UNKNOWN");
  assert.equal(of("GET, POST", "/").method, "UNKNOWN");
  assert.equal(of("GET", "").path, "/");
  assert.equal(of("GET", "https://shop.example/a").path, "/a");
  assert.equal(of("GET", "https://shop.example?a").path, "/");
  assert.equal(of("GET", "/a\u0000\u0085").path, "/a%00%C2%85");
  assert.equal(of("GET", "/", "x".repeat(257)).service, null);
  assert.equal(of("GET", "/", "a\tb").service, null);
});

test("whatever a proxy reports, the record is well-formed and not too long", () => {
  const text = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.string());
  const long = fc.tuple(text, fc.nat(9000)).map(([end, n]) => `/${"é".repeat(n)}${end}`);
  fc.assert(
    fc.property(text, fc.oneof(text, long), fc.option(text), (method, uri, service) => {
      const record = forwardedRecord({ method, uri, service }, START, new Set(["a"]));
      assert.ok(isMethod(record.method));
      assert.ok(isPath(record.path));
      assert.ok(Buffer.byteLength(JSON.stringify(record)) <= 8192);
      assert.ok(JSON.stringify(record).isWellFormed());
    }),
  );
});
