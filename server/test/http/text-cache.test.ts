// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoize, TextCache } from "../../src/http/auth/text-cache.ts";

test("the number of entries is limited, and recently used entries stay", () => {
  const cache = new TextCache<number>(10, 1000);
  cache.set("used", 1);
  for (let i = 0; i < 100; i++) {
    cache.set(`other ${i}`, i);
    assert.equal(cache.get("used"), 1);
  }
  const cached = Array.from({ length: 100 }, (_, i) => cache.get(`other ${i}`) !== undefined);
  assert.ok(cached.filter(Boolean).length <= 10);
});

test("the total number of characters is limited", () => {
  const cache = new TextCache<number>(10, 100);
  for (const name of ["a", "b", "c"]) cache.set(name.repeat(40), 1);
  assert.equal(cache.get("a".repeat(40)), undefined);
  assert.equal(cache.get("c".repeat(40)), 1);
});

test("a memoized function computes each result once, unless it is undefined", () => {
  let calls = 0;
  const read = memoize((text) => {
    calls++;
    return text === "" ? undefined : text.length;
  });
  assert.deepEqual([read("abc"), read("abc"), read(""), read("")], [3, 3, undefined, undefined]);
  assert.equal(calls, 3);
});
