// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { faultOfId, faultOfStoredId, MAX_ID_CHARACTERS } from "../../src/session/caller-ids.ts";

const right = {
  "one character": "x",
  "256 characters": "x".repeat(256),
  "256 characters of two UTF-16 units each": "🦊".repeat(256),
  "letters with combining marks": "e\u0301".repeat(128),
  "spaces between words": "a  b c",
  "quotes, markup and a path": `"'<b>../%00;`,
  "a line separator, which is no control character": "a\u2028b",
  "a zero-width joiner": "👩\u200D🚀",
  "the words of JavaScript": "__proto__",
  "a space beyond Latin": "\u00A0",
};
for (const [name, value] of Object.entries(right)) {
  test(`an id may be ${name}`, () => assert.equal(faultOfId(value), undefined));
}

const wrong: Record<string, [string, RegExp]> = {
  "257 characters": ["x".repeat(257), /longer than 256 characters/],
  "257 characters of two units each": ["🦊".repeat(257), /longer than 256 characters/],
  "a million characters": ["x".repeat(1_000_000), /longer than 256 characters/],
  "a NUL": ["a\0b", /control character/],
  "a tab": ["a\tb", /control character/],
  "a line feed": ["a\n", /control character/],
  DEL: ["\x7F", /control character/],
  "a C1 control": ["a\u0085b", /control character/],
  "a space at its beginning": [" a", /begins or ends with a space/],
  "a space at its end": ["a ", /begins or ends with a space/],
  "a space": [" ", /begins or ends with a space/],
  "half a surrogate pair": ["a\uD83Eb", /well-formed/],
  "a surrogate pair the wrong way round": ["\uDD8A\uD83E", /well-formed/],
};
for (const [name, [value, fault]] of Object.entries(wrong)) {
  test(`an id may not be or contain ${name}`, () => assert.match(faultOfId(value) ?? "", fault));
}

test("a stored id may have spaces at its ends, but must be valid otherwise", () => {
  assert.equal(faultOfStoredId(" a "), undefined);
  for (const [value, fault] of Object.values(wrong)) {
    if (!/space/.test(fault.source)) assert.match(faultOfStoredId(value) ?? "", fault);
  }
});

test("an id is valid exactly if it has 1 to 256 well-formed characters, no control and no space at an end", () => {
  const unit = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 300 }));
  fc.assert(
    fc.property(unit, (value) => {
      const characters = Array.from(value);
      const control = characters.some((c) => {
        const code = c.codePointAt(0) ?? 0;
        return code < 0x20 || (code >= 0x7f && code < 0xa0);
      });
      const lone = characters.some((c) => c.length === 1 && /[\uD800-\uDFFF]/.test(c));
      const space = value !== "" && (characters[0] === " " || characters.at(-1) === " ");
      const good = characters.length <= MAX_ID_CHARACTERS && !control && !lone && !space;
      assert.equal(faultOfId(value) === undefined, good);
    }),
    { numRuns: 2000 },
  );
});
