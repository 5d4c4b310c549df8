import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyChanges, changesBetween, type JsonObject, mergePatchOf } from "../../src/stores/data-changes.ts";

/** Applies a merge patch as RFC 7396, section 2, describes it. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const members = new Map(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, merge(members.get(name), value));
  }
  return Object.fromEntries(members);
}

const names = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "toString");
const { object } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, 1.5, "", "x"),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(names, tie("value"), { maxKeys: 4, noNullPrototype: true }),
}));
const json = object.map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);

test("the changes between any two objects turn the first into the second", () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      const changes = changesBetween(before, after);
      assert.deepEqual(applyChanges(before, changes), after);
      const patch = mergePatchOf(changes);
      if (patch !== undefined) assert.deepEqual(merge(before, patch), after);
      else assert.match(JSON.stringify(after), /null/);
      assert.equal(changesBetween(after, after).size, 0);
      assert.equal(Object.hasOwn(Object.prototype, "a"), false);
    }),
    { numRuns: 2000 },
  );
});

test("changes of different members, also of inner objects, do not undo each other in any order", () => {
  const before = { cart: { apples: 1, pears: 2 }, step: 1, old: true };
  const one = changesBetween(before, { cart: { apples: 5, pears: 2 }, step: 1, old: true });
  const two = changesBetween(before, { cart: { apples: 1, plums: 3 }, step: 2 });
  const both = { cart: { apples: 5, plums: 3 }, step: 2 };
  for (const [first, second] of [
    [one, two],
    [two, one],
  ] as const) {
    assert.deepEqual(applyChanges(applyChanges(before, first), second), both);
    assert.deepEqual(merge(merge(before, mergePatchOf(first)), mergePatchOf(second)), both);
  }
});

test("a new null needs no merge patch, which would remove the member", () => {
  assert.equal(mergePatchOf(changesBetween({ user: 1 }, { user: null })), undefined);
  assert.equal(mergePatchOf(changesBetween({}, { cart: { coupon: null } })), undefined);
  assert.deepEqual(mergePatchOf(changesBetween({ user: null }, { user: null, a: 1 })), { a: 1 });
  assert.deepEqual(mergePatchOf(changesBetween({}, { list: [null, { a: null }] })), { list: [null, { a: null }] });
  assert.deepEqual(mergePatchOf(changesBetween({ user: null }, {})), { user: null });
});
