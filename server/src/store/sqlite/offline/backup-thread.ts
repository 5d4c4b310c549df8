import { parentPort, workerData } from "node:worker_threads";
import { openForReading } from "../files/database.ts";
import { resultCode } from "../files/file-errors.ts";

/*
 * The program of the backup thread. SQLite copies in one long call, during which another thread must report the
 * progress. VACUUM INTO reads the state of one moment beside a server that writes, and skips free pages. The thread
 * replies with SQLite's result code, 0 for success.
 */
const { source, target } = workerData as { readonly source: string; readonly target: string };
let code = 0;
const database = openForReading(source);
try {
  database.prepare("VACUUM INTO ?").run(target);
} catch (error) {
  code = resultCode(error);
  if (code === 0) throw error;
} finally {
  database.close();
}
parentPort?.postMessage(code);
