// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { readEntityTags } from "../../src/http/parse/entity-tags.ts";

/** Values of `If-Match` and `If-None-Match`, and the tags in them: weak ones with `W/` in front. */
const lists: readonly [header: string, tags: readonly string[]][] = [
  ['"a"', ["a"]],
  ['""', [""]],
  ['W/"a"', ["W/a"]],
  ['"a", W/"b",\t"c"', ["a", "W/b", "c"]],
  ['"a","b"', ["a", "b"]],
  ['  "a"\t', ["a"]],
  // RFC 9110, section 8.8.3: any visible character except the quote, and no escapes.
  ['"a,b"', ["a,b"]],
  ['","', [","]],
  ['",", "a,,b" ,W/","', [",", "a,,b", "W/,"]],
  ['"a\\"', ["a\\"]],
  ['"a\\", "b"', ["a\\", "b"]],
  ['"W/"', ["W/"]],
  ['"*"', ["*"]],
  ['"\u00e9\u00ff"', ["\u00e9\u00ff"]],
  // RFC 9110, section 5.6.1.2: empty elements.
  ['"a",,"b"', ["a", "b"]],
  [',"a" , ,', ["a"]],
];

for (const [header, tags] of lists) {
  test(`entity tags: ${header}`, () => {
    const read = readEntityTags(header);
    assert.ok(typeof read === "object");
    assert.deepEqual(
      read.map(({ opaque, isWeak }) => (isWeak ? `W/${opaque}` : opaque)),
      tags,
    );
  });
}

test("entity tags: * stands alone", () => {
  assert.equal(readEntityTags(" * "), "*");
  for (const header of ['*, "a"', '"a", *', "**"]) assert.equal(readEntityTags(header), undefined, header);
});

const malformed = [
  "",
  " ",
  ",",
  "a",
  'a"',
  '"a',
  '"a" "b"',
  '"a""b"',
  '"a b"',
  '"a"b',
  'w/"a"',
  'W/ "a"',
  "W/",
  '"a";',
  '"\x7f"',
];

test("malformed entity tags are refused", () => {
  for (const header of malformed) assert.equal(readEntityTags(header), undefined, header);
});

test("a list may have 64 elements, the empty ones included", () => {
  for (const element of ['"a"', '","', ""]) {
    const header = (count: number) => ['"x"', ...Array.from({ length: count - 1 }, () => element)].join();
    assert.ok(readEntityTags(header(64)));
    assert.equal(readEntityTags(header(65)), undefined);
  }
});
