import assert from "node:assert/strict";
import { test } from "node:test";
import { Attached } from "../src/attached.ts";

test("a value that is attached to an object is found again, and is no part of the object's data", () => {
  const [one, other] = [new Attached<number>(), new Attached<number>()];
  const object = { a: 1 };
  assert.equal(one.get(object), undefined);
  one.set(object, 1);
  one.set(object, 2);
  other.set(object, 3);
  assert.deepEqual([one.get(object), other.get(object)], [2, 3]);
  one.set(object, undefined);
  assert.equal(one.get(object), undefined);
  assert.deepEqual(object, { a: 1 });
  assert.equal(JSON.stringify(object), '{"a":1}');
  assert.deepEqual(Reflect.ownKeys({ ...object }), ["a"]);
  assert.equal(other.get(Object.assign({}, object)), undefined);
});
