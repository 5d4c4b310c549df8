// Divides the test files into runs, and chooses runs and files by the words of the command line.

/** @typedef {import("./files.mjs").TestFile} TestFile */

/**
 * The lanes of the usual tests: a lane executes its runs one after the other, and lanes are executed at the same time. The
 * runs of `alone` are executed after all others.
 * @typedef {"bun" | "node" | "systems" | "alone"} Lane
 */

/**
 * @typedef {object} Run
 * @property {string} name
 * @property {"bun" | "node"} runner the program whose test command runs the files
 * @property {boolean} [isOldest] whether the files are compiled and run on the oldest Node that the client supports
 * @property {"bun" | "node"} runtime the runtime of the servers that the tests start
 * @property {readonly TestFile[]} files
 * @property {boolean} [needsDisk] whether the temporary files must be on a disk and not in memory
 * @property {Lane} lane
 * @property {number} [filesAtOnce] maximum number of files at the same time; by default the number of cores
 */

/**
 * Returns all test runs of a tier: of `npm run test:quick`, `npm test` or `npm run test:long`.
 * @param {readonly TestFile[]} files
 * @param {"quick" | "usual" | "long"} tier
 * @returns {Run[]}
 */
export function runsOf(files, tier) {
  const of = (/** @type {TestFile["kind"][]} */ ...kinds) => files.filter(({ kind }) => kinds.includes(kind));
  if (tier === "quick") {
    const quick = of("both", "once").filter(({ quickNeeds }) => quickNeeds.length === 0);
    return [{ name: "quick", runner: "node", lane: "node", runtime: "node", files: quick }];
  }
  const isLong = tier === "long";
  /** @type {TestFile["kind"]} */
  const either = "faults, alone in test:long";
  /** @type {TestFile["kind"]} */
  const onlyLong = "outside, only in test:long";
  /** @type {Run[]} */
  const runs = [
    // With these numbers of files at once, the lanes take about the same time.
    { name: "bun", runner: "bun", lane: "bun", runtime: "bun", filesAtOnce: 4, files: of("both", "once") },
    { name: "node", runner: "node", lane: "node", runtime: "node", filesAtOnce: 2, files: of("both") },
    // In the lane of `faults` and before it, because that run adds and removes network devices: a browser then aborts its
    // requests.
    {
      name: "outside",
      runner: "node",
      lane: "systems",
      runtime: "bun",
      filesAtOnce: 3,
      files: of("outside", ...(isLong ? [onlyLong] : [])),
    },
    // These tests run on Node, and kill servers that run on Bun.
    {
      name: "faults",
      runner: "node",
      lane: "systems",
      runtime: "bun",
      filesAtOnce: 3,
      files: of("faults", ...(isLong ? [] : [either])),
      needsDisk: true,
    },
    {
      name: "oldest",
      runner: "node",
      isOldest: true,
      lane: "node",
      runtime: "node",
      filesAtOnce: 2,
      files: of("both").filter(({ path }) => path.startsWith("./client/")),
    },
    {
      name: "alone",
      runner: "node",
      lane: "alone",
      runtime: "bun",
      filesAtOnce: 1,
      files: of("alone", ...(isLong ? [either] : [])),
      needsDisk: true,
    },
  ];
  return runs;
}

/**
 * Returns the runs and files that are named by the words. A word is the name of a run, or a part of a file's path.
 * Without words, returns everything. Throws if a word matches nothing.
 * @param {readonly Run[]} runs
 * @param {readonly string[]} words
 */
export function choose(runs, words) {
  const named = runs.filter(({ name }) => words.includes(name));
  const parts = words.filter((word) => !named.some(({ name }) => name === word));
  const chosen = named.length === 0 ? runs : named;
  const paths = chosen.flatMap(({ files }) => files.map(({ path }) => path));
  const unknown = parts.filter((part) => !paths.some((path) => path.includes(part)));
  if (unknown.length > 0) {
    throw new Error(
      `no test file of these runs has ${unknown.map((word) => `"${word}"`).join(" or ")} in its path; ` +
        `the runs are ${runs.map(({ name }) => name).join(", ")}`,
    );
  }
  if (parts.length === 0) return chosen;
  return chosen
    .map((run) => ({
      ...run,
      files: run.files.filter(({ path }) => parts.some((part) => path.includes(part))),
    }))
    .filter(({ files }) => files.length > 0);
}
