import type { DatabaseSync } from "node:sqlite";
import { NO_DATA } from "../../../session/data.ts";
import type { TransferredData } from "../../ports/transfer.ts";
import { sqlOf } from "../statements.ts";
import { Stateless } from "../transactional.ts";
import { isRowOf, keyOf } from "./session-row.ts";

/** Creates a function that returns the data of a handle; `undefined` if its session has none. */
export function createDataReader(database: DatabaseSync): (handle: string) => string | undefined {
  // Another session may have the row key of the handle (see `createSessionReader`), so its row is compared too.
  const find = database.prepare(
    "SELECT random_high, random_low, json FROM session_data JOIN sessions ON id = session WHERE session = ?",
  );
  find.setReturnArrays(true);
  return (handle) => {
    const row = find.get(keyOf(handle)) as unknown as [number, number, string] | undefined;
    return row !== undefined && isRowOf(handle, row[0], row[1]) && row[2] !== "" ? row[2] : undefined;
  };
}

/** The table `session_data` on the writer's connection. `session` is always the key of a session's row. */
export class DataTable extends Stateless {
  readonly #sql;
  /** Whether the table has rows. While it has none, session data cost nothing. */
  #isUsed: boolean;

  constructor(database: DatabaseSync) {
    super();
    const sql = sqlOf(database);
    this.#sql = {
      find: sql`SELECT json, changed AS changedAt FROM session_data WHERE session = ?`,
      set: sql`INSERT INTO session_data (session, json, changed) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET json = ?2, changed = ?3`,
      clear: sql`UPDATE session_data SET json = '' WHERE session = ? AND json <> ''`,
      remove: sql`DELETE FROM session_data WHERE session = ?`,
    };
    this.#isUsed = database.prepare("SELECT 1 FROM session_data LIMIT 1").get() !== undefined;
  }

  /** Returns the data; `undefined` if the session has never had any. They are empty when the session is over. */
  find(session: number): TransferredData | undefined {
    if (!this.#isUsed) return undefined;
    const row = this.#sql.find.get(session) as TransferredData | undefined;
    return row && { json: row.json === "" ? NO_DATA : row.json, changedAt: row.changedAt };
  }

  /** Returns whether the session has, or has had, data. */
  has(session: number): boolean {
    return this.#isUsed && this.#sql.find.get(session) !== undefined;
  }

  /** Stores data that were changed at `changedAt` (Unix ms). */
  set(session: number, { json, changedAt }: TransferredData): void {
    this.#isUsed = true;
    this.#sql.set.run(session, json, changedAt);
  }

  /** Stores data that another store exported, unless later ones are stored. Those of a session that is over are removed. */
  import(session: number, data: TransferredData, isLive: boolean): void {
    const stored = this.find(session);
    if (!isLive || stored === undefined || stored.changedAt <= data.changedAt) this.set(session, data);
    if (!isLive) this.clear(session);
  }

  /** Removes the data of a session that is over. Returns whether there were any. */
  clear(session: number): boolean {
    return this.#isUsed && Number(this.#sql.clear.run(session).changes) > 0;
  }

  /** Deletes the row of a session whose own row is deleted. */
  remove(session: number): void {
    if (this.#isUsed) this.#sql.remove.run(session);
  }
}
