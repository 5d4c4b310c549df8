// Finds leftovers of a test run. Each run gets a temporary folder of its own as TMPDIR; afterwards that folder must
// be empty, and no process may still have it in its environment.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Creates the folder of one run. */
export function openScratch() {
  return mkdtempSync(join(tmpdir(), "antechamber-test-"));
}

/**
 * Ends the processes and removes the files that a finished run left. Returns them, one line each; an empty list is a
 * clean run.
 * @param {string} scratch result of `openScratch`
 */
export function closeScratch(scratch) {
  const left = [
    ...endProcesses(scratch),
    ...readdirSync(scratch).map((name) => `file ${join(scratch, name)}`),
  ];
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  return left;
}

/** @param {string} scratch */
function endProcesses(scratch) {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(scratch))
    .map((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended by itself by now, but it still outlived its test.
      }
      return `process ${pid} ${command}`;
    });
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
