// runs: once
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSession } from "../../src/session/lifetime.ts";
import { DataCache } from "../../src/store/sqlite/serving/data-cache.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { ids, lifetimes, START } from "../support/sessions.ts";

test("the cache of data gives the present data of a session, and nothing after a removal", () => {
  const random = createRandom(runSeed());
  const cache = new DataCache(8);
  const present = new Map<string, string>();
  let hits = 0;
  for (let step = 1; step <= 20_000; step++) {
    const context = `step ${step}, FAULTS_SEED=${random.seed}`;
    const handle = random.pick(["a", "b", "c", "d", "e", "f", "g", "h"]);
    const action = random.between(0, 9);
    if (action < 4) {
      const data = `{"step":${step},"text":"${"x".repeat(random.between(0, 150))}"}`;
      cache.set(handle, data);
      present.set(handle, data);
    } else if (action < 9) {
      const found = cache.get(handle);
      if (found === undefined) continue;
      hits++;
      assert.equal(found, present.get(handle), context);
    } else {
      cache.delete(handle);
      present.delete(handle);
    }
  }
  assert.ok(hits > 2000, `${hits} hits, FAULTS_SEED=${random.seed}`);
});

test("a session is found with its present data, as the same object until the session or the data change", () => {
  const cache = new DataCache(1);
  const began = () => newSession("handle", START, ids({}), lifetimes);
  const [session, renewed] = [began(), began()];
  assert.equal(cache.getWith(session), undefined);
  cache.set("handle", "{}");
  const found = cache.getWith(session);
  assert.deepEqual(found, { session, data: "{}", isUsed: true });
  assert.equal(cache.getWith(session), found);
  const after = cache.getWith(renewed);
  assert.equal(after?.session, renewed);
  cache.set("handle", '{"a":1}');
  assert.equal(cache.getWith(renewed)?.data, '{"a":1}');
  assert.equal(cache.getWith(session)?.data, '{"a":1}');
  for (const name of ["another", "a third"]) cache.set(name, "x".repeat(1000));
  assert.equal(cache.getWith(session), undefined, "it has left the cache");
  cache.set("handle", "{}");
  assert.equal(cache.getWith(session)?.data, "{}");
  cache.delete("handle");
  assert.equal(cache.getWith(session), undefined);
});

test("data that are used stay in the cache while others come and go, and it does not grow beyond its size", () => {
  const cache = new DataCache(100);
  const data = "x".repeat(72);
  cache.set("used", data);
  for (let i = 0; i < 1000; i++) {
    cache.set(`once-${i}`, data);
    assert.equal(cache.get("used"), data);
  }
  const names = Array.from({ length: 1000 }, (_, i) => `once-${i}`);
  const found = names.filter((name) => cache.get(name) !== undefined);
  assert.ok(found.length >= 40 && found.length <= 100, `${found.length} of 100 entries of 200 characters`);
});

test("no data leave the cache as long as all of them fit", () => {
  const random = createRandom(runSeed());
  const cache = new DataCache(100);
  const names = Array.from({ length: 99 }, (_, i) => `session-${i}`);
  for (const name of names) cache.set(name, "x".repeat(72));
  for (let i = 0; i < 1000; i++) {
    const name = random.pick(names);
    if (random.next() < 0.5) cache.set(name, "y".repeat(72));
    else assert.ok(cache.get(name), `use ${i}, FAULTS_SEED=${random.seed}`);
  }
});
