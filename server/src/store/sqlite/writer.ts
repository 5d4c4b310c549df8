import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { safeMessage } from "../../logging/safe-error.ts";
import type { Lifetimes } from "../../session/lifetime.ts";
import { StoreOpenError } from "../open-error.ts";
import { createAnswerTable } from "./answers.ts";
import { createApply, type Tables } from "./apply.ts";
import { createAuditTable } from "./audit-table.ts";
import {
  type Change,
  type Group,
  type GroupOutcome,
  type GroupResult,
  isRead,
  type Outcome,
  type Read,
} from "./changes.ts";
import { openForWriting } from "./database.ts";
import { explained, resultCode } from "./file-errors.ts";
import { createFileGuard, DisplacedError, movedText } from "./file-guard.ts";
import { createFinder } from "./finder.ts";
import { type HeldFiles, isInPlace } from "./held-files.ts";
import { createIdIndex } from "./id-index.ts";
import { createJournal } from "./journal.ts";
import { createKeyTable } from "./key-table.ts";
import { createPageGaps } from "./page-gaps.ts";
import { createPortionReader } from "./portions.ts";
import { createSegmentTable } from "./segments.ts";
import { createSessionTable } from "./session-table.ts";
import { createStretchReader } from "./stretches.ts";

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
  /** The files that the server holds open while it runs. */
  readonly files: HeldFiles;
  readonly lifetimes: Lifetimes;
  /** How many records a session keeps. */
  readonly maxRecords: number;
  /** How long (ms) what is told of a session is kept after its end. */
  readonly retention: number;
  /** After how many changes the index of ids is merged; for tests. */
  readonly mergeIdsAt?: number | undefined;
}

const options = workerData as WriterOptions;
const port = parentPort;
if (port === null) throw new TypeError("writer.ts runs as a worker thread");

/** A commit for which SQLite does not know whether it is on disk. */
class UnknownOutcome extends Error {}

const database = opening(openDatabase);
const guard = opening(() => createFileGuard(database, options.files));
const gaps = createPageGaps(
  options.files.descriptors,
  Number(database.prepare("PRAGMA page_size").get()?.["page_size"]),
);
const tables = opening(openTables);
const apply = createApply(database, tables, options);
const readStretch = createStretchReader(tables, options);
const readPortion = createPortionReader(database, tables, readStretch);
const find = createFinder(database, tables, options);
const note = database.prepare(
  "UPDATE facts SET floor = max(floor, ?1), sessions = ?2 WHERE floor < ?1 OR sessions <> ?2",
);
const begin = database.prepare("BEGIN IMMEDIATE");
const commit = database.prepare("COMMIT");
const frames = database.prepare("PRAGMA wal_checkpoint(NOOP)");
const carryOver = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
const truncateLog = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)");

port.on("message", (message: Group | "close") => {
  if (message === "close") {
    database.close();
    port.close();
  } else {
    port.postMessage(JSON.stringify(carryOut(changesOf(message))));
  }
});

/** Reports to the serving thread why the data cannot be opened, and ends this thread. */
function opening<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    port?.postMessage(JSON.stringify({ ...failed(error), kind: "dead" }));
    process.exit(1);
  }
}

function openDatabase(): DatabaseSync {
  // A restarted thread must not open another file than the one before it.
  if (!isInPlace(options.files.database)) {
    throw new DisplacedError("moved", movedText(options.file));
  }
  const opened = openForWriting(options.file);
  // This thread makes the checkpoints itself, after it has checked the files and noted the pages.
  opened.exec("PRAGMA wal_autocheckpoint = 0");
  return opened;
}

function changesOf({ changes, backlog, backlogAt }: Group): Change[] {
  const group = JSON.parse(changes) as Change[];
  if (backlog === "") return group;
  return [{ kind: "record", lines: backlog, now: backlogAt }, ...group];
}

function openTables(): Tables {
  const { lifetimes, maxRecords } = options;
  const ids = createIdIndex(database, options.mergeIdsAt);
  const sessions = createSessionTable(database, ids);
  const segments = createSegmentTable(database, sessions, lifetimes, maxRecords);
  const journal = createJournal(database, segments);
  const answers = createAnswerTable(database);
  const keys = createKeyTable(database);
  return { ids, sessions, segments, journal, answers, keys, audit: createAuditTable(database) };
}

/** What only reads is read when the rest is on disk, so that it tells of nothing that is not. */
function carryOut(changes: readonly Change[]): GroupResult {
  const writes = changes.filter((change) => !isRead(change));
  const result = writes.length === 0 ? nothingToCommit : commitGroup(writes);
  if (writes.some(isErasure)) isLogDue = true;
  if (result.outcomes.some(isCleared)) isLogDue = true;
  if (writes.length > 0 && result.kind === "committed") keepFiles(writes);
  if (writes.length === changes.length && !writes.some(({ kind }) => kind === "purge"))
    return result;
  let next = 0;
  const outcomes = changes.map((change) =>
    isRead(change) ? readAlone(change) : withGaps(result.outcomes[next++] ?? null),
  );
  return { ...result, outcomes };
}

/** Whether the log may contain erased or swept data; the log of an earlier process may. */
let isLogDue = true;

function isErasure({ kind }: Change): boolean {
  return kind === "erase" || kind === "eraseKeys";
}

/** Whether a purge is done: at most the last pages are left to be cleared, which the erasure itself does. */
function withGaps(outcome: GroupOutcome): GroupOutcome {
  const isPurge = typeof outcome === "object" && outcome !== null && "isDone" in outcome;
  return isPurge && gaps.left > GAPS.last ? { ...outcome, isDone: false } : outcome;
}

/** Whether this is the outcome of a sweep that has cleared all remains of its deletions. */
function isCleared(outcome: GroupOutcome | null): boolean {
  if (typeof outcome !== "object" || outcome === null || !("isCleared" in outcome)) return false;
  return outcome.isCleared ?? false;
}

/** The number of frames at which the log is checkpointed into the database. */
const CHECKPOINT_AT = 1000;
/** How many pages are searched for old copies at a time: in the background, and while a caller waits. */
const GAPS = { aside: 256, pressed: 1024, last: 4096 };

/** The work on the files after a commit: a checkpoint, and the removal of erased or swept data. */
function keepFiles(writes: readonly Change[]): void {
  try {
    const pressed = writes.some(({ kind }) => kind === "purge");
    const isAside = pressed || writes.some(({ kind }) => kind === "sweep");
    if (framesInLog() >= CHECKPOINT_AT) checkpoint(carryOver);
    if (writes.some(isErasure)) cutLog();
    else if (isAside && gaps.left > (isLogDue ? GAPS.last : 0)) {
      gaps.clean(pressed ? GAPS.pressed : GAPS.aside);
      guard.noteWrite();
    } else if (isLogDue) cutLog();
  } catch {
    // What failed will fail a change as well, and is told there.
  }
}

function framesInLog(): number {
  return frames.get()?.["log"] as number;
}

/** True unless somebody reads an older state of the data. */
function checkpoint(kind: typeof carryOver): boolean {
  gaps.note(framesInLog());
  try {
    return kind.get()?.["busy"] === 0;
  } finally {
    // A checkpoint that fails, on a full disk, has written a part.
    guard.noteWrite();
  }
}

/**
 * Checkpoints and truncates the log, and clears the remains of deleted rows in the gaps of pages. Postponed
 * while somebody reads an older state of the data.
 */
function cutLog(): void {
  try {
    database.exec("PRAGMA busy_timeout = 100");
    if (!checkpoint(truncateLog)) return;
    // Cached pages still contain what is cleared now, and would be written again with it.
    database.exec("PRAGMA shrink_memory");
    gaps.clean(Number.MAX_SAFE_INTEGER);
    guard.noteWrite();
    isLogDue = false;
  } finally {
    database.exec("PRAGMA busy_timeout = 5000");
  }
}

const nothingToCommit: GroupResult = { kind: "committed", outcomes: [] };

function readAlone(read: Read): GroupOutcome {
  try {
    return answerTo(read);
  } catch (error) {
    return { failure: describe(error) };
  }
}

function answerTo(read: Read): Outcome {
  switch (read.kind) {
    case "stretch":
      return readStretch(read);
    case "portion":
      return readPortion(read.after, read.now);
    case "repetition":
      return tables.answers.find(read);
    case "list":
      return find(read);
    case "answersAbout":
      return tables.answers.about(read.id, read.now);
  }
}

function commitGroup(changes: readonly Change[]): GroupResult {
  try {
    return { kind: "committed", outcomes: inTransaction(changes) };
  } catch (error) {
    // Alone or of the kind that meets every change: there is nobody to spare.
    if (changes.length === 1 || isDiskTrouble(error)) return failed(error);
  }
  try {
    return { kind: "committed", outcomes: changes.map(commitAlone) };
  } catch (error) {
    return failed(error);
  }
}

function commitAlone(change: Change): GroupOutcome {
  try {
    return inTransaction([change])[0] as GroupOutcome;
  } catch (error) {
    // After this one nothing can be said of the group as a whole but that it is unknown.
    if (error instanceof UnknownOutcome) throw error;
    return { failure: describe(error) };
  }
}

function inTransaction(changes: readonly Change[]): GroupOutcome[] {
  guard.check();
  begin.run();
  try {
    const outcomes = changes.map(apply);
    note.run(Math.max(...changes.map(timeOf)), tables.sessions.count);
    commitDurably();
    settle(true);
    confirmPlace();
    return outcomes;
  } catch (error) {
    settle(false);
    rollBack();
    throw error;
  }
}

/** What is kept in memory beside the tables follows them. */
function settle(isCommitted: boolean): void {
  tables.ids.settle(isCommitted);
  tables.sessions.settle(isCommitted);
  tables.journal.settle(isCommitted);
}

/** Does not report changes as stored if their file has been moved or replaced since the commit. */
function confirmPlace(): void {
  try {
    guard.check();
  } catch (error) {
    throw new UnknownOutcome(describe(error), { cause: error });
  }
}

function commitDurably(): void {
  try {
    commit.run();
  } catch (error) {
    // The log may hold the group whole and unsynced: recovery would find its commit mark.
    if (resultCode(error) === IOERR) throw new UnknownOutcome(describe(error), { cause: error });
    throw error;
  }
}

/**
 * The time that comes with a change: no clock may start earlier from now on. A sweep tells nobody the
 * time, and one that finds nothing must not write.
 */
function timeOf(change: Change): number {
  if (change.kind === "sweep") return 0;
  return change.kind === "addKey" ? change.key.createdAt : change.now;
}

/** SQLite may have ended the transaction by itself already. */
function rollBack(): void {
  if (database.isTransaction) database.exec("ROLLBACK");
}

function failed(error: unknown): GroupResult {
  const kind = error instanceof UnknownOutcome ? "unknown" : "failed";
  const cause = error instanceof UnknownOutcome ? error.cause : error;
  const displaced = cause instanceof DisplacedError ? cause.kind : null;
  const shown = explained(cause, options.file);
  const fault = shown instanceof StoreOpenError ? shown.fault : null;
  return { kind, displaced, fault, message: describe(error), outcomes: [] };
}

function describe(error: unknown): string {
  return safeMessage(explained(error, options.file));
}

const IOERR = 10;
/** Also BUSY, NOMEM, READONLY, CORRUPT, FULL, CANTOPEN. */
const diskTroubles = [IOERR, 5, 7, 8, 11, 13, 14];

/** Whether an error tells of the disk or the file, not of the change at hand. */
function isDiskTrouble(error: unknown): boolean {
  const isKnown = error instanceof UnknownOutcome || error instanceof DisplacedError;
  return isKnown || diskTroubles.includes(resultCode(error));
}
