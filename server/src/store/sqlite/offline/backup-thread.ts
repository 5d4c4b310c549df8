import { parentPort, workerData } from "node:worker_threads";
import { openForReading } from "../files/database.ts";
import { resultCode } from "../files/file-errors.ts";

/*
 * The program of the backup thread. SQLite makes the copy in one long call, so another thread has to report the
 * progress. VACUUM INTO copies the state of one moment, even while a server writes, and skips free pages. The thread
 * replies with SQLite's result code, which is 0 for success.
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
