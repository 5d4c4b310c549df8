import type { DatabaseSync } from "node:sqlite";
import type { MessagePort } from "node:worker_threads";
import { safeMessage } from "../../../logging/safe-error.ts";
import { StoreOpenError } from "../../open-error.ts";
import { openForWriting } from "../files/database.ts";
import { explained, IOERR, isDiskError, resultCode } from "../files/file-errors.ts";
import { DisplacedError, FileGuard, movedText } from "../files/file-guard.ts";
import { isInPlace } from "../files/held-files.ts";
import { PageGaps } from "../files/page-gaps.ts";
import { createReadOperations, createWriteOperations } from "../operations/operations.ts";
import type { WriterOptions } from "../options.ts";
import { sqlOf } from "../statements.ts";
import { openTables, type Tables } from "../tables.ts";
import { Checkpoints } from "./checkpoints.ts";
import { commandsIn, replyOf } from "./messages.ts";
import {
  type Command,
  type FailedGroup,
  type Group,
  type GroupOutcome,
  type GroupResult,
  isRead,
  type Kind,
  type Outcome,
  type Read,
  type ReadOperations,
  type Write,
  type WriteOperations,
} from "./writer-protocol.ts";

/**
 * Runs the writer thread. Only this thread changes the database while a server runs. It receives groups of commands,
 * and replies to a group when its changes are on the disk.
 *
 *   waiting --group--> applying --commit--> waiting            reply: committed, with an outcome for each command
 *      |                  |--the disk or the files fail--> waiting        reply: failed, or unknown
 *      |                  `--a command fails--> applying each command alone --> waiting
 *      `--"close"--> closed
 */
export function runWriter(port: MessagePort, options: WriterOptions): void {
  const writer = openWriter(port, options);
  port.on("message", (message: Group | "close") => {
    if (message === "close") {
      writer.close();
      port.close();
    } else port.postMessage(replyOf(writer.execute(message)));
  });
}

/** Opens the data. If this fails, reports why and ends the thread. */
function openWriter(port: MessagePort, options: WriterOptions): Writer {
  try {
    return new Writer(options);
  } catch (error) {
    port.postMessage(replyOf({ ...resultOf(error, options.file), kind: "dead" }));
    process.exit(1);
  }
}

/** A commit that may or may not be on the disk. */
class UnknownOutcomeError extends Error {}

class Writer {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #guard: FileGuard;
  readonly #checkpoints: Checkpoints;
  readonly #tables: Tables;
  readonly #writes: WriteOperations;
  readonly #reads: ReadOperations;
  readonly #sql;

  constructor(options: WriterOptions) {
    const database = openDatabase(options);
    this.#file = options.file;
    this.#database = database;
    this.#guard = new FileGuard(database, options.files);
    const pageSize = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
    const gaps = new PageGaps(options.files.descriptors, pageSize);
    this.#checkpoints = new Checkpoints(database, this.#guard, gaps);
    this.#tables = openTables(database, options);
    this.#writes = createWriteOperations(database, this.#tables, options);
    this.#reads = createReadOperations(database, this.#tables, options);
    const sql = sqlOf(database);
    this.#sql = {
      begin: sql`BEGIN IMMEDIATE`,
      commit: sql`COMMIT`,
      updateFacts: sql`UPDATE facts SET clock = max(clock, ?1), session_count = ?2, live_count = ?3
         WHERE clock < ?1 OR session_count <> ?2 OR live_count <> ?3`,
    };
  }

  /** Commits the writes of a group, then runs its reads. So a read never shows a change that is not on the disk. */
  execute(group: Group): GroupResult {
    const commands = commandsIn(group);
    const writes = commands.filter((command) => !isRead(command));
    const { events } = this.#tables;
    const lastEvent = events.lastStored;
    const result = this.#commitWrites(writes);
    if (writes.length > 0) {
      this.#checkpoints.afterGroup(new Set(writes.map(({ kind }) => kind)), result);
    }
    let next = 0;
    const outcomes = commands.map((command) =>
      isRead(command) ? this.#read(command) : this.#withGaps(command, result.outcomes[next++] ?? null),
    );
    return events.lastStored === lastEvent ? { ...result, outcomes } : { ...result, outcomes, hasEvents: true };
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Returns the outcome of a write. A purge of the index is not done as long as more page gaps are left than an erasure
   * clears by itself.
   */
  #withGaps({ kind }: Write, outcome: GroupOutcome): GroupOutcome {
    if (kind !== "purgeIndex" || outcome === null || !this.#checkpoints.hasManyGaps) return outcome;
    return { ...(outcome as Outcome<"purgeIndex">), isDone: false };
  }

  #commitWrites(writes: readonly Write[]): GroupResult {
    if (writes.length === 0) return { kind: "committed", outcomes: [] };
    try {
      return { kind: "committed", outcomes: this.#inTransaction(writes) };
    } catch (error) {
      if (writes.length === 1 || concernsAll(error)) return resultOf(error, this.#file);
    }
    try {
      return { kind: "committed", outcomes: writes.map((write) => this.#commitAlone(write)) };
    } catch (error) {
      return resultOf(error, this.#file);
    }
  }

  #commitAlone(write: Write): GroupOutcome {
    try {
      return this.#inTransaction([write])[0] as Outcome;
    } catch (error) {
      // If the outcome of this write is unknown, the outcome of the whole group is unknown.
      if (error instanceof UnknownOutcomeError) throw error;
      return { failure: messageOf(error, this.#file) };
    }
  }

  #inTransaction(writes: readonly Write[]): Outcome[] {
    this.#guard.check();
    this.#sql.begin.run();
    try {
      const outcomes = writes.map((write) => run(this.#writes, write));
      this.#tables.events.flush(() => Math.max(...writes.map(({ now }) => now)));
      const { count, live } = this.#tables.sessions;
      this.#sql.updateFacts.run(Math.max(...writes.map(timeOf)), count, live);
      this.#commitDurably();
      for (const table of Object.values(this.#tables)) table.commit();
      this.#confirmPlace();
      return outcomes;
    } catch (error) {
      for (const table of Object.values(this.#tables)) table.rollback();
      // SQLite may have ended the transaction by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #commitDurably(): void {
    try {
      this.#sql.commit.run();
    } catch (error) {
      if (resultCode(error) !== IOERR) throw error;
      // The log may contain the whole group, although syncing the log has failed. Then SQLite treats the group as
      // committed after a restart.
      throw new UnknownOutcomeError(messageOf(error, this.#file), { cause: error });
    }
  }

  /** Checks the files again, so that no group in a moved or replaced file is reported as stored. */
  #confirmPlace(): void {
    try {
      this.#guard.check();
    } catch (error) {
      throw new UnknownOutcomeError(messageOf(error, this.#file), { cause: error });
    }
  }

  #read(read: Read): GroupOutcome {
    try {
      return run(this.#reads, read);
    } catch (error) {
      return { failure: messageOf(error, this.#file) };
    }
  }
}

function openDatabase({ file, files }: WriterOptions): DatabaseSync {
  // A restarted thread must not open another file than the earlier threads.
  if (!isInPlace(files.database)) throw new DisplacedError("moved", movedText(file));
  const database = openForWriting(file);
  // SQLite makes no checkpoints by itself. `Checkpoints` makes them, after `FileGuard` has checked the files and
  // `PageGaps` has noted the pages.
  database.exec("PRAGMA wal_autocheckpoint = 0");
  return database;
}

/** Calls the operation of a command. */
function run<K extends Kind>(
  operations: Readonly<Record<K, (command: never) => Outcome>>,
  command: Command<K>,
): Outcome {
  return operations[command.kind](command as never);
}

/** Returns the time to store with a write; 0 for `purgeExpired`: a purge that finds nothing must not write. */
function timeOf({ kind, now }: Write): number {
  return kind === "purgeExpired" ? 0 : now;
}

/** Returns true if the cause is the disk or the files, so that every write of the group would fail. */
function concernsAll(error: unknown): boolean {
  const isKnown = error instanceof UnknownOutcomeError || error instanceof DisplacedError;
  return isKnown || isDiskError(error);
}

/** Returns the result of a group that failed with `error`. */
function resultOf(error: unknown, file: string): FailedGroup {
  const kind = error instanceof UnknownOutcomeError ? "unknown" : "failed";
  const cause = error instanceof UnknownOutcomeError ? error.cause : error;
  const displaced = cause instanceof DisplacedError ? cause.kind : null;
  const shown = explained(cause, file);
  const fault = shown instanceof StoreOpenError ? shown.fault : null;
  return { kind, displaced, fault, message: messageOf(error, file), outcomes: [] };
}

function messageOf(error: unknown, file: string): string {
  return safeMessage(explained(error, file));
}
