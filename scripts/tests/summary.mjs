// Reads the counts and the failed tests from the output of Node's and Bun's test runners.

/**
 * @typedef {object} Failure
 * @property {string} name name of the test, or of a file that could not be loaded
 * @property {string} file
 * @property {string[]} error the first lines of the error
 */

/**
 * @typedef {object} Summary
 * @property {number} passed
 * @property {number} failed includes tests that were interrupted and files that could not be loaded
 * @property {number} skipped includes tests marked "todo"
 * @property {Failure[]} failures
 */

/** Maximum number of lines of an error. */
const ERROR_LINES = 8;

/**
 * Summarizes the output of a test runner. A count that the output does not contain is zero.
 * @param {"bun" | "node"} runner
 * @param {string} output
 * @returns {Summary}
 */
export function summarize(runner, output) {
  const lines = output.split("\n");
  // Node prints "ℹ pass 12", Bun " 12 pass".
  const pattern = runner === "node" ? /^ℹ (?<word>[a-z]+) (?<count>\d+)$/ : /^ +(?<count>\d+) (?<word>[a-z]+)$/;
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const line of lines) {
    const { word, count } = pattern.exec(line)?.groups ?? {};
    if (word !== undefined) found.set(word, Number(count));
  }
  const sum = (/** @type {string[]} */ ...words) => words.reduce((total, word) => total + (found.get(word) ?? 0), 0);
  return {
    passed: sum("pass"),
    failed: sum("fail", "cancelled", "error", "errors"),
    skipped: sum("skip", "skipped", "todo"),
    failures: runner === "node" ? nodeFailures(lines) : bunFailures(lines),
  };
}

/**
 * Returns the failed tests in the output of Node. Node lists them at the end, each after a line "test at
 * <file>:<line>:<column>". If a file could not be loaded, its error is not in this list, but before the result of the
 * file.
 * @param {readonly string[]} lines
 */
function nodeFailures(lines) {
  /** @type {Failure[]} */
  const failures = [];
  for (const [i, line] of lines.entries()) {
    const file = /^test at (.+?):\d+:\d+$/.exec(line)?.[1];
    if (file === undefined) continue;
    const end = lines.findIndex((other, at) => at > i && other.startsWith("test at "));
    const block = lines.slice(i + 1, end === -1 ? undefined : end);
    const first = block.findIndex((other) => other.startsWith("  "));
    const name = nameIn(block.slice(0, first === -1 ? 1 : first).join(" "));
    const error = first === -1 ? [] : block.slice(first);
    const isWholeFile = name === file;
    failures.push({
      name,
      file,
      error: firstLines(isWholeFile ? before(lines, line, name) : error),
    });
  }
  // A runner that is stopped prints no list of failed tests. Then the names are read from the results.
  if (failures.length > 0) return failures;
  return lines
    .filter((line) => line.trimStart().startsWith("✖ "))
    .map((line) => ({ name: nameIn(line.trim()), file: "", error: [] }));
}

/** @param {string} text such as "✖ a test (1.5ms)" */
function nameIn(text) {
  return text.replace(/^✖ /, "").replace(/ \([\d.]+ms\)\s*$/, "");
}

/**
 * Returns the lines that were printed between the result of the previous test and the result of a file.
 * @param {readonly string[]} lines
 * @param {string} until
 * @param {string} file
 */
function before(lines, until, file) {
  const end = lines.findIndex((line) => line.startsWith(`✖ ${file} (`) || line === until);
  const start = lines.slice(0, end).findLastIndex((line) => /^[✔✖] /.test(line));
  const printed = lines.slice(start + 1, end);
  const error = printed.findIndex((line) => /\w*Error\b.*: /.test(line));
  return printed.slice(Math.max(0, error));
}

/**
 * Returns the failed tests in the output of Bun. Bun prints the error before the line "(fail) <name> [<time>]". Each
 * part of the output begins with the name of the file.
 * @param {readonly string[]} lines
 */
function bunFailures(lines) {
  /** @type {Failure[]} */
  const failures = [];
  let file = "";
  /** @type {string[]} */
  let printed = [];
  const add = (/** @type {string} */ name) => {
    const error = printed.findLastIndex((line) => /^(?:error|\w*Error)\b.*:/.test(line));
    failures.push({ name, file, error: firstLines(error === -1 ? printed : printed.slice(error)) });
  };
  for (const [i, line] of lines.entries()) {
    const opened = /^(\S+\.test\.[jt]s):$/.exec(line)?.[1];
    const isUnhandled = line === "# Unhandled error between tests";
    if (opened !== undefined) file = opened;
    else if (line.startsWith("(fail) ")) add(line.slice(7).replace(/ \[[\d.]+m?s\]$/, ""));
    else if (isUnhandled) {
      printed = lines.slice(i + 2, lines.indexOf(lines[i + 1] ?? "", i + 2));
      add("(outside of a test)");
    } else if (!line.startsWith("(pass) ")) {
      printed.push(line);
      continue;
    }
    printed = [];
  }
  return failures;
}

/** @param {readonly string[]} error */
function firstLines(error) {
  const stack = error.findIndex((line) => /^\s+at .*[:(]/.test(line));
  const end = stack === -1 ? error.length : stack + 1;
  return error
    .slice(0, Math.min(end, ERROR_LINES))
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");
}
