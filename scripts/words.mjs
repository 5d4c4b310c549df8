// npm run check:words: comments, test names and documentation must be in plain words (CONTRIBUTING.md, "Plain words").
// Prints each place with a word that has a plainer one. A place that needs the word has it between backticks: that is
// code, or a word that is spoken of, and is not checked.
//
//   npm run check:words -- server/test docs     only these folders and files
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Words, and what to write instead. @type {readonly [words: RegExp, instead: string][]} */
const rules = [
  [/\bin the place of\b/i, "instead of"],
  [/\btakes? the place of\b/i, "replaces"],
  [/\blet(?:s|ting)? go\b/i, "remove, free, drop"],
  [/\bbut for\b/i, "except"],
  [/\bas good as\b/i, "treated as"],
  [/\bthe how\b|\bmanieth\b/i, "ordinal, position"],
  [/\b(?:what|which) [^.;:]{0,40}\bcame (?:to|of)\b/i, "result of"],
  [/\bat hand\b/i, "cached"],
  [/\bof late\b/i, "recently"],
  [/\bso (?:many|few)\b|\bso long\b(?! as\b)/i, "a number with a name, such as `count`"],
  [/\bat the most\b/i, "at most"],
  [/\btold\b|\btell(?:s|ing)?\b/i, "return, report, show, say"],
  [/\bgo(?:es|ing)? on(?! to\b)/i, "continue"],
  [/\brises? (?:again|from the dead)\b/i, "is live again"],
  [/\bwho(?:m|se)?ever\b|\bnobody whom\b/i, "any, that nobody may"],
  [/\bvouch(?:es|ed|ing|er)?\b/i, "assert; trusted proxy"],
  [/\b(?:there|here|where)(?:of|in|upon)\b|\bhitherto\b|\bhenceforth\b/i, "of it, in it"],
];

/** The beginning of a comment that is neither a noun nor a verb. */
const RIDDLE = /^(?:What|Who|Whose|That)\b/;

/** Files that are not checked: the history of the project, this list of words, and its test. */
const unchecked = new Set(["CHANGELOG.md", "scripts/words.mjs", "server/test/support/words.test.ts"]);

/** Comments and names of tests, by the kind of file. @type {Readonly<Record<string, RegExp>>} */
const prose = {
  md: /^(.*)$/,
  lua: /--(.*)/,
  sql: /--(.*)/,
  c: /^\s*(?:\/\*+|\*|\/\/)(.*)/,
  ts: /(?:^|\s)(?:\/\/|\/\*+|^\s*\*)(.*)|\btest\(\s*["'`](.*)|^\s*["'`](.*)["'`],$/,
  mjs: /(?:^|\s)(?:\/\/|\/\*+|^\s*\*)(.*)|\btest\(\s*["'`](.*)/,
};

/**
 * Returns the words to replace in a file, each as a line of the report.
 * @param {string} file
 * @param {string} text
 */
export function wordsIn(file, text) {
  const pattern = prose[file.split(".").at(-1) ?? ""];
  if (pattern === undefined) return [];
  const lines = (file.endsWith(".md") ? withoutCodeBlocks(text) : text).split("\n");
  return lines.flatMap((line, index) => {
    const found = pattern.exec(line)?.slice(1).find(Boolean) ?? "";
    const words = found.replaceAll(/`[^`]*`/g, "`").trim();
    const reports = rules.flatMap(([rule, instead]) => {
      const word = rule.exec(words)?.[0];
      return word === undefined ? [] : [`"${word.trim()}"; write: ${instead}`];
    });
    const [riddle] = RIDDLE.exec(words) ?? [];
    if (riddle !== undefined && beginsComment(line, lines[index - 1] ?? "")) {
      reports.push(`"${riddle}"; begin with what it is (a noun) or does (a verb)`);
    }
    return reports.map((report) => `${file}:${index + 1}: ${report}`);
  });
}

/** @param {string} line @param {string} previous */
function beginsComment(line, previous) {
  if (/^\s*\/\*/.test(line)) return true;
  if (/^\s*\/\//.test(line)) return !/^\s*\/\//.test(previous);
  return /^\s*\*/.test(line) && /^\s*\/\*+\s*$/.test(previous);
}

/** Keeps the line numbers. @param {string} text */
function withoutCodeBlocks(text) {
  return text.replaceAll(/^ *(```|~~~)[\s\S]*?^ *\1/gm, (code) => code.replaceAll(/[^\n]+/g, ""));
}

function check() {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"];
  const listed = execFileSync("git", [...args, ...process.argv.slice(2)], { cwd: root });
  const files = listed
    .toString()
    .split("\0")
    .filter((file) => file !== "" && !unchecked.has(file) && existsSync(join(root, file)));
  const reports = files.flatMap((file) => wordsIn(file, readFileSync(join(root, file), "utf8")));
  for (const report of reports) console.log(report);
  if (reports.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) check();
