import type { DatabaseSync } from "node:sqlite";
import type { AnswerItem } from "../moving.ts";
import { ANSWER_LIFE, type Once, type Repetition } from "../store.ts";

/** First answers to requests with a key, on the writer's connection. */
export interface AnswerTable {
  /**
   * Carries a change out with `apply`, once where it has a key: then its answer is kept if it
   * succeeds, and a repetition is told what the first was told. `id` is the session that it records in,
   * `session` the one that it creates.
   */
  once<O extends { readonly outcome: string }>(
    change: {
      readonly once?: Once;
      readonly now: number;
      readonly id?: string;
      readonly session?: { readonly id: string };
    },
    apply: () => O,
  ): O | Repetition;
  /** What became of an earlier request under this key; `null` when there was none. */
  find(request: Omit<Once, "answer"> & { readonly now: number }): Repetition | null;
  /** Keeps an answer of another store, unless there is a later one under its key. */
  adopt(item: AnswerItem): void;
  /** At most `limit` answers, too old or not, that were stored after the row `sequence`. */
  from(sequence: number, limit: number): { readonly sequence: number; readonly item: AnswerItem }[];
  /** Those that tell of a session and are not too old at `now` (ms). */
  about(id: string, now: number): AnswerItem[];
  /** Deletes those that tell of a session, and gives how many. */
  remove(id: string): number;
  /** Deletes responses that are too old at `now` (Unix ms), at most `ANSWERS_SWEPT`, and returns how many. */
  sweep(now: number): number;
}

/** How many rows a slice of the sweep deletes. */
export const ANSWERS_SWEPT = 256;
/** What an outcome must be for its answer to be kept; a refusal may turn into a success. */
const successes = ["created", "recorded"];

/** The answers in `database`. */
export function createAnswerTable(database: DatabaseSync): AnswerTable {
  const find = database.prepare("SELECT request, stored_at, answer FROM answers WHERE key = ?");
  const insert = database.prepare(
    `INSERT OR REPLACE INTO answers (key, request, stored_at, answer, session, created)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const from = database.prepare(
    "SELECT * FROM answers WHERE sequence > ? ORDER BY sequence LIMIT ?",
  );
  const about = database.prepare(
    `SELECT * FROM answers WHERE ifnull(session, created) = ? AND stored_at > ? ORDER BY sequence`,
  );
  const remove = database.prepare("DELETE FROM answers WHERE ifnull(session, created) = ?");
  // They lie in the order in which they were stored.
  const sweep = database.prepare(
    `DELETE FROM answers WHERE stored_at <= ? AND sequence IN
     (SELECT sequence FROM answers ORDER BY sequence LIMIT ${ANSWERS_SWEPT})`,
  );

  function earlier(key: string, request: string, now: number): Repetition | null {
    const row = find.get(key);
    if (row === undefined || (row["stored_at"] as number) + ANSWER_LIFE <= now) return null;
    return row["request"] === request
      ? { outcome: "repeated", answer: row["answer"] as string }
      : { outcome: "key-reused" };
  }

  function keep({ once, storedAt, id, created }: Omit<AnswerItem, "kind">): void {
    insert.run(once.key, once.request, storedAt, once.answer, id, created);
  }

  return {
    once({ once, now, id = null, session }, apply) {
      if (once === undefined) return apply();
      const repetition = earlier(once.key, once.request, now);
      if (repetition !== null) return repetition;
      const result = apply();
      if (successes.includes(result.outcome)) {
        keep({ once, storedAt: now, id, created: session?.id ?? null });
      }
      return result;
    },
    adopt(item) {
      const known = find.get(item.once.key);
      if (known === undefined || (known["stored_at"] as number) <= item.storedAt) keep(item);
    },
    from: (sequence, limit) =>
      from.all(sequence, limit).map((row) => ({
        sequence: row["sequence"] as number,
        item: itemOf(row),
      })),
    find: ({ key, request, now }) => earlier(key, request, now),
    about: (id, now) => about.all(id, now - ANSWER_LIFE).map(itemOf),
    remove: (id) => Number(remove.run(id).changes),
    sweep: (now) => Number(sweep.run(now - ANSWER_LIFE).changes),
  };
}

function itemOf(row: Readonly<Record<string, unknown>>): AnswerItem {
  return {
    kind: "answer",
    once: {
      key: row["key"] as string,
      request: row["request"] as string,
      answer: row["answer"] as string,
    },
    id: row["session"] as string | null,
    created: row["created"] as string | null,
    storedAt: row["stored_at"] as number,
  };
}
