// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { long } from "../../support/tier.ts";
import { exploreAll } from "./explore.ts";
import { type NoteGuards, type NoteSetting, noteWorkers } from "./notes.ts";

const guards: NoteGuards = { note: true, order: true, settle: true, mark: true, fence: true, last: true };
const mortal = { guards, deaths: 2, repetitions: 1 };

const settings: Readonly<Record<string, NoteSetting>> = {
  "two changes and a reader": { ...mortal, roles: [{ adds: 1 }, { adds: 2 }, "reader"] },
  "the same change twice, a reader and a sweep": { ...mortal, roles: [{ adds: 1 }, { adds: 1 }, "reader", "sweep"] },
  "two changes and an erasure": { ...mortal, roles: [{ adds: 1 }, { adds: 2 }, "eraser"] },
  "a change, a sweep and an erasure": { ...mortal, roles: [{ adds: 1 }, "sweep", "eraser"], repetitions: long ? 3 : 2 },
  "everything at once": {
    ...mortal,
    roles: [{ adds: 1 }, { adds: 2 }, "reader", "sweep", "eraser"],
    deaths: long ? 1 : 0,
    repetitions: long ? 1 : 0,
  },
};

for (const [name, setting] of Object.entries(settings)) {
  test(`in no order of events is a session missed, or found after its erasure: ${name}`, () => {
    const { states, steps, fault } = exploreAll(noteWorkers(setting));
    console.log(`${name}: ${states} states, ${steps} steps`);
    assert.equal(fault, undefined);
    assert.ok(states > 500, "too few states were explored");
  });
}

for (const guard of Object.keys(guards) as (keyof NoteGuards)[]) {
  test(`the exploration finds the fault if a guard is missing: ${guard}`, () => {
    const without = { ...guards, [guard]: false };
    const found = Object.values(settings)
      .values()
      .map((setting) => exploreAll(noteWorkers({ ...setting, guards: without })).fault)
      .find((fault) => fault !== undefined);
    console.log(`without ${guard}: ${found}`);
    assert.match(found ?? "", /neither a note nor an entry|has missed|is in the index|has a note/);
  });
}
