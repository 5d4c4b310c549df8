import { parentPort, workerData } from "node:worker_threads";
import { openForReading } from "./database.ts";
import { resultCode } from "./file-errors.ts";

/*
 * The thread of a backup: SQLite copies in one long call, and somebody has to watch the progress.
 * VACUUM INTO reads one moment's state, beside a server that goes on writing, and leaves out what is
 * free. Answers with SQLite's result code, 0 for success.
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
