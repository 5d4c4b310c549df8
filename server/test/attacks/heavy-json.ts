import * as fc from "fast-check";

/*
 * JSON that is expensive to parse: deeply nested, or repetitive. Sizes increase in steps from nothing to a full body,
 * so that few runs cover all of them, and a failure shrinks to a small one.
 */

/** The longest repetition, in characters: a little more than a body may have. */
const MOST = 17_000;

/** Numbers of repetitions: mostly few, sometimes as many as fit. */
const times = fc.oneof(
  { weight: 3, arbitrary: fc.nat(40) },
  { weight: 3, arbitrary: fc.nat(1200) },
  { weight: 1, arbitrary: fc.nat(MOST) },
);

const names = fc.constantFrom(
  ...["visitId", "globalVisitId", "attributes", "method", "path", "startedAt", "durationMs"],
  ...["__proto__", "constructor", "prototype", "toJSON", "then", "length", "0", ""],
);

/** Values without members. */
const leaves = fc.oneof(
  fc.constantFrom("null", "true", '""', "0", "-0", "{}", "[]", '"x"', "1e999", "-1e-999", "NaN", ""),
  repeated(fc.constantFrom("9", "0", "1e", "-", "0.")),
  repeated(fc.constantFrom("a", "\\u0000", "\\ud800", "\\\\", "\u00e9", "\u{1f600}", "\\")).map((text) => `"${text}"`),
  fc.string({ unit: "binary", maxLength: 40 }).map((text) => JSON.stringify(text)),
);

/** Nested brackets, closed correctly, or with some too few or too many. */
const nested = fc
  .tuple(times, fc.array(names, { minLength: 1, maxLength: 3 }), leaves, fc.nat(2), fc.nat(8))
  .map(([depth, members, leaf, kind, off]) => {
    const opening = members.map((name) => `{${JSON.stringify(name)}:`).join("");
    const [open = "", close = ""] = [
      ["[", "]"],
      [opening, "}".repeat(members.length)],
      [`[${opening}`, `${"}".repeat(members.length)}]`],
    ][kind] as string[];
    const closed = depth + (off === 0 ? -1 : off === 1 ? 1 : 0);
    return repeat(open, depth) + leaf + repeat(close, Math.max(0, closed));
  });

const anything = fc.oneof(leaves, nested);

/** Objects with many members of the same names and different values. */
const repeating = fc
  .tuple(times, fc.array(fc.tuple(names, anything), { minLength: 1, maxLength: 3 }))
  .map(([count, members]) => {
    const texts = members.map(([name, text]) => `${JSON.stringify(name)}:${text},`);
    return repeat(texts.join(""), count);
  })
  .map((text) => `{${text.slice(0, -1)}}`);

/** Objects with many members of different names. */
const numerous = fc
  .tuple(times, names)
  .map(([count, name]) => Array.from({ length: count }, (_, i) => `"${name}${i}":${i}`).join())
  .map((text) => `{${text}}`);

/** Valid objects with one additional, expensive member. */
const almostGood = fc
  .tuple(names, anything, fc.constantFrom('"globalVisitId":"g"', '"method":"GET","path":"/a","status":200'))
  .map(([name, text, good]) => `{${good},${JSON.stringify(name)}:${text}}`);

/** Long arrays of one value. */
const lists = fc
  .tuple(times, fc.oneof(leaves, almostGood), fc.constantFrom(",", ", ", ",\n\t", ",,"))
  .map(([count, one, comma]) => `[${repeat(one + comma, count)}${one}]`);

/** Valid bodies with much white space around them. */
const blanks = fc
  .tuple(times, fc.constantFrom(" ", "\t", "\r\n"), almostGood)
  .map(([count, blank, text]) => repeat(blank, count) + text + repeat(blank, count));

function repeated(part: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(part, times).map(([text, count]) => repeat(text, count));
}

/** Repeats the text `count` times, or as often as it fits. */
function repeat(text: string, count: number): string {
  return text.repeat(Math.min(count, Math.ceil(MOST / Math.max(1, text.length))));
}

/** Bodies of up to `limit` bytes; one that would be longer is cut there. */
export function heavyJson(limit: number): fc.Arbitrary<Buffer> {
  return fc
    .oneof(nested, repeating, numerous, almostGood, almostGood, lists, blanks)
    .map((text) => Buffer.from(text).subarray(0, limit));
}
