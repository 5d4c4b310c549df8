import type { DatabaseSync } from "node:sqlite";
import type { StoredResponseItem } from "../ports/idempotency.ts";
import {
  type IdempotentRequest,
  type Replay,
  STORED_RESPONSE_LIFE_MS,
} from "../ports/idempotency.ts";

/** First answers to requests with a key, on the writer's connection. */
export interface AnswerTable {
  /**
   * Carries a change out with `apply`, once where it has a key: then its answer is kept if it
   * succeeds, and a repetition is told what the first was told. `id` is the session that it records in,
   * `session` the one that it creates.
   */
  once<O extends { readonly outcome: string }>(
    change: {
      readonly once?: IdempotentRequest;
      readonly now: number;
      readonly id?: string;
      readonly session?: { readonly id: string };
    },
    apply: () => O,
  ): O | Replay;
  /** What became of an earlier request under this key; `null` when there was none. */
  find(request: Omit<IdempotentRequest, "response"> & { readonly now: number }): Replay | null;
  /** Keeps an answer of another store, unless there is a later one under its key. */
  adopt(item: StoredResponseItem): void;
  /** At most `limit` answers, too old or not, that were stored after the row `sequence`. */
  from(
    sequence: number,
    limit: number,
  ): { readonly sequence: number; readonly item: StoredResponseItem }[];
  /** Those that tell of a session and are not too old at `now` (ms). */
  about(id: string, now: number): StoredResponseItem[];
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

  function earlier(key: string, request: string, now: number): Replay | null {
    const row = find.get(key);
    if (row === undefined || (row["stored_at"] as number) + STORED_RESPONSE_LIFE_MS <= now)
      return null;
    return row["request"] === request
      ? { outcome: "repeated", response: row["answer"] as string }
      : { outcome: "key-reused" };
  }

  function keep({
    idempotent: once,
    storedAt,
    id,
    created,
  }: Omit<StoredResponseItem, "kind">): void {
    insert.run(once.key, once.fingerprint, storedAt, once.response, id, created);
  }

  return {
    once({ once, now, id = null, session }, apply) {
      if (once === undefined) return apply();
      const repetition = earlier(once.key, once.fingerprint, now);
      if (repetition !== null) return repetition;
      const result = apply();
      if (successes.includes(result.outcome)) {
        keep({ idempotent: once, storedAt: now, id, created: session?.id ?? null });
      }
      return result;
    },
    adopt(item) {
      const known = find.get(item.idempotent.key);
      if (known === undefined || (known["stored_at"] as number) <= item.storedAt) keep(item);
    },
    from: (sequence, limit) =>
      from.all(sequence, limit).map((row) => ({
        sequence: row["sequence"] as number,
        item: itemOf(row),
      })),
    find: ({ key, fingerprint: request, now }) => earlier(key, request, now),
    about: (id, now) => about.all(id, now - STORED_RESPONSE_LIFE_MS).map(itemOf),
    remove: (id) => Number(remove.run(id).changes),
    sweep: (now) => Number(sweep.run(now - STORED_RESPONSE_LIFE_MS).changes),
  };
}

function itemOf(row: Readonly<Record<string, unknown>>): StoredResponseItem {
  return {
    kind: "answer",
    idempotent: {
      key: row["key"] as string,
      fingerprint: row["request"] as string,
      response: row["answer"] as string,
    },
    id: row["session"] as string | null,
    created: row["created"] as string | null,
    storedAt: row["stored_at"] as number,
  };
}
