import type { DatabaseSync } from "node:sqlite";

/*
 * Sessions by the hashes of their ids, as they were merged: runs of entries in the order of hash and
 * session, packed into blocks of a page each. A run is written once, from one end to the other, which
 * costs a fraction of what putting each entry into its place in one great index would; a look-up reads
 * a block or two of each run. Whoever looks up reads the sessions themselves, so entries of sessions
 * that have gone since do no harm, and go with their run.
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
  settle(isCommitted: boolean): void;
}

/** With its row, a block of so many entries fills a page of 4,096 bytes. */
export const BLOCK_ENTRIES = 250;
/** How many blocks a slice of letting go deletes. */
const BLOCKS_DELETED = 64;

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
  const addRun = database.prepare("INSERT INTO id_runs VALUES (?, ?)");
  const removeRun = database.prepare("DELETE FROM id_runs WHERE run = ?");

  database.exec("DELETE FROM id_blocks WHERE run NOT IN (SELECT run FROM id_runs)");
  const runs = new Map(
    database
      .prepare("SELECT run, newest FROM id_runs ORDER BY run")
      .all()
      .map((row) => [row["run"] as number, row["newest"] as number]),
  );
  let run = Math.max(0, ...runs.keys()) + 1;
  /** The newest session of the run at hand, as far as it is written, and without the transaction at hand. */
  let newest = Number.MIN_SAFE_INTEGER;
  let settledNewest = newest;
  let onCommit: (() => void) | undefined;

  function read(id: number, hash: number, session: number): Block | undefined {
    const row = blockBefore.get(id, hash, session);
    if (row === undefined) return undefined;
    // A copy: what SQLite gives need not lie where numbers may.
    const bytes = (row["entries"] as Uint8Array).slice();
    return { id: row["id"] as number, values: new Float64Array(bytes.buffer) };
  }

  function write(id: number, values: Float64Array): void {
    if (values.length === 0) removeBlock.run(id);
    else replace.run(values[0] as number, values[1] as number, bytesOf(values), id);
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
        for (const { session } of part) newest = Math.max(newest, session);
      }
    },
    complete() {
      const [whole, last] = [run, newest];
      if (last === Number.MIN_SAFE_INTEGER) return;
      addRun.run(whole, last);
      onCommit = () => {
        runs.set(whole, last);
        run = whole + 1;
        newest = Number.MIN_SAFE_INTEGER;
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
      for (const [old, last] of runs) {
        if (last >= oldest) continue;
        if (Number(removeSome.run(old).changes) < BLOCKS_DELETED) {
          removeRun.run(old);
          onCommit = () => runs.delete(old);
        }
        return true;
      }
      return false;
    },
    settle(isCommitted) {
      if (isCommitted) {
        onCommit?.();
        settledNewest = newest;
      } else newest = settledNewest;
      onCommit = undefined;
    },
  };
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
