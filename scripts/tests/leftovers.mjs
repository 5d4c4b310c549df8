// Finds what a test run has left behind. Each run gets a temporary folder of its own as TMPDIR. After the run, the
// folder must be empty, and no process may have the folder in its environment.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY = "/dev/shm";
/** Free bytes that a folder in memory requires, in the file system and in the machine's memory. */
const FREE_BYTES = { files: 2 ** 30, memory: 4 * 2 ** 30 };

/**
 * Creates the temporary folder of a run.
 * @param {boolean} isInMemory whether the folder may be in memory. The files are written and synced as on a disk, only
 *   without waiting for one.
 */
export function openScratch(isInMemory) {
  return mkdtempSync(join(isInMemory && hasMemory() ? MEMORY : tmpdir(), "antechamber-test-"));
}

/** Returns whether `MEMORY` can be used: small containers have 64 MB of it, and some allow no programs there. */
function hasMemory() {
  const options = /^\S+ \/dev\/shm tmpfs (\S+)/m.exec(read("/proc/mounts"))?.[1]?.split(",") ?? ["noexec"];
  if (options.includes("noexec") || options.includes("ro")) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= FREE_BYTES.files && process.availableMemory() >= FREE_BYTES.memory;
}

/**
 * Ends the processes and deletes the files that a finished run has left behind. Returns one line for each; an empty
 * list means that the run left nothing.
 * @param {string} scratch the folder from openScratch
 */
export function closeScratch(scratch) {
  const left = [...endProcesses(scratch), ...readdirSync(scratch).map((name) => `file ${join(scratch, name)}`)];
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
        // The process has ended by itself in the meantime. It still counts, because it was running after its test.
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
