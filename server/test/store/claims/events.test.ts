// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { long } from "../../support/tier.ts";
import { type EventGuards, type EventSetting, eventWorkers } from "./events.ts";
import { exploreAll } from "./explore.ts";

const guards: EventGuards = { note: true, head: true, mark: true, order: true, sequence: true };
const mortal = { guards, deaths: 2, repetitions: 1 };

const settings: Readonly<Record<string, EventSetting>> = {
  "two changes and a sweep": { ...mortal, roles: ["changer", "changer", "sweep"] },
  "three changes": { ...mortal, roles: ["changer", "changer", "changer"], deaths: long ? 2 : 1 },
};

for (const [name, setting] of Object.entries(settings)) {
  test(`in no order of steps is an event lost, repeated or out of order: ${name}`, () => {
    const { states, steps, fault } = exploreAll(eventWorkers(setting));
    console.log(`${name}: ${states} states, ${steps} steps`);
    assert.equal(fault, undefined);
    assert.ok(states > 500, "too few states were explored");
  });
}

for (const guard of Object.keys(guards) as (keyof EventGuards)[]) {
  test(`the exploration finds the fault if a guard is missing: ${guard}`, () => {
    const without = { ...guards, [guard]: false };
    const found = Object.values(settings)
      .values()
      .map((setting) => exploreAll(eventWorkers({ ...setting, guards: without })).fault)
      .find((fault) => fault !== undefined);
    console.log(`without ${guard}: ${found}`);
    assert.match(found ?? "", /twice|out of order|neither a note nor an event|never be appended/);
  });
}
