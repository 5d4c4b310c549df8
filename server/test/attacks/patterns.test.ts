import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folders = ["server/src", "client/src", "console/src", "packages/http1/src", "examples/help-centre"];

/** Maximum length of a header, path or body, in bytes. */
const LENGTH = 16 * 1024;
/** How much slower a pattern may be than one that reads each character once. */
const FACTOR = 1000;

interface Pattern {
  readonly file: string;
  readonly pattern: RegExp;
}

/** Every regular expression in the sources. */
const patterns: Pattern[] = folders
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  .filter((file) => /\.m?[jt]s$/.test(file) && !/node_modules|\.test\.ts$/.test(file))
  .flatMap(patternsOf);

function patternsOf(file: string): Pattern[] {
  const code = readFileSync(join(root, file), "utf8").replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
  const literals =
    /(?<=[=(,:!&|?{};[]\s*|return\s+|^\s*)\/(?!\*)((?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/gm;
  return [...code.matchAll(literals)].map(([, source = "", flags = ""]) => ({
    file,
    pattern: new RegExp(source, flags.replaceAll(/[gy]/g, "")),
  }));
}

/** Returns texts that are likely to make a pattern slow if they are repeated: characters of it, and common ones. */
function pumpsOf({ source }: RegExp): string[] {
  const literals = [...source.replaceAll(/\\[dwsDWSbBpP](?:\{[^}]*\})?/g, " ")];
  const usual = ["a", "0", " ", "\t", "-", ".", ",", ";", ":", "/", "=", '"', "[", "%41", "\u00e9"];
  const single = [...new Set([...literals, ...usual])];
  const pairs = [" ,", "a.", "0.", '="', ",a", "; ", "a=", "[:", ":0", "//", "a-", "%4", '""', "a "];
  return [...single, ...pairs];
}

/** Returns the CPU time of this process in ms, which does not depend on the load of the machine. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Returns the shortest time (ms) of up to ten attempts, and stops as soon as one takes less than `enough`. */
function fastest(pattern: RegExp, text: string, enough: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 10 && least >= enough; attempt++) {
    const startedAt = processorTime();
    pattern.exec(text);
    least = Math.min(least, processorTime() - startedAt);
  }
  return least;
}

/** Returns the time (ms) of a pattern that reads each character of the longest text once. */
function timeOfOneReading(): number {
  const text = "a".repeat(LENGTH);
  const startedAt = processorTime();
  for (let i = 0; i < 200; i++) /^[^!]*!$/.exec(text);
  return (processorTime() - startedAt) / 200;
}

/** Maximum time of a pattern in ms. */
const LIMIT = FACTOR * Math.max(timeOfOneReading(), 0.01);

test("the regular expressions in the source files are found", () => {
  assert.ok(patterns.length > 40, `${patterns.length} are`);
  for (const name of ["idempotency", "client-address", "values", "api-key-auth", "session-ids"]) {
    assert.ok(
      patterns.some(({ file }) => file.includes(name)),
      name,
    );
  }
});

test("control: a pattern that is known to be slow is detected", () => {
  assert.ok(pumpsOf(/^(a+)+$/).some((pump) => fastest(/^(a+)+$/, `${pump.repeat(23)}!`, LIMIT) > LIMIT));
});

/** Beginnings of the texts. Each leads to another part of a pattern, which then reads the repetition. */
const starts = ["", "Bearer ", "for=", '"', "/", "http://", "[", "a=", "1"];
const ends = ["", "\u0000", "!"];

/** Describes a text for which the pattern takes too long, or returns `undefined` if none was found. */
function slowest({ file, pattern }: Pattern): string | undefined {
  for (const pump of pumpsOf(pattern)) {
    const repeated = pump.repeat(LENGTH / pump.length);
    for (const text of starts.flatMap((start) => ends.map((end) => start + repeated + end))) {
      const taken = fastest(pattern, text, LIMIT);
      if (taken < LIMIT) continue;
      return `${file}: ${pattern} takes ${taken.toFixed(0)} ms for ${text.slice(0, 20)}…`;
    }
  }
  return undefined;
}

test(`no pattern needs ${FACTOR} times as long for ${LENGTH} characters as reading each of them once`, () => {
  assert.deepEqual(patterns.map(slowest).filter(Boolean), []);
});
