import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  changeData,
  type DataChange,
  type DataText,
  MAX_DATA_BYTES,
  meets,
  NO_DATA,
  readData,
  tagOfData,
} from "../../src/session/data.ts";

const merge = (patch: string): DataChange => ({ kind: "merge", json: patch });
function merged(json: string, patch: string): string {
  const result = changeData(json, merge(patch), {});
  assert.equal(result.outcome, "changed");
  return (result as { json: string }).json;
}

function readText(text: string): DataText {
  return readData({ text, value: JSON.parse(text) });
}

/** Returns the faults in a text. */
function faultsOfData(text: string) {
  const read = readText(text);
  return "faults" in read ? read.faults : [];
}

test("a merge patch gives the results of RFC 7396, appendix A, for objects", () => {
  const examples: readonly [target: string, patch: string, result: string][] = [
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{"a":1}', '{"a":{"b":null}}', '{"a":{}}'],
    ["{}", '{"a":[null,{"b":null}]}', '{"a":[null,{"b":null}]}'],
  ];
  for (const [target, patch, result] of examples) assert.equal(merged(target, patch), result, patch);
});

test("names such as __proto__ are data like any other, and change no prototype", () => {
  const patch = '{"__proto__":{"isAdmin":true},"constructor":1,"":2,"toString":{"__proto__":3}}';
  assert.equal(merged(NO_DATA, patch), patch);
  assert.equal(
    merged(patch, '{"__proto__":{"other":1},"constructor":null}'),
    '{"__proto__":{"isAdmin":true,"other":1},"":2,"toString":{"__proto__":3}}',
  );
  assert.equal(merged(patch, '{"__proto__":null}'), '{"constructor":1,"":2,"toString":{"__proto__":3}}');
  assert.equal(Object.hasOwn(Object.prototype, "isAdmin"), false);
  assert.deepEqual(readText(patch), { json: patch });
  assert.deepEqual(readText('{ "b": 1.0, "__proto__" : "\\u0061" }'), { json: '{"b":1,"__proto__":"a"}' });
});

test("data that may be stored have no faults", () => {
  const deepest = `${'{"a":'.repeat(31)}[]${"}".repeat(31)}`;
  const examples = [
    NO_DATA,
    ' {\t"a" : [ 1 , -0 , 1.0, 0.1, 1e2, 1E-7, 123456789012345, 9007199254740992, 0.30000000000000004, 5e-324 ],\r\n "" : null } ',
    '{"a":{"a":{"a":1}},"b":{"a":2},"A":3,"\\u0061a":4}',
    '{"text":"\\ud83d\\ude00 é \\u0000 \\" \\\\ , : { } [ ] 1e400"}',
    '{"9007199254740993":"9007199254740993"}',
    deepest,
  ];
  for (const text of examples) assert.deepEqual(faultsOfData(text), [], text);
});

test("data that some programs would read in another way are refused, with the place of each fault", () => {
  const places = (text: string) => faultsOfData(text).map(({ place, detail }) => `${place} ${detail.slice(0, 24)}`);
  const number = "The number has more digi";
  const name = "The object has two membe";
  const half = "There is half a surrogat";
  assert.deepEqual(places('{"id":9007199254740993}'), [`/id ${number}`]);
  assert.deepEqual(places('{"a":[0,{"b/~":-0.1000000000000000055511151231257827}]}'), [`/a/1/b~1~0 ${number}`]);
  for (const each of ["1e400", "-1e400", "1e-400", "123456789012345678", "1.00000000000000000001", "4e-324"]) {
    assert.deepEqual(places(`{"n":${each}}`), [`/n ${number}`], each);
  }
  for (const each of ["123456789012345680", "1.0000000000000000000000", "1E+22", "0e999", "0.1e1", "100e-2"]) {
    assert.deepEqual(places(`{"n":${each}}`), [], each);
  }
  assert.deepEqual(places('{"a":1,"b":2,"a":3}'), [`/a ${name}`]);
  assert.deepEqual(places('{"x":{"a":1,"\\u0061":{}}}'), [`/x/a ${name}`]);
  assert.deepEqual(places('{"__proto__":1,"__proto__":2}'), [`/__proto__ ${name}`]);
  assert.deepEqual(places('{"a":"\\ud83d","\\ude00":1}'), [`/a ${half}`, `/\ufffd ${half}`]);
  assert.deepEqual(places('{"a":"\\ude00\\ud83d"}'), [`/a ${half}`]);
  for (const whole of ["[]", "null", "1", '"{}"', "true"]) {
    assert.deepEqual(places(whole), [" The data must be a JSON "], whole);
  }
  assert.equal(places(`{"a":[${"1e999,".repeat(50)}0]}`).length, 8, "many faults are not all listed");
});

test("more than 32 levels are refused", () => {
  const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  assert.deepEqual(faultsOfData(nested(32)), []);
  assert.deepEqual(
    faultsOfData(nested(33)).map(({ detail }) => detail),
    ["There are more than 32 objects and arrays within each other."],
  );
  const most = `{"a":${"[".repeat(8000)}${"]".repeat(8000)}}`;
  assert.equal(faultsOfData(most).length, 1);
});

test("data of exactly 16 KiB are stored, and one byte more is not", () => {
  const sized = (bytes: number) => `{"t":"${"é".repeat((bytes - 8) / 2)}"}`;
  const most = sized(MAX_DATA_BYTES);
  assert.equal(Buffer.byteLength(most), MAX_DATA_BYTES);
  assert.deepEqual(changeData(NO_DATA, { kind: "replace", json: most }, {}), { outcome: "changed", json: most });
  assert.deepEqual(changeData(NO_DATA, { kind: "replace", json: `${most} ` }, {}), { outcome: "too-large" });
  assert.deepEqual(changeData(most, merge('{"t":"","a":1e20}'), {}), {
    outcome: "changed",
    json: '{"t":"","a":100000000000000000000}',
  });
  assert.deepEqual(changeData(most, merge('{"a":1}'), {}), { outcome: "too-large" });
  const long = `{"n":[${Array.from({ length: 1000 }, () => "1e20").join()}]}`;
  assert.ok(long.length < MAX_DATA_BYTES);
  assert.deepEqual(changeData(NO_DATA, merge(long), {}), { outcome: "too-large" }, "counted as it is stored");
});

test("preconditions are met by strong tags, and the data of every session match *", () => {
  const tag = tagOfData('{"a":1}');
  assert.match(tag, /^[\w-]{22}$/);
  assert.notEqual(tag, tagOfData('{"a":2}'));
  const isMet = (preconditions: Parameters<typeof meets>[1]) => meets('{"a":1}', preconditions);
  assert.ok(isMet({}) && isMet({ ifMatch: "*" }) && isMet({ ifMatch: ["x", tag] }) && isMet({ ifNoneMatch: ["x"] }));
  assert.ok(!isMet({ ifMatch: [] }) && !isMet({ ifMatch: ["x"] }));
  assert.ok(
    !isMet({ ifNoneMatch: "*" }) && !isMet({ ifNoneMatch: [tag] }) && !isMet({ ifMatch: [tag], ifNoneMatch: [tag] }),
  );
  assert.deepEqual(changeData('{"a":1}', merge("{}"), { ifMatch: ["x"] }), { outcome: "precondition-failed" });
});

/** RFC 7396, section 2, as it is written there, with maps for objects. */
function reference(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const members = new Map<string, unknown>(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, reference(members.get(name), value));
  }
  return Object.fromEntries(members);
}

const names = fc.constantFrom("a", "b", "__proto__", "constructor", "toString", "", "7");
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small" }, fc.jsonValue({ maxDepth: 1 }), tie("object"), tie("list")),
  object: fc.array(fc.tuple(names, tie("value")), { maxLength: 4 }).map((members) => Object.fromEntries(members)),
  list: fc.array(tie("value"), { maxLength: 3 }),
}));
const object = fc.array(fc.tuple(names, json), { maxLength: 5 }).map((members) => Object.fromEntries(members));

test("random data are merged as RFC 7396 says, and read alike with and without spaces", () => {
  fc.assert(
    fc.property(object, object, (target, patch) => {
      const [before, change] = [JSON.stringify(target), JSON.stringify(patch)];
      assert.deepEqual(readText(JSON.stringify(patch, null, 1)), { json: change });
      assert.deepEqual(readText(change), { json: change });
      const expected = JSON.stringify(reference(JSON.parse(before), JSON.parse(change)));
      assert.deepEqual(changeData(before, merge(change), {}), { outcome: "changed", json: expected });
    }),
    { numRuns: 300 },
  );
});
