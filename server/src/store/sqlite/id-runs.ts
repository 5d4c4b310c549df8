import type { DatabaseSync } from "node:sqlite";

/*
 * Sessions by the hashes of their ids, as they were merged: runs of entries in the order of hash and
 * session, packed into blocks of a page each. A run is written once, from one end to the other, which
 * costs a fraction of what putting each entry into its place in one great index would; a look-up reads
 * a block or two of each run. Whoever looks up reads the sessions themselves, so entries of sessions
 * that were deleted since do no harm to a look-up. They are removed with their run, or by a purge some minutes later.
 */

/** An entry: the hash of an id and the row key of a session that has it. */
export interface IdEntry {
  readonly hash: number;
  readonly session: number;
}

/** The runs in the database, on the writer's connection. */
export interface IdRuns {
  /** At most `limit` sessions of each run before the row key `before`, in any order. */
  sessions(hash: number, before: number, limit: number): number[];
  /** Writes sorted entries behind those that the run at hand has already. */
  append(entries: readonly IdEntry[]): void;
  /** The run at hand is whole. Both take effect with `settle`. */
  complete(): void;
  /** Takes an entry out of every run. */
  remove(entry: IdEntry): void;
  /** Deletes some of what belongs to runs without a session of the row key `oldest` or later. */
  letGo(oldest: number): boolean;
  /**
   * Removes the entries of the sessions in `gone` from the next blocks after `place`, and returns the place where
   * the next call begins; `undefined` at the end.
   */
  purge(gone: GoneSessions, place: RunPlace): RunPlace | undefined;
  settle(isCommitted: boolean): void;
}

/** Deleted sessions, by their row keys. */
export interface GoneSessions {
  readonly keys: ReadonlySet<number>;
  readonly oldest: number;
  readonly newest: number;
}

/** A block of a run, by its first entry. */
export interface RunPlace extends IdEntry {
  readonly run: number;
}

/** The place before all runs. */
export const RUNS_START: RunPlace = { run: 0, hash: -1, session: 0 };

/** With its row, a block of so many entries fills a page of 4,096 bytes. */
export const BLOCK_ENTRIES = 250;
/** How many blocks a slice of letting go deletes. */
const BLOCKS_DELETED = 64;
/** How many blocks a slice of a purge reads. */
const BLOCKS_PURGED = 64;

interface Block {
  readonly id: number;
  readonly values: Float64Array;
}

/** Opens the runs and takes away what there is of one that was not completed. */
export function createIdRuns(database: DatabaseSync): IdRuns {
  const insert = database.prepare(
    "INSERT INTO id_blocks (run, hash, session, entries) VALUES (?, ?, ?, ?)",
  );
  const blockBefore = database.prepare(
    `SELECT id, entries FROM id_blocks WHERE run = ? AND (hash, session) <= (?, ?)
     ORDER BY hash DESC, session DESC LIMIT 1`,
  );
  const replace = database.prepare(
    "UPDATE id_blocks SET hash = ?, session = ?, entries = ? WHERE id = ?",
  );
  const removeBlock = database.prepare("DELETE FROM id_blocks WHERE id = ?");
  const removeSome = database.prepare(
    `DELETE FROM id_blocks WHERE id IN (SELECT id FROM id_blocks WHERE run = ? LIMIT ${BLOCKS_DELETED})`,
  );
  const blocksAfter = database.prepare(
    `SELECT id, hash, session, entries FROM id_blocks WHERE run = ? AND (hash, session) > (?, ?)
     ORDER BY hash, session LIMIT ${BLOCKS_PURGED}`,
  );
  const anyBlock = database.prepare("SELECT 1 FROM id_blocks WHERE run = ? LIMIT 1");
  const addRun = database.prepare("INSERT INTO id_runs VALUES (?, ?, ?)");
  const removeRun = database.prepare("DELETE FROM id_runs WHERE run = ?");

  database.exec("DELETE FROM id_blocks WHERE run NOT IN (SELECT run FROM id_runs)");
  const runs = new Map(
    database
      .prepare("SELECT run, oldest, newest FROM id_runs ORDER BY run")
      .all()
      .map((row) => [
        row["run"] as number,
        { oldest: row["oldest"] as number, newest: row["newest"] as number },
      ]),
  );
  let run = Math.max(0, ...runs.keys()) + 1;
  /** The sessions of the run being written, without those of the current transaction. */
  let range = noSessions;
  let settledRange = range;
  let onCommit: (() => void) | undefined;

  function read(id: number, hash: number, session: number): Block | undefined {
    const row = blockBefore.get(id, hash, session);
    return row === undefined ? undefined : blockOf(row);
  }

  function write(id: number, values: Float64Array): void {
    if (values.length === 0) removeBlock.run(id);
    else replace.run(values[0] as number, values[1] as number, bytesOf(values), id);
  }

  function purgeBlock({ id, values }: Block, { keys }: GoneSessions): void {
    const left: number[] = [];
    for (let i = 0; i < values.length; i += 2) {
      const session = values[i + 1] as number;
      if (!keys.has(session)) left.push(values[i] as number, session);
    }
    if (left.length < values.length) write(id, Float64Array.from(left));
  }

  function collect(of: number, hash: number, before: number, limit: number, into: number[]): void {
    let bound = before;
    for (let found = 0; found < limit; ) {
      const block = read(of, hash, bound - 1);
      if (block === undefined) return;
      const { values } = block;
      for (let i = values.length - 2; i >= 0 && found < limit; i -= 2) {
        if ((values[i] as number) < hash) return;
        const session = values[i + 1] as number;
        if (values[i] === hash && session < bound) {
          into.push(session);
          found++;
        }
      }
      bound = values[1] as number;
    }
  }

  return {
    sessions(hash, before, limit) {
      const found: number[] = [];
      for (const one of runs.keys()) collect(one, hash, before, limit, found);
      return found;
    },
    append(entries) {
      for (let i = 0; i < entries.length; i += BLOCK_ENTRIES) {
        const part = entries.slice(i, i + BLOCK_ENTRIES);
        const values = Float64Array.from(part.flatMap(({ hash, session }) => [hash, session]));
        insert.run(run, values[0] as number, values[1] as number, bytesOf(values));
        for (const { session } of part) {
          range = {
            oldest: Math.min(range.oldest, session),
            newest: Math.max(range.newest, session),
          };
        }
      }
    },
    complete() {
      const [whole, sessions] = [run, range];
      if (sessions === noSessions) return;
      addRun.run(whole, sessions.oldest, sessions.newest);
      onCommit = () => {
        runs.set(whole, sessions);
        run = whole + 1;
        range = noSessions;
      };
    },
    remove({ hash, session }) {
      for (const one of [...runs.keys(), run]) {
        const block = read(one, hash, session);
        if (block === undefined) continue;
        const at = indexOf(block.values, hash, session);
        if (at >= 0)
          write(
            block.id,
            block.values.filter((_, i) => i !== at && i !== at + 1),
          );
      }
    },
    letGo(oldest) {
      for (const [old, { newest }] of runs) {
        if (newest >= oldest) continue;
        if (Number(removeSome.run(old).changes) < BLOCKS_DELETED) {
          removeRun.run(old);
          onCommit = () => runs.delete(old);
        }
        return true;
      }
      return false;
    },
    purge(gone, place) {
      for (const [one, { oldest, newest }] of runs) {
        if (one < place.run || newest < gone.oldest || oldest > gone.newest) continue;
        const { hash, session } = one === place.run ? place : RUNS_START;
        const rows = blocksAfter.all(one, hash, session);
        for (const row of rows) purgeBlock(blockOf(row), gone);
        const last = rows.at(-1);
        if (last !== undefined) {
          return { run: one, hash: last["hash"] as number, session: last["session"] as number };
        }
        if (anyBlock.get(one) !== undefined) continue;
        removeRun.run(one);
        onCommit = () => runs.delete(one);
        return { ...RUNS_START, run: one + 1 };
      }
      return undefined;
    },
    settle(isCommitted) {
      if (isCommitted) {
        onCommit?.();
        settledRange = range;
      } else range = settledRange;
      onCommit = undefined;
    },
  };
}

/** The range of a run without entries. */
const noSessions = {
  oldest: Number.MAX_SAFE_INTEGER,
  newest: Number.MIN_SAFE_INTEGER,
};

function blockOf(row: Readonly<Record<string, unknown>>): Block {
  // A copy, because SQLite's bytes may not be aligned for numbers.
  const bytes = (row["entries"] as Uint8Array).slice();
  return { id: row["id"] as number, values: new Float64Array(bytes.buffer) };
}

function indexOf(values: Float64Array, hash: number, session: number): number {
  for (let i = 0; i < values.length; i += 2) {
    if (values[i] === hash && values[i + 1] === session) return i;
  }
  return -1;
}

function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
