// Runs the tests. They are divided into runs, and each run is one process of a test runner. Runs of different lanes run at
// the same time: more files than there are cores, because most tests mainly wait.
//
//   npm test                      runs all tests
//   npm test -- bun lifetime      runs a part of the tests: each word is the name of a run (bun, node, oldest,
//                                 faults, outside, alone) or a part of the path of a test file
//   npm run test:quick            runs only the tests that need nothing except Node
//   npm run test:long             runs all tests, with larger numbers
//
// Any other option, such as --help, prints how to choose tests, and runs none.
import { fileURLToPath } from "node:url";
import { ensurePackages, packages } from "./programs.mjs";
import { execute } from "./tests/execute.mjs";
import { readTestFiles } from "./tests/files.mjs";
import { choose, runsOf } from "./tests/runs.mjs";
import { summarize } from "./tests/summary.mjs";

/** @typedef {import("./tests/runs.mjs").Run} Run */

const root = fileURLToPath(new URL("..", import.meta.url));
const minute = 60_000;

const stop = new AbortController();
process.on("SIGINT", () => stop.abort()).on("SIGTERM", () => stop.abort());

const unknown = process.argv.slice(2).filter((word) => word.startsWith("--") && !["--quick", "--long"].includes(word));
if (unknown.length > 0) {
  console.error(
    "usage: npm test [-- words]\n       each word is a run (bun, node, oldest, faults, outside, alone) or a part of a path",
  );
  process.exit(2);
}
const isQuick = process.argv.includes("--quick");
const isLong = process.argv.includes("--long") || Boolean(process.env.ANTECHAMBER_LONG);
const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
if (isLong) process.env.ANTECHAMBER_LONG = "1";
const limits = {
  testMs: (isLong ? 60 : 5) * minute,
  runMs: (isLong ? 180 : 25) * minute,
  stopped: stop.signal,
};

/** Returns the chosen test runs. If they cannot be started, prints the reason and returns `undefined`. */
function prepare() {
  try {
    const tier = isQuick ? "quick" : isLong ? "long" : "usual";
    const chosen = choose(runsOf(readTestFiles(root), tier), words);
    return isQuick || areMet(chosen) ? chosen : undefined;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/**
 * Returns whether this machine has everything that the runs need. Installs missing programs if possible.
 * @param {readonly Run[]} runs
 */
function areMet(runs) {
  const needs = new Set(runs.flatMap(({ files }) => files.flatMap((file) => file.needs)));
  const isLinux = process.platform === "linux";
  if (!isLinux && (needs.has("linux") || runs.some(({ isOldest }) => isOldest))) {
    console.error("some of these tests need Linux; npm run test:quick runs on any system");
    return false;
  }
  return ensurePackages([...needs].filter((need) => Object.hasOwn(packages, need)));
}

/**
 * Executes a run and returns its result. If the run itself fails, that counts as a failed test.
 * @param {Run} run
 */
async function judge(run) {
  const { name } = run;
  // If no file is given, the test runners would choose files themselves.
  if (run.files.length === 0) return { name, passed: 0, failed: 1, failures: [], complaints: ["no test file"] };
  console.log(`\n== ${name}: ${run.files.length} files, servers on ${run.runtime}`);
  const start = performance.now();
  const { output, code, left } = await execute(root, run, limits).catch((/** @type {unknown} */ error) => ({
    output: "",
    code: String(error),
    left: [],
  }));
  const { passed, failed, skipped, failures } = summarize(run.runner, output);
  const complaints = left.map((line) => `left behind: ${line}`);
  if (skipped > 0) complaints.push(`${skipped} skipped: a test that cannot run is a failure`);
  if (code !== 0 && failed === 0) complaints.push(`the runner ended with ${code ?? "a signal"}`);
  if (passed + failed === 0) complaints.push("no test ran");
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`\n== ${name}: ended after ${seconds} s`);
  return { name, seconds, passed, failed: failed + complaints.length, failures, complaints };
}

/** @param {readonly Awaited<ReturnType<typeof judge>>[]} results */
function report(results) {
  console.log("");
  for (const { name, passed, failed, seconds = 0 } of results) {
    console.log(`${name.padEnd(8)} ${passed} passed, ${failed} failed, ${seconds} s`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  for (const { name, failures, complaints } of results) {
    for (const failure of failures) {
      console.log(`\n${name}: ${failure.file}: ${failure.name}`);
      for (const line of failure.error) console.log(`    ${line}`);
    }
    for (const complaint of complaints) console.log(`\n${name}: ${complaint}`);
  }
  return failed === 0 && passed > 0 && !stop.signal.aborted;
}

const chosen = prepare();
if (chosen === undefined) process.exit(1);
/** @type {Map<Run, Awaited<ReturnType<typeof judge>>>} */
const judged = new Map();

/**
 * Executes the chosen runs of a lane one after the other.
 * @param {Run["lane"]} name
 */
async function work(name) {
  for (const run of chosen?.filter(({ lane }) => lane === name) ?? []) {
    if (!stop.signal.aborted) judged.set(run, await judge(run));
  }
}

await Promise.all([work("bun"), work("node"), work("systems")]);
await work("alone");
process.exitCode = report(chosen.flatMap((run) => judged.get(run) ?? [])) ? 0 : 1;
