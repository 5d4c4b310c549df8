import * as fc from "fast-check";

/*
 * Generates JSON that is expensive to parse, because it is deeply nested or repetitive. The sizes range from an empty
 * body to the maximum, and fast-check shrinks a failing body to a small one.
 */

/** Maximum length of a generated text in characters: slightly more than the server accepts. */
const MOST = 17_000;

/** How often a text is repeated: mostly a few times, sometimes as often as it fits. */
const times = fc.oneof(
  { weight: 3, arbitrary: fc.nat(40) },
  { weight: 3, arbitrary: fc.nat(1200) },
  { weight: 1, arbitrary: fc.nat(MOST) },
);

const names = fc.constantFrom(
  ...["visitId", "globalVisitId", "attributes", "method", "path", "startedAt", "durationMs"],
  ...["__proto__", "constructor", "prototype", "toJSON", "then", "length", "0", ""],
);

/** Values that are not nested any further, some of them invalid. */
const leaves = fc.oneof(
  fc.constantFrom("null", "true", '""', "0", "-0", "{}", "[]", '"x"', "1e999", "-1e-999", "NaN", ""),
  repeated(fc.constantFrom("9", "0", "1e", "-", "0.")),
  repeated(fc.constantFrom("a", "\\u0000", "\\ud800", "\\\\", "\u00e9", "\u{1f600}", "\\")).map((text) => `"${text}"`),
  fc.string({ unit: "binary", maxLength: 40 }).map((text) => JSON.stringify(text)),
);

/** Nested arrays and objects with the right number of closing brackets, or too few or too many. */
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

/** Objects with many members of the same name. */
const repeating = fc
  .tuple(times, fc.array(fc.tuple(names, anything), { minLength: 1, maxLength: 3 }))
  .map(([count, members]) => {
    const texts = members.map(([name, text]) => `${JSON.stringify(name)}:${text},`);
    return repeat(texts.join(""), count);
  })
  .map((text) => `{${text.slice(0, -1)}}`);

/** Objects with many members, all of different names. */
const numerous = fc
  .tuple(times, names)
  .map(([count, name]) => Array.from({ length: count }, (_, i) => `"${name}${i}":${i}`).join())
  .map((text) => `{${text}}`);

/** Valid bodies with one additional member that is expensive to parse. */
const almostGood = fc
  .tuple(names, anything, fc.constantFrom('"globalVisitId":"g"', '"method":"GET","path":"/a","status":200'))
  .map(([name, text, good]) => `{${good},${JSON.stringify(name)}:${text}}`);

/** Long arrays that repeat one value. */
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

/** Repeats `text` up to `count` times, as long as the result has about `MOST` characters. */
function repeat(text: string, count: number): string {
  return text.repeat(Math.min(count, Math.ceil(MOST / Math.max(1, text.length))));
}

/** Generates bodies, cut off after `limit` bytes. */
export function heavyJson(limit: number): fc.Arbitrary<Buffer> {
  return fc
    .oneof(nested, repeating, numerous, almostGood, almostGood, lists, blanks)
    .map((text) => Buffer.from(text).subarray(0, limit));
}
