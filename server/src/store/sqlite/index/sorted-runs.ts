import type { DatabaseSync } from "node:sqlite";
import { sqlOf } from "../statements.ts";
import type { Transactional } from "../transactional.ts";

/*
 * The merged part of the secondary index. It consists of sorted runs. A run is a list of entries, sorted by hash and
 * session, in blocks of one page. It is written once from beginning to end, which costs a fraction of inserting each
 * entry at its place. A look-up reads one or two blocks of each run. The entries of a deleted session are removed by a
 * purge, or when their run is deleted.
 */

/** An index entry: the hash of an id, and the row key of a session that has this id. */
export interface IndexEntry {
  readonly hash: number;
  readonly session: number;
}

/** The row keys of the oldest and the newest session of a set. */
interface Range {
  readonly oldest: number;
  readonly newest: number;
}

/** Deleted sessions: their row keys, and the range of these keys. */
export interface DeletedSessions extends Range {
  readonly keys: ReadonlySet<number>;
}

/** The position of a block: its run, and its first entry. */
export interface RunPosition extends IndexEntry {
  readonly run: number;
}

/** The position before all runs. */
export const RUNS_START: RunPosition = { run: 0, hash: -1, session: 0 };

/** The number of entries in a full block. The row of such a block fills a page of 4,096 bytes. */
export const BLOCK_ENTRIES = 250;
/** The number of blocks of an old run that are deleted in one transaction. */
const BLOCKS_DELETED = 64;
/** The number of blocks that a purge reads in one transaction. */
const BLOCKS_PURGED = 64;

interface Block {
  readonly id: number;
  /** Pairs of hash and session. */
  readonly values: Float64Array;
}

const EMPTY_RANGE: Range = { oldest: Number.MAX_SAFE_INTEGER, newest: Number.MIN_SAFE_INTEGER };

/** The runs, on the writer's connection. The constructor deletes an incomplete run that a crash has left. */
export class SortedRuns implements Transactional {
  readonly #sql;
  readonly #runs: Map<number, Range>;
  /** The number of the run that is being written. */
  #run: number;
  #range = EMPTY_RANGE;
  #committedRange = EMPTY_RANGE;
  #onCommit: (() => void) | undefined;

  constructor(database: DatabaseSync) {
    const sql = sqlOf(database);
    this.#sql = {
      insertBlock: sql`INSERT INTO index_blocks (run, hash, session, entries) VALUES (?, ?, ?, ?)`,
      blockBefore: sql`SELECT id, entries FROM index_blocks WHERE run = ? AND (hash, session) <= (?, ?)
         ORDER BY hash DESC, session DESC LIMIT 1`,
      blocksAfter: sql`SELECT id, hash, session, entries FROM index_blocks WHERE run = ? AND (hash, session) > (?, ?)
         ORDER BY hash, session LIMIT ${BLOCKS_PURGED}`,
      updateBlock: sql`UPDATE index_blocks SET hash = ?, session = ?, entries = ? WHERE id = ?`,
      deleteBlock: sql`DELETE FROM index_blocks WHERE id = ?`,
      deleteSomeBlocks: sql`DELETE FROM index_blocks WHERE id IN
         (SELECT id FROM index_blocks WHERE run = ? LIMIT ${BLOCKS_DELETED})`,
      insertRun: sql`INSERT INTO index_runs VALUES (?, ?, ?)`,
      deleteRun: sql`DELETE FROM index_runs WHERE run = ?`,
      oldestSession: sql`SELECT min(id) AS oldest FROM sessions`,
    };
    database.exec("DELETE FROM index_blocks WHERE run NOT IN (SELECT run FROM index_runs)");
    const rows = database.prepare("SELECT run, oldest, newest FROM index_runs ORDER BY run").all();
    this.#runs = new Map(rows.map((row) => [row["run"] as number, row as unknown as Range]));
    this.#run = Math.max(0, ...this.#runs.keys()) + 1;
  }

  /**
   * Returns sessions that have an id with this hash, in any order. They are row keys below `before`: of each run the
   * newest ones, at most `limit`.
   */
  sessions(hash: number, before: number, limit: number): number[] {
    return [...this.#runs.keys()].flatMap((run) => this.#sessionsOf(run, hash, before, limit));
  }

  /** Appends sorted entries to the run that is being written. */
  append(entries: readonly IndexEntry[]): void {
    for (let i = 0; i < entries.length; i += BLOCK_ENTRIES) {
      const part = entries.slice(i, i + BLOCK_ENTRIES);
      const values = Float64Array.from(part.flatMap(({ hash, session }) => [hash, session]));
      this.#sql.insertBlock.run(this.#run, ...rowOf(values));
      for (const { session } of part) {
        const { oldest, newest } = this.#range;
        this.#range = { oldest: Math.min(oldest, session), newest: Math.max(newest, session) };
      }
    }
  }

  /** Completes the run that is being written. Look-ups use the run after the commit. */
  complete(): void {
    const [run, range] = [this.#run, this.#range];
    if (range === EMPTY_RANGE) return;
    this.#sql.insertRun.run(run, range.oldest, range.newest);
    this.#onCommit = () => {
      this.#runs.set(run, range);
      this.#run = run + 1;
      this.#range = EMPTY_RANGE;
    };
  }

  /** Removes an entry from all runs, including the one that is being written. */
  remove({ hash, session }: IndexEntry): void {
    for (const run of [...this.#runs.keys(), this.#run]) {
      const block = this.#readBlock(run, hash, session);
      if (block === undefined) continue;
      this.#keepEntries(block, (h, s) => h !== hash || s !== session);
    }
  }

  /** Deletes some blocks of a run whose sessions are all deleted. Returns false if there is no such run. */
  dropOld(): boolean {
    const oldest = (this.#sql.oldestSession.get()?.["oldest"] ?? Number.MAX_SAFE_INTEGER) as number;
    const old = [...this.#runs].find(([, { newest }]) => newest < oldest);
    if (old === undefined) return false;
    const [run] = old;
    const deleted = Number(this.#sql.deleteSomeBlocks.run(run).changes);
    if (deleted < BLOCKS_DELETED) this.#dropRun(run);
    return true;
  }

  /** Removes the entries of deleted sessions from some blocks after `position`. Returns the next position, if any. */
  purge(deleted: DeletedSessions, position: RunPosition): RunPosition | undefined {
    for (const [run, { oldest, newest }] of this.#runs) {
      if (run < position.run || newest < deleted.oldest || oldest > deleted.newest) continue;
      const { hash, session } = run === position.run ? position : RUNS_START;
      const rows = this.#sql.blocksAfter.all(run, hash, session);
      for (const row of rows) this.#keepEntries(blockOf(row), (_, key) => !deleted.keys.has(key));
      const last = rows.at(-1);
      if (last !== undefined) {
        return { run, hash: last["hash"] as number, session: last["session"] as number };
      }
      if (this.#sql.blocksAfter.get(run, RUNS_START.hash, 0) !== undefined) continue;
      this.#dropRun(run);
      return { ...RUNS_START, run: run + 1 };
    }
    return undefined;
  }

  commit(): void {
    this.#onCommit?.();
    this.#onCommit = undefined;
    this.#committedRange = this.#range;
  }

  rollback(): void {
    this.#onCommit = undefined;
    this.#range = this.#committedRange;
  }

  #sessionsOf(run: number, hash: number, before: number, limit: number): number[] {
    const found: number[] = [];
    for (let bound = before; found.length < limit; ) {
      const block = this.#readBlock(run, hash, bound - 1);
      if (block === undefined) break;
      const { values } = block;
      for (let i = values.length - 2; i >= 0 && found.length < limit; i -= 2) {
        if ((values[i] as number) < hash) return found;
        const session = values[i + 1] as number;
        if (values[i] === hash && session < bound) found.push(session);
      }
      bound = values[1] as number;
    }
    return found;
  }

  #readBlock(run: number, hash: number, session: number): Block | undefined {
    const row = this.#sql.blockBefore.get(run, hash, session);
    return row === undefined ? undefined : blockOf(row);
  }

  #keepEntries({ id, values }: Block, isKept: (hash: number, session: number) => boolean): void {
    const kept: number[] = [];
    for (let i = 0; i < values.length; i += 2) {
      const [hash, session] = [values[i] as number, values[i + 1] as number];
      if (isKept(hash, session)) kept.push(hash, session);
    }
    if (kept.length === 0) this.#sql.deleteBlock.run(id);
    else if (kept.length < values.length) {
      this.#sql.updateBlock.run(...rowOf(Float64Array.from(kept)), id);
    }
  }

  #dropRun(run: number): void {
    this.#sql.deleteRun.run(run);
    this.#onCommit = () => this.#runs.delete(run);
  }
}

function blockOf(row: Readonly<Record<string, unknown>>): Block {
  // The bytes are copied because `Float64Array` requires an alignment to 8 bytes, which the blob may not have.
  const bytes = (row["entries"] as Uint8Array).slice();
  return { id: row["id"] as number, values: new Float64Array(bytes.buffer) };
}

/** Returns the hash, session and bytes of a block's row. */
function rowOf(values: Float64Array): [hash: number, session: number, entries: Uint8Array] {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return [values[0] as number, values[1] as number, bytes];
}
