// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom, runSeed } from "../../support/random.ts";
import { long, sized } from "../../support/tier.ts";
import { exploreAll, exploreAtRandom } from "./explore.ts";
import type { Guards } from "./slots.ts";
import { contention, type Setting, type Wish } from "./world.ts";

const RUNS = sized(1000, 1000, 200_000);

const guards: Guards = {
  fence: true,
  compare: true,
  nonce: true,
  refusal: true,
  holding: true,
  combinedFence: true,
  replacing: true,
  moving: true,
  fenceForAll: true,
  generation: true,
  recognition: true,
};
const patient = { guards, deaths: 2, repetitions: 1, time: 2 };

const two: Wish[] = [{ handle: "s" }, { handle: "t" }];
const ending: Wish[] = [...two, { handle: "s", ends: true }];
/** Three requests for the visit. Two of them are for the same session, which can have only one customer. */
const shared: Wish[] = [{ handle: "s", customer: "c" }, { handle: "s", customer: "d" }, { handle: "t" }];

/** Two requests for one session. Both rotate its id, so only one of them can succeed. */
const rotating: Wish[] = [{ handle: "s", rotates: true }, { handle: "s", rotates: true }, { handle: "t" }];
/** A request that rotates may lose to another session, which then ends. Then its session gets the visit after all. */
const returning: Wish[] = [
  { handle: "s", rotates: true },
  { handle: "s" },
  { handle: "t" },
  { handle: "t", ends: true },
];

/** Makes the wishes use the combined script of a single Redis. One that finds a claim continues as on a cluster. */
const combined = (wishes: readonly Wish[]) => wishes.map((wish) => ({ ...wish, isCombined: true }));
/** On a cluster a session that is created with the visit gets it by the combined script, any other step by step. */
const created: Wish[] = [{ handle: "s", isCombined: true }, { handle: "t" }, { handle: "s", ends: true }];
/** Contenders for the visit of a session whose claim has been moved from an old key name. */
const succeeding: Wish[] = [{ handle: "s", ends: true }, { handle: "t", isCombined: true }, { handle: "u" }];
const mixed: Wish[] = [{ handle: "s" }, { handle: "s", isCombined: true }, { handle: "t", isCombined: true }];

/** Settings small enough to explore every order of events. The long form of the test has larger ones. */
const settings: Readonly<Record<string, Setting>> = {
  "two sessions": { ...patient, wishes: two, repetitions: long ? 2 : 1, time: long ? 3 : 2 },
  "two sessions, one of which is ended": {
    ...patient,
    wishes: ending,
    deaths: long ? 3 : 1,
    repetitions: long ? 1 : 0,
  },
  "two requests for one session, one for another": {
    ...patient,
    wishes: shared,
    deaths: long ? 2 : 1,
    repetitions: long ? 1 : 0,
  },
  "two requests for one session, which refuses the first": {
    ...patient,
    wishes: shared,
    customer: "d",
    deaths: long ? 2 : 1,
    repetitions: long ? 1 : 0,
  },
  "three sessions": {
    ...patient,
    wishes: [...two, { handle: "u" }],
    deaths: long ? 2 : 1,
    repetitions: 0,
    time: long ? 3 : 2,
  },
  "combined: two sessions, one of which is ended": {
    ...patient,
    wishes: combined(ending),
    deaths: long ? 3 : 1,
  },
  "combined: two requests for one session, one for another": {
    ...patient,
    wishes: combined(shared),
    deaths: 1,
    repetitions: long ? 2 : 1,
  },
  "on a cluster: created with the visit, step by step, and one that is ended": {
    ...patient,
    wishes: created,
    deaths: long ? 2 : 1,
  },
  "a claim that is moved from its old key name twice": {
    ...patient,
    wishes: [...succeeding, { handle: "t", ends: true }],
    moved: { isHeld: true },
    deaths: long ? 2 : 1,
    repetitions: long ? 1 : 0,
  },
  "the claim of a dead process that is moved from its old key name twice": {
    ...patient,
    wishes: [...succeeding, { handle: "t", ends: true }],
    moved: { isHeld: false },
    deaths: long ? 1 : 0,
    repetitions: long ? 1 : 0,
  },
  "combined and step by step": { ...patient, wishes: mixed, deaths: 1 },
  "combined and step by step, with customers": {
    ...patient,
    wishes: shared.map((wish, i) => ({ ...wish, isCombined: i > 0 })),
    deaths: 1,
    repetitions: long ? 1 : 0,
  },
  "two requests that rotate the id of one session": {
    ...patient,
    wishes: rotating,
    deaths: long ? 1 : 0,
    time: long ? 2 : 1,
  },
  "a request that rotates, and one that does not": {
    ...patient,
    wishes: returning,
    deaths: 0,
    repetitions: long ? 1 : 0,
    time: long ? 2 : 1,
  },
  "combined: two requests that rotate the id of one session": {
    ...patient,
    wishes: combined(rotating),
    deaths: 1,
    repetitions: long ? 2 : 1,
  },
  "combined: a request that rotates, and one that does not": {
    ...patient,
    wishes: combined(returning),
    deaths: 1,
    repetitions: long ? 2 : 1,
  },
};

for (const [name, setting] of Object.entries(settings)) {
  test(`no order of events gives one visit to two sessions: ${name}`, () => {
    const { states, steps, fault } = exploreAll(contention(setting));
    console.log(`${name}: ${states} states, ${steps} steps`);
    assert.equal(fault, undefined);
    assert.ok(states > 1000, "too few states were explored");
  });
}

test(`none of ${RUNS} random orders of more events gives one visit to two sessions`, () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  const others = [{ handle: "t", customer: "c" }, { handle: "u" }, { handle: "s", ends: true }];
  const wishes = [...shared, ...others, ...rotating, ...combined(returning)];
  const setting = { ...patient, wishes, deaths: 3, repetitions: 3, time: 6 };
  const { states, steps, fault } = exploreAtRandom(contention(setting), random, RUNS);
  console.log(`${states} states, ${steps} steps`);
  assert.equal(fault, undefined);
});

for (const guard of Object.keys(guards) as (keyof Guards)[]) {
  test(`the exploration finds the fault if a guard is missing: ${guard}`, () => {
    const without = { ...guards, [guard]: false };
    const setting = { ...patient, wishes: shared, deaths: 1, repetitions: 0, guards: without };
    const withCopies = [ending, rotating, returning].map((wishes) => ({ wishes: combined(wishes), repetitions: 1 }));
    const withMove = { wishes: succeeding, moved: { isHeld: true } };
    const found = [{}, { customer: "d" }, { wishes: mixed }, withMove, ...withCopies].map(
      (more) => exploreAll(contention({ ...setting, ...more })).fault,
    );
    console.log(`without ${guard}: ${found.find((fault) => fault !== undefined)}`);
    assert.match(found.join(""), /hold the visit|has to wait|all its requests|was rotated twice|it was refused/);
  });
}
