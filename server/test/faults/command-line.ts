import { execFile } from "node:child_process";
import { launcher } from "../support/server-process.ts";

/** What a command printed, and how it ended. */
interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the command line on the data in `dataDir`, to its end. */
function runCommand(dataDir: string, ...args: string[]): Promise<CommandResult> {
  const env = { ...process.env, ANTECHAMBER_DATA_DIR: dataDir };
  return new Promise((resolve) => {
    execFile(launcher, args, { env, cwd: dataDir, timeout: 30_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Ends a session; true when the command said that it did. */
export async function endSession(dataDir: string, sessionId: string): Promise<boolean> {
  return (await runCommand(dataDir, "sessions", "end", sessionId)).code === 0;
}
