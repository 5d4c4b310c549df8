// npm test: every suite on each runtime it is meant for, one process a run, and
// one closing line for all of them. Most tests wait more than they work, so two
// runs go side by side, but for the last, whose tests measure time.
//
//   npm test                    everything
//   npm test -- bun lifetime    only the runs and files that the words name: a
//                               word is a run (bun, node, oldest, outside, faults,
//                               alone) or a part of a file's path
//   npm run test:long           the same tests with larger numbers
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ensureEngines } from "./engines.mjs";
import { closeScratch, openScratch } from "./leftovers.mjs";
import { compileTests, oldestNode } from "./oldest.mjs";
import { summarize } from "./summary.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const long = Boolean(process.env.ANTECHAMBER_LONG);
const minute = 60_000;
const testTimeout = (long ? 60 : 5) * minute;
const runTimeout = (long ? 180 : 15) * minute;

const stop = new AbortController();
const stopped = stop.signal;
process.on("SIGINT", () => stop.abort()).on("SIGTERM", () => stop.abort());

/**
 * @typedef {object} Run
 * @property {string} name
 * @property {"bun" | "node"} runner whose test command runs the files
 * @property {boolean} [isOldest] on the oldest Node that the client promises, compiled
 * @property {string} runtime ANTECHAMBER_RUNTIME: what the servers they start run on
 * @property {string[]} files
 * @property {boolean} [isAlone] nothing may run beside it
 */

const files = [
  "client/test",
  "packages/http1/test",
  "server/test",
  "bench/test",
  "examples/help-centre/test",
]
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map(
      (name) => `./${join(folder, name)}`,
    ),
  )
  .filter((file) => file.endsWith(".test.ts"))
  .toSorted();
const faults = files.filter((file) => /\/(faults|soak)\//.test(file));
/** They compare speeds, fit slopes or have tight timeouts, so nothing else may run at the same time. */
const alone = faults.filter(
  (file) =>
    /\/(overload|records|slow-disk|sweep)\.test/.test(file) || (long && file.includes("/soak/")),
);
/** Browsers, proxies and what is deployed: what runs the test makes no difference to them. */
const outside = files.filter((file) => /\/(browser|proxies|deploy|examples)\//.test(file));
const suites = files.filter((file) => !faults.includes(file) && !outside.includes(file));
/**
 * The command line starts many processes, on a runtime of its own choice, the service's properties take
 * thousands of runs, documents are the same text everywhere, and what the tests themselves and the
 * shared limits stand on is slow to start: once is enough.
 */
const once = suites.filter((file) =>
  /\/cli\/|\/properties\/service|\/openapi\/(?:document|dialects)|\/support\/|\/limits\/redis|\/samples/.test(
    file,
  ),
);

/** @type {Run[]} */
const runs = [
  { name: "bun", runner: "bun", runtime: "bun", files: suites },
  {
    name: "node",
    runner: "node",
    runtime: "node",
    files: suites.filter((file) => !once.includes(file)),
  },
  // The client runs on the Node of its application; the service brings its own runtime.
  {
    name: "oldest",
    runner: "node",
    isOldest: true,
    runtime: "node",
    files: suites.filter((file) => file.startsWith("./client/") && !once.includes(file)),
  },
  // The servers under test die often here: what tests them runs on the other runtime.
  {
    name: "faults",
    runner: "node",
    runtime: "bun",
    files: faults.filter((file) => !alone.includes(file)),
  },
  { name: "outside", runner: "node", runtime: "bun", files: outside },
  { name: "alone", runner: "node", runtime: "bun", files: alone, isAlone: true },
];
/** How many runs go side by side. */
const LANES = 2;

/**
 * The runs, or what the words of the command line leave of them.
 * @param {string[]} words
 */
function choose(words) {
  const names = words.filter((word) => runs.some(({ name }) => name === word));
  const parts = words.filter((word) => !names.includes(word));
  return runs
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .map((run) => ({
      ...run,
      files: run.files.filter(
        (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
      ),
    }))
    .filter((run) => words.length === 0 || run.files.length > 0);
}

/**
 * Returns the words that are neither a run nor part of the path of a selected file.
 * @param {string[]} words
 */
function unmatched(words) {
  const named = runs.filter(({ name }) => words.includes(name));
  const paths = (named.length === 0 ? runs : named).flatMap((run) => run.files);
  return words.filter(
    (word) =>
      !named.some(({ name }) => name === word) && !paths.some((path) => path.includes(word)),
  );
}

/**
 * @param {Run} run
 * @param {string | undefined} compiled the folder with the compiled files, for the oldest Node
 */
function command(run, compiled) {
  const program = run.isOldest
    ? oldestNode()
    : execFileSync(join(root, "scripts/runtime"), [run.runner], { encoding: "utf8" });
  const names =
    compiled === undefined
      ? run.files
      : run.files.map((file) => join(compiled, file.replace(/\.ts$/, ".js")));
  const flags = {
    bun: ["test", `--timeout=${testTimeout}`],
    // One file at a time: the suites start servers and would slow each other.
    node: [
      "--disable-warning=ExperimentalWarning",
      "--test",
      "--test-reporter=spec",
      "--test-concurrency=1",
      `--test-timeout=${testTimeout}`,
    ],
  };
  return { program: program.trim(), args: [...flags[run.runner], ...names] };
}

/**
 * The environment of a run: no setting of the person who runs the tests may
 * reach the servers under test.
 * @param {Run} run
 * @param {string} scratch the folder for everything temporary
 */
function environment({ runtime }, scratch) {
  const kept = Object.entries(process.env).filter(
    ([name]) => name === "ANTECHAMBER_LONG" || !name.startsWith("ANTECHAMBER_"),
  );
  return {
    ...Object.fromEntries(kept),
    TMPDIR: scratch,
    ANTECHAMBER_RUNTIME: runtime,
    // npm keeps one in the temporary folder, and leaves it there.
    NODE_DISABLE_COMPILE_CACHE: "1",
  };
}

/**
 * Runs a runner to its end and shows what it prints.
 * @param {Run} run
 * @returns {Promise<{ output: string, code: number | null, left: string[] }>}
 */
async function execute(run) {
  if (run.isOldest) oldestNode();
  const compiled = run.isOldest ? compileTests() : undefined;
  const { program, args } = command(run, compiled?.folder);
  const scratch = openScratch();
  const child = spawn(program, args, {
    cwd: root,
    env: environment(run, scratch),
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Both runners name the test they are at when they are interrupted.
  const interrupt = () => child.kill("SIGINT");
  const timers = [
    setTimeout(interrupt, runTimeout),
    setTimeout(() => child.kill("SIGKILL"), runTimeout + 10_000),
  ];
  stopped.addEventListener("abort", interrupt);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output += text;
    });
    createInterface({ input: stream }).on("line", (line) => {
      console.log(`${run.name.padEnd(7)} | ${line}`);
    });
  }
  return await new Promise((resolve, reject) => {
    /** @type {string[]} */
    let left = [];
    // At its exit, not at the close: a process left behind may hold the output open.
    child.on("exit", () => {
      left = closeScratch(scratch);
      compiled?.remove();
      for (const timer of timers) clearTimeout(timer);
      stopped.removeEventListener("abort", interrupt);
    });
    child.on("error", reject).on("close", (code) => resolve({ output, code, left }));
  });
}

/**
 * One run's counts, with everything that is wrong with it counted as failed.
 * @param {Run} run
 */
async function judge(run) {
  if (run.files.length === 0) {
    // Without a file's name the runners would look for files of their own choice.
    console.log(`${run.name}: there is no test file`);
    return { name: run.name, passed: 0, failed: 1 };
  }
  console.log(`\n== ${run.name}: ${run.files.length} files, servers on ${run.runtime}`);
  const { output, code, left } = await execute(run).catch((/** @type {unknown} */ error) => {
    console.log(`${run.name}: ${error instanceof Error ? error.message : String(error)}`);
    return { output: "", code: 1, left: [] };
  });
  const { passed, failed, skipped } = summarize(run.runner, output);

  const complaints = left.map((line) => `left behind: ${line}`);
  if (skipped > 0) complaints.push(`${skipped} skipped: a test that cannot run is a failure`);
  if (code !== 0 && failed === 0) complaints.push(`the runner ended with ${code ?? "a signal"}`);
  if (passed + failed === 0) complaints.push("no test ran");
  for (const complaint of complaints) console.log(`${run.name}: ${complaint}`);
  return { name: run.name, passed, failed: failed + complaints.length };
}

const words = process.argv.slice(2);
const lost = unmatched(words);
if (lost.length > 0) {
  const names = runs.map(({ name }) => name).join(", ");
  console.error(
    `no test file of these runs has ${lost.map((word) => `"${word}"`).join(" or ")} in its path; the runs are ${names}`,
  );
  process.exit(1);
}
if (!ensureEngines("test")) process.exit(1);
const chosen = choose(words);
/** @type {Map<Run, Awaited<ReturnType<typeof judge>>>} */
const judged = new Map();

/** @param {Run[]} queue */
async function work(queue) {
  for (let run = queue.shift(); run !== undefined; run = queue.shift()) {
    if (!stopped.aborted) judged.set(run, await judge(run));
  }
}

const together = chosen.filter(({ isAlone }) => !isAlone);
await Promise.all(Array.from({ length: LANES }, () => work(together)));
await work(chosen.filter(({ isAlone }) => isAlone));
const results = chosen.flatMap((run) => judged.get(run) ?? []);

console.log("");
for (const { name, passed, failed } of results) {
  console.log(`${name.padEnd(8)} ${passed} passed, ${failed} failed`);
}
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 && !stopped.aborted ? 0 : 1;
