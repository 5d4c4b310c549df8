// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { scripts } from "../../src/store/redis/scripts/scripts.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";

/*
 * The scripts by which notes are worked off, on a Redis: they get many entries at a time, some of them again, and in unusual
 * combinations that the tests of the whole store meet only by chance.
 */

let redis: SingleRedis;

before(async () => {
  redis = await startSingleRedis();
});
after(() => redis[Symbol.asyncDispose]());

type ScriptName = "addIdEntries" | "appendEvents";

function run(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
  return redis.node.command("EVAL", scripts[name].source, keys.length, ...keys, ...args);
}

const seed = Number(process.env["FAULTS_SEED"] ?? Date.now() % 1_000_000);
let state = seed;

/** Returns a random integer from 0 to `below` - 1 (a linear congruential generator). */
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

const many = (count: number) => Array.from({ length: count }, (_, i) => i);
const handleOf = (number: number) => `handle${String(number).padStart(18, "0")}`;

test("an index of ids has each handle once, whatever a batch repeats, and reports those that do not fit", async () => {
  console.log(`FAULTS_SEED=${seed}`);
  const maximum = 4;
  for (const erasedHandles of [[], [handleOf(3)]]) {
    const [index, erased] = [`index${erasedHandles.length}`, `erased${erasedHandles.length}`];
    for (const handle of erasedHandles) await redis.node.command("ZADD", erased, 0, handle);
    let earlier = new Map<string, string[]>();
    for (let batch = 0; batch < 100; batch++) {
      const given = many(1 + random(12)).map(() => ({
        field: `field${String(random(40)).padStart(4, "0")}`,
        handle: handleOf(random(10)),
      }));
      const text = given.map(({ field, handle }) => field + handle).join("");
      const full = (await run("addIdEntries", [index, erased], [60_000, maximum, text])) as number[];
      const now = await handlesIn(index);
      for (const [field, some] of Map.groupBy(given, (one) => one.field)) {
        const handles = some.map(({ handle }) => handle).filter((handle) => !erasedHandles.includes(handle));
        const wanted = new Set([...(earlier.get(field) ?? []), ...handles]);
        const stored = now.get(field) ?? [];
        assert.equal(stored.length, Math.min(maximum, wanted.size), "no handle twice, and none too many");
        assert.deepEqual(stored.slice(0, earlier.get(field)?.length ?? 0), earlier.get(field) ?? [], "none is lost");
        const reported = full.map((position) => given[position]).filter((one) => one?.field === field);
        assert.deepEqual(new Set([...stored, ...reported.map((one) => one?.handle)]), wanted);
      }
      earlier = now;
    }
    assert.ok(Number(await redis.node.command("PTTL", index)) > 0);
  }
});

/** Returns the handles of each id in an index. */
async function handlesIn(index: string): Promise<Map<string, string[]>> {
  const found = (await redis.node.command("HGETALL", index)) as string[];
  return new Map(
    many(found.length / 2).map((i) => [found[2 * i] as string, (found[2 * i + 1] as string).match(/.{24}/g) ?? []]),
  );
}

test("events of a note are appended once, by the numbers in its id", async () => {
  const keys = ["log", "log-state", "log-hidden"];
  const entry = (i: number) => `0,${handleOf(i)},5`;
  const append = (ids: readonly (readonly [queue: string, id: string])[], from: number) =>
    run("appendEvents", keys, [1, 60_000, ...ids.flatMap(([queue, id], i) => [queue, id, 0, entry(from + i)])]);
  // The times of the ids have different lengths, and of the same time the count decides.
  const first = [
    ["aa", "999-5"],
    ["bb", "1000-2"],
    ["aa", "1000-0"],
    ["bb", "1000-10"],
  ] as const;
  assert.equal(await append(first, 0), "1-3");
  assert.equal(await append(first, 0), "");
  assert.equal(
    await append(
      [
        ["bb", "1000-9"],
        ["bb", "1000-11"],
        ["aa", "1000-0"],
        ["aa", "1001-0"],
      ],
      4,
    ),
    "1-5",
  );
  assert.equal(
    await append(
      [
        ["bb", "999-99"],
        ["cc", "1-1"],
      ],
      8,
    ),
    "1-6",
  );
  const log = (await redis.node.command("XRANGE", "log", "-", "+")) as [id: string, fields: string[]][];
  assert.deepEqual(
    log.map(([, [, text]]) => text),
    [0, 1, 2, 3, 5, 7, 9].map(entry),
  );
});

test("the ids of events increase, also if a clock goes back or the log was emptied", async () => {
  const keys = ["ids", "ids-state", "ids-hidden"];
  let note = 0;
  const append = (now: number, count: number) =>
    run("appendEvents", keys, [
      now,
      60_000,
      "aa",
      `${++note}-0`,
      0,
      many(count)
        .map(() => "0,h,5")
        .join(";"),
    ]);
  const ids = async () => {
    const log = (await redis.node.command("XRANGE", "ids", "-", "+")) as [id: string][];
    return log.map(([id]) => id);
  };
  await append(5000, 3);
  await append(5000, 2);
  await append(4000, 1);
  assert.deepEqual(await ids(), ["5000-0", "5000-1", "5000-2", "5000-3", "5000-4", "5000-5"]);
  await redis.node.command("DEL", "ids");
  await append(3000, 2);
  assert.deepEqual(await ids(), ["5000-6", "5000-7"]);
  await append(6000, 2);
  assert.deepEqual((await ids()).slice(2), ["6000-0", "6000-1"]);
  assert.equal(await redis.node.command("HGET", "ids-state", "last"), "6000-1");
});
