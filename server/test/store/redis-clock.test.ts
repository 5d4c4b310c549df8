// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { DAY, MINUTE, SECOND } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";

/*
 * A wrong clock affects only its own machine: the server there logs an error, and no other process takes over its time.
 */

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis();
});
after(async () => {
  await redis[Symbol.asyncDispose]();
});

function over(redisPrefix: string) {
  return { store: parseStoreUrl(redis.url) as StoreUrl, redisPrefix };
}

const floorOf = async (prefix: string) => Number(await redis.node.command("HGET", `${prefix}{fixed}state`, "floor"));

test("a server whose clock jumps ahead logs an error, and others keep their own time", async () => {
  await using right = await serve({ config: over("jump:") });
  await using wrong = await serve({ config: over("jump:") });
  const { sessionId } = sessionOf(await createApi(right.url).create());
  wrong.step(DAY);
  sessionOf(await createApi(wrong.url).create({ headers: { gkc_customerId: "c" } }));
  await eventually(async () => assert.match(wrong.log(), /clock of this machine is 86[34]\d\d s ahead/));
  // The time of `wrong` stays ahead, but no other process takes it over, neither now nor when that process starts.
  wrong.step(-DAY);
  const stillAhead = /are in step again, but this server is still \d+ s ahead: restart it/;
  await eventually(async () => assert.match(wrong.log(), stillAhead));
  sessionOf(await createApi(wrong.url).create({ headers: { gkc_customerId: "d" } }));
  await wrong.restart();
  await right.restart();
  assert.ok((await floorOf("jump:")) < Date.now() + MINUTE);
  assert.doesNotMatch(right.log(), /clock of this machine/);
  for (const { url } of [right, wrong]) {
    const found = sessionOf(await createApi(url).retrieve(sessionId));
    assert.equal(found.sessionId, sessionId, "still live");
    const made = sessionOf(await createApi(url).create());
    assert.ok(Math.abs(Date.parse(made.createdAt) - Date.now()) < MINUTE);
  }
});

test("a server that starts with a wrong clock logs an error, and a new store does not start ahead", async () => {
  // The difference that is found has the time in which the machine stands still between two looks at the clocks.
  for (const [prefix, difference, notice] of [
    ["ahead:", 3 * MINUTE, /clock of this machine is 1[678]\d s ahead of/],
    ["behind:", -3 * MINUTE, /clock of this machine is 1[678]\d s behind/],
    ["near:", 50 * SECOND, undefined],
  ] as const) {
    const notices: string[] = [];
    const wall = () => Date.now() + difference;
    const events = {
      ...unheard,
      noticed: (_level: string, text: string) => void notices.push(text),
    };
    const store = await openRedisAt(redis.url, { prefix, now: wall(), wall, events });
    await store.advanceClock(wall());
    await store.close();
    if (notice === undefined) assert.deepEqual(notices, []);
    else assert.match(String(notices), notice);
    assert.ok((await floorOf(prefix)) <= Date.now() + MINUTE);
  }
});
