import { parentPort, workerData } from "node:worker_threads";
import { openForReading } from "./database.ts";

/*
 * The thread of a backup: SQLite copies in one long call, and somebody has to watch the progress.
 * VACUUM INTO reads one moment's state, beside a server that goes on writing, and leaves out what is
 * free.
 */
const { source, target } = workerData as { readonly source: string; readonly target: string };
const database = openForReading(source);
try {
  database.prepare("VACUUM INTO ?").run(target);
} finally {
  database.close();
}
parentPort?.postMessage("done");
