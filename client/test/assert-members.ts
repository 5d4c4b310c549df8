import assert from "node:assert/strict";

/** Fails unless `actual` has all members of `expected`. The oldest Node has no `assert.partialDeepStrictEqual`. */
export function assertMembers(actual: object | null | undefined, expected: object): void {
  const found = Object.fromEntries(Object.entries(actual ?? {}).filter(([name]) => name in expected));
  assert.deepEqual(found, { ...expected });
}
