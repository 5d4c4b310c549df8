import type { DatabaseSync } from "node:sqlite";
import type { AnswerItem } from "../moving.ts";
import { ANSWER_LIFE, type Once, type Repetition } from "../store.ts";

/** First answers to requests with a key, on the writer's connection. */
export interface AnswerTable {
  /**
   * Carries a change out with `apply`, once where it has a key: then its answer is kept if it
   * succeeds, and a repetition is told what the first was told. `id` is the session that it is about.
   */
  once<O extends { readonly outcome: string }>(
    change: { readonly once?: Once; readonly now: number; readonly id?: string },
    apply: () => O,
  ): O | Repetition;
  /** What became of an earlier request under this key; `null` when there was none. */
  find(request: Omit<Once, "answer"> & { readonly now: number }): Repetition | null;
  /** Keeps an answer of another store, unless there is a later one under its key. */
  adopt(item: AnswerItem): void;
  /** At most `limit` answers, too old or not, that were stored after the row `sequence`. */
  from(sequence: number, limit: number): { readonly sequence: number; readonly item: AnswerItem }[];
  /** Deletes some of those that are too old at `now` (ms); true while there may be more. */
  sweep(now: number): boolean;
}

/** How many rows a slice of the sweep deletes. */
const ROWS_SWEPT = 256;
/** What an outcome must be for its answer to be kept; a refusal may turn into a success. */
const successes = ["created", "recorded"];

/** The answers in `database`. */
export function createAnswerTable(database: DatabaseSync): AnswerTable {
  const find = database.prepare("SELECT request, stored_at, answer FROM answers WHERE key = ?");
  const insert = database.prepare(
    "INSERT OR REPLACE INTO answers (key, request, stored_at, answer, session) VALUES (?, ?, ?, ?, ?)",
  );
  const from = database.prepare(
    "SELECT * FROM answers WHERE sequence > ? ORDER BY sequence LIMIT ?",
  );
  // They lie in the order in which they were stored.
  const sweep = database.prepare(
    `DELETE FROM answers WHERE stored_at <= ? AND sequence IN
     (SELECT sequence FROM answers ORDER BY sequence LIMIT ${ROWS_SWEPT})`,
  );

  function earlier(key: string, request: string, now: number): Repetition | null {
    const row = find.get(key);
    if (row === undefined || (row["stored_at"] as number) + ANSWER_LIFE <= now) return null;
    return row["request"] === request
      ? { outcome: "repeated", answer: row["answer"] as string }
      : { outcome: "key-reused" };
  }

  function keep({ key, request, answer }: Once, now: number, id: string | null): void {
    insert.run(key, request, now, answer, id);
  }

  return {
    once({ once, now, id = null }, apply) {
      if (once === undefined) return apply();
      const repetition = earlier(once.key, once.request, now);
      if (repetition !== null) return repetition;
      const result = apply();
      if (successes.includes(result.outcome)) keep(once, now, id);
      return result;
    },
    adopt({ once, storedAt, id }) {
      const known = find.get(once.key);
      if (known === undefined || (known["stored_at"] as number) <= storedAt)
        keep(once, storedAt, id);
    },
    from: (sequence, limit) =>
      from.all(sequence, limit).map((row) => ({
        sequence: row["sequence"] as number,
        item: {
          kind: "answer",
          once: {
            key: row["key"] as string,
            request: row["request"] as string,
            answer: row["answer"] as string,
          },
          id: row["session"] as string | null,
          storedAt: row["stored_at"] as number,
        },
      })),
    find: ({ key, request, now }) => earlier(key, request, now),
    sweep: (now) => Number(sweep.run(now - ANSWER_LIFE).changes) === ROWS_SWEPT,
  };
}
