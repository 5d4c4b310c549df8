import type { DatabaseSync } from "node:sqlite";
import { NO_DATA } from "../../../session/data.ts";
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
  /** False as long as the table is empty. Then nothing is done for a feature that nobody uses. */
  #isUsed: boolean;

  constructor(database: DatabaseSync) {
    super();
    const sql = sqlOf(database);
    this.#sql = {
      find: sql`SELECT json FROM session_data WHERE session = ?`,
      set: sql`INSERT INTO session_data (session, json) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET json = ?2`,
      clear: sql`UPDATE session_data SET json = '' WHERE session = ? AND json <> ''`,
      remove: sql`DELETE FROM session_data WHERE session = ?`,
    };
    this.#isUsed = database.prepare("SELECT 1 FROM session_data LIMIT 1").get() !== undefined;
  }

  /** Returns the data; `undefined` if nobody has put any into the session. They are empty when it is over. */
  find(session: number): string | undefined {
    if (!this.#isUsed) return undefined;
    const json = this.#sql.find.get(session)?.["json"] as string | undefined;
    return json === "" ? NO_DATA : json;
  }

  /** Returns whether data were put into the session, now or earlier. */
  has(session: number): boolean {
    return this.#isUsed && this.#sql.find.get(session) !== undefined;
  }

  set(session: number, json: string): void {
    this.#isUsed = true;
    this.#sql.set.run(session, json);
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
