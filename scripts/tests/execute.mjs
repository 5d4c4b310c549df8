// Executes one test run: a test runner runs all its files, each in a process or a global scope of its own.
import { execFileSync, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { compileTests, oldestNode } from "../oldest.mjs";
import { closeScratch, openScratch } from "./leftovers.mjs";

/** @typedef {import("./runs.mjs").Run} Run */

/**
 * @typedef {object} Limits
 * @property {number} testMs maximum time of a test
 * @property {number} runMs maximum time of the run
 * @property {AbortSignal} stopped interrupts the run
 */

/**
 * Executes a run and prints the output, each line with the name of the run in front.
 * @param {string} root
 * @param {Run} run
 * @param {Limits} limits
 * @returns {Promise<{ output: string, code: number | null, left: string[] }>} `left`: the files and processes that the tests
 *   have left behind
 */
export async function execute(root, run, { testMs, runMs, stopped }) {
  const program = programOf(root, run);
  const compiled = run.isOldest ? compileTests() : undefined;
  const paths = run.files.map(({ path }) =>
    compiled === undefined ? path : join(compiled.folder, path.replace(/\.ts$/, ".js")),
  );
  const scratch = openScratch(run.needsDisk !== true);
  const child = spawn(program, [...flagsOf(run, testMs), ...paths], {
    cwd: root,
    env: environment(root, run, scratch),
    stdio: ["ignore", "pipe", "pipe"],
  });
  // When interrupted, both test runners print the name of the test that is running.
  const interrupt = () => child.kill("SIGINT");
  const timers = [setTimeout(interrupt, runMs), setTimeout(() => child.kill("SIGKILL"), runMs + 10_000)];
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
    // "exit" and not "close": a process that was left behind may keep the output open, and then "close" is never
    // emitted.
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
 * @param {string} root
 * @param {Run} run
 */
function programOf(root, { isOldest, runner }) {
  if (isOldest) return oldestNode();
  const isNewNode = Number.parseInt(process.versions.node, 10) >= 24;
  // On Windows `scripts/runtime` cannot be used, because it is a shell script.
  if (runner === "node" && (isNewNode || process.platform === "win32")) return process.execPath;
  return execFileSync(join(root, "scripts/runtime"), [runner], { encoding: "utf8" }).trim();
}

/**
 * @param {Run} run
 * @param {number} testMs
 */
function flagsOf({ runner, filesAtOnce = availableParallelism() }, testMs) {
  if (runner === "bun") return ["test", `--timeout=${testMs}`, `--parallel=${filesAtOnce}`];
  return [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${filesAtOnce}`,
    `--test-timeout=${testMs}`,
  ];
}

/**
 * Returns the environment of a run, without the settings of the person who runs the tests.
 * @param {string} root
 * @param {Run} run
 * @param {string} scratch folder for all temporary files
 */
function environment(root, { name, runtime }, scratch) {
  const kept = Object.entries(process.env).filter(
    ([variable]) => variable === "ANTECHAMBER_LONG" || !variable.startsWith("ANTECHAMBER_"),
  );
  return {
    ...Object.fromEntries(kept),
    TMPDIR: scratch,
    TEMP: scratch,
    ANTECHAMBER_RUNTIME: runtime,
    ...(name === "quick" ? { ANTECHAMBER_QUICK: "1" } : {}),
    // A test file on Node is a process of its own, and so are the servers and commands that tests start. Without a cache,
    // each of them would compile the server again. The folder is named, because npm would leave one in the temporary folder.
    NODE_COMPILE_CACHE: join(root, "node_modules/.cache/antechamber-tests"),
  };
}
