import { strict as assert } from "node:assert";
import { test } from "node:test";
import { masked } from "../../src/config/faults.ts";
import { parseStoreUrl } from "../../src/config/store-url.ts";

const redis = {
  engine: "redis",
  kind: "single",
  isTls: false,
  name: undefined,
  username: undefined,
  password: undefined,
  database: 0,
};

test("URLs of stores are parsed", () => {
  assert.deepEqual(parseStoreUrl("sqlite"), { engine: "sqlite" });
  assert.deepEqual(parseStoreUrl("redis://localhost"), {
    ...redis,
    hosts: [{ host: "localhost", port: 6379 }],
    label: "redis://localhost",
  });
  assert.deepEqual(parseStoreUrl("rediss://us%40er:p%2F%3A%25@[::1]:7000/3"), {
    ...redis,
    isTls: true,
    username: "us@er",
    password: "p/:%",
    database: 3,
    hosts: [{ host: "::1", port: 7000 }],
    label: "rediss://***@[::1]:7000/3",
  });
  assert.deepEqual(parseStoreUrl("redis+cluster://:secret@a:1,10.0.0.2"), {
    ...redis,
    kind: "cluster",
    password: "secret",
    hosts: [
      { host: "a", port: 1 },
      { host: "10.0.0.2", port: 6379 },
    ],
    label: "redis+cluster://***@a:1,10.0.0.2",
  });
  assert.deepEqual(parseStoreUrl("rediss+sentinel://s1,s2:1/main"), {
    ...redis,
    kind: "sentinel",
    isTls: true,
    name: "main",
    hosts: [
      { host: "s1", port: 26_379 },
      { host: "s2", port: 1 },
    ],
    label: "rediss+sentinel://s1,s2:1/main",
  });
});

test("other texts are refused with a reason that repeats no password", () => {
  for (const text of [
    "",
    "postgres://x",
    "redis:",
    "redis://",
    "redis://a,b",
    "redis://a:0",
    "redis://a:99999",
    "redis://a/name",
    "redis+cluster://a/1",
    "redis+sentinel://a",
    "redis://u:%zz@a",
    "redis://u:pa/ss@a",
    "redis://a?x=1",
  ]) {
    const why = parseStoreUrl(text);
    assert.ok(typeof why === "string" && !why.includes("pa/ss"), text);
  }
  assert.equal(masked('"redis://u:pa/s#s?@host/0"'), '"redis://***@host/0"');
  // A malformed URL must not show its password either.
  assert.equal(masked('"redis:u:pass@host/0"'), '"***@host/0"');
  assert.equal(masked('"u:pass@host:1"'), '"***@host:1"');
  assert.equal(masked('"redis://u:pass:host:1"'), '"redis://***"');
  for (const whole of ["redis://host:1", "redis+cluster://a:1,b:2", "redis://[::1]:6379", "a: b@c"])
    assert.equal(masked(whole), whole);
});
