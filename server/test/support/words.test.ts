// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { wordsIn } from "../../../scripts/words.mjs";

const places = (file: string, text: string) => wordsIn(file, text).map((report) => report.split('"; ')[0]);

test("words that have a plainer one are found in comments, test names, scripts and documents", () => {
  const source = [
    "/** What there is. */",
    "const told = 1; // as it was told",
    'test("it lets go of what is over", run);',
    "/*",
    " * Reads everything.",
    " * What follows is kept.",
    " */",
  ].join("\n");
  assert.deepEqual(places("a.ts", source), ['a.ts:1: "What', 'a.ts:2: "told', 'a.ts:3: "lets go']);
  assert.deepEqual(places("a.lua", "-- all but for one\nlocal told = 1"), ['a.lua:1: "but for']);
  assert.deepEqual(places("a.md", "The rest.\n\nIt is at hand."), ['a.md:3: "at hand']);
});

test("code, and words between backticks, are not checked", () => {
  const document = "Write `told` as it is.\n\n```sh\ntell nobody\n```\n\nHe is told.";
  assert.deepEqual(places("a.md", document), ['a.md:7: "told']);
  assert.deepEqual(places("a.ts", "const told = asked; // returns `told`"), []);
  assert.deepEqual(places("a.yaml", "told: true"), []);
});
