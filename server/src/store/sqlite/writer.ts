import { parentPort, workerData } from "node:worker_threads";
import type { Lifetimes } from "../../session/lifetime.ts";
import { createApply } from "./apply.ts";
import type { Change, GroupOutcome, GroupResult } from "./changes.ts";
import { openForWriting } from "./database.ts";

/*
 * The writer thread: the only place that changes the database while a server runs. It takes groups
 * of changes, each as one transaction, and answers when the disk has them.
 *
 *   waiting --group--> applying --commit--> waiting     answer: committed, an outcome a change
 *      |                  |--error--> waiting           answer: failed, nothing was stored
 *      |                  `--error of one change--> one by one --> waiting
 *      `--"close"--> closed
 */

/** What the serving thread passes in. */
export interface WriterOptions {
  readonly file: string;
  readonly lifetimes: Lifetimes;
}

const { file, lifetimes } = workerData as WriterOptions;
const port = parentPort;
if (port === null) throw new TypeError("writer.ts runs as a worker thread");

const database = openForWriting(file);
const apply = createApply(database, lifetimes);
const begin = database.prepare("BEGIN IMMEDIATE");
const commit = database.prepare("COMMIT");

port.on("message", (message: string) => {
  if (message === "close") {
    database.close();
    port.close();
  } else {
    port.postMessage(JSON.stringify(commitGroup(JSON.parse(message) as Change[])));
  }
});

function commitGroup(changes: readonly Change[]): GroupResult {
  try {
    return { kind: "committed", outcomes: inTransaction(changes) };
  } catch (error) {
    // Alone or of the kind that meets every change: there is nobody to spare.
    if (changes.length === 1 || isDiskTrouble(error)) return failed(error);
  }
  return { kind: "committed", outcomes: changes.map(commitAlone) };
}

function commitAlone(change: Change): GroupOutcome {
  try {
    return inTransaction([change])[0] as GroupOutcome;
  } catch (error) {
    return { failure: describe(error) };
  }
}

function inTransaction(changes: readonly Change[]): GroupOutcome[] {
  begin.run();
  try {
    const outcomes = changes.map(apply);
    commit.run();
    return outcomes;
  } catch (error) {
    rollBack();
    throw error;
  }
}

/** SQLite may have ended the transaction by itself already. */
function rollBack(): void {
  if (database.isTransaction) database.exec("ROLLBACK");
}

function failed(error: unknown): GroupResult {
  return { kind: "failed", message: describe(error) };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether an error tells of the disk or the file: BUSY 5, NOMEM 7, READONLY 8, IOERR 10, CORRUPT 11, FULL 13, CANTOPEN 14. */
function isDiskTrouble(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  return [5, 7, 8, 10, 11, 13, 14].includes(code);
}
