import type { DatabaseSync, StatementSync } from "node:sqlite";

/** Returns a template tag that prepares SQL statements. */
export function sqlOf(database: DatabaseSync) {
  return (text: TemplateStringsArray, ...values: (string | number)[]): StatementSync =>
    database.prepare(String.raw(text, ...values));
}
