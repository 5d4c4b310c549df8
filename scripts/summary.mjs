// Reads the counts from the closing lines of the two test runners.

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed also tests that were cut short and files that did not load
 * @property {number} skipped also "todo"
 */

/**
 * The counts in a runner's output; all zero when it closed without a summary.
 * @param {"bun" | "node"} runner
 * @param {string} output
 * @returns {Counts}
 */
export function summarize(runner, output) {
  // Node: "ℹ pass 12". Bun: " 12 pass".
  const pattern =
    runner === "node" ? /^ℹ (?<word>[a-z]+) (?<count>\d+)$/ : /^ +(?<count>\d+) (?<word>[a-z]+)$/;
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const line of output.slice(-closingLength).split("\n")) {
    const { word, count } = pattern.exec(line)?.groups ?? {};
    if (word !== undefined) found.set(word, Number(count));
  }
  const sum = (/** @type {string[]} */ ...words) =>
    words.reduce((total, word) => total + (found.get(word) ?? 0), 0);
  return {
    passed: sum("pass"),
    failed: sum("fail", "cancelled", "error", "errors"),
    skipped: sum("skip", "skipped", "todo"),
  };
}

/** Characters at the end to look at: Node lists the failures after its summary. */
const closingLength = 200_000;
