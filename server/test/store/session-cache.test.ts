// runs: once
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSession } from "../../src/session/lifetime.ts";
import { noIdentity, type Session } from "../../src/session/session.ts";
import { SessionCache } from "../../src/store/sqlite/serving/session-cache.ts";
import { createRandom, runSeed } from "../support/random.ts";

const lifetime = { idle: 1000, total: 1000 };
const lifetimes = { anonymous: lifetime, recognized: lifetime };
const session = (handle: string): Session => newSession(handle, 1, noIdentity, lifetimes);

test("the cache gives the present state of a session by its handle and by its last id, and nothing after a removal", () => {
  const random = createRandom(runSeed());
  const cache = new SessionCache(6);
  const handles = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const present = new Map<string, Session>();
  const ids = new Map<string, string>();
  for (let step = 1; step <= 20_000; step++) {
    const context = `step ${step}, FAULTS_SEED=${random.seed}`;
    const handle = random.pick(handles);
    const id = `${handle}${random.between(0, 2)}`;
    switch (random.between(0, 4)) {
      case 0: {
        const next = { ...session(handle), generation: step };
        if (present.has(handle)) cache.set(handle, next);
        else cache.add(next);
        present.set(handle, next);
        break;
      }
      case 1: {
        const opened = cache.open(handle, id);
        if (opened !== undefined) ids.set(handle, id);
        assert.equal(opened ?? present.get(handle), present.get(handle), context);
        break;
      }
      case 2: {
        const found = cache.getById(id);
        if (found === undefined) break;
        assert.equal(found, present.get(handle), context);
        assert.equal(id, ids.get(handle), context);
        break;
      }
      case 3: {
        const found = cache.get(handle);
        if (found !== undefined) assert.equal(found, present.get(handle), context);
        break;
      }
      default:
        if (random.between(0, 3) > 0) break;
        cache.delete(handle);
        present.delete(handle);
        ids.delete(handle);
    }
  }
});

test("sessions that are used by their ids stay in the cache while others come and go", () => {
  const cache = new SessionCache(8);
  cache.set("used", session("used"));
  cache.set("unused", session("unused"));
  cache.open("used", "id of used");
  cache.open("unused", "id of unused");
  for (let i = 0; i < 100; i++) {
    cache.set(`other ${i}`, session(`other ${i}`));
    assert.equal(cache.getById("id of used")?.handle, "used");
  }
  assert.equal(cache.get("used")?.handle, "used");
  assert.equal(cache.getById("id of unused"), undefined);
});
