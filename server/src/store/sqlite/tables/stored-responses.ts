import type { DatabaseSync } from "node:sqlite";
import type { Session } from "../../../session/session.ts";
import type { StoredResponseItem } from "../../ports/idempotency.ts";
import { type IdempotentRequest, type Replay, STORED_RESPONSE_LIFE_MS } from "../../ports/idempotency.ts";
import { sqlOf } from "../statements.ts";
import { Stateless } from "../transactional.ts";

/** The maximum number of rows that one call of `purgeExpired` deletes. */
export const RESPONSES_PURGED = 256;
/** The outcomes whose responses are stored. Refusals are not stored, because a retry may succeed. */
const successes = ["created", "recorded", "associated"];

/** The columns of a `StoredResponseItem`. */
const COLUMNS = "key, fingerprint, response, session AS handle, created, stored_at AS storedAt";
type Row = IdempotentRequest & Omit<StoredResponseItem, "kind" | "idempotent">;

/** A change that a request has asked for, perhaps with an idempotency key. */
interface IdempotentChange {
  readonly idempotent?: IdempotentRequest;
  readonly now: number;
  /** The handle of the session in which the request records, or that it rotates. */
  readonly handle?: string;
  /** The session that the request creates. */
  readonly session?: Pick<Session, "handle">;
}

/** The table `stored_responses` on the writer's connection: responses to requests with an idempotency key. */
export class StoredResponses extends Stateless {
  readonly #sql;

  constructor(database: DatabaseSync) {
    super();
    const sql = sqlOf(database);
    this.#sql = {
      find: sql`SELECT fingerprint, stored_at, response FROM stored_responses WHERE key = ?`,
      insert: sql`INSERT OR REPLACE INTO stored_responses (key, fingerprint, stored_at, response, session, created)
         VALUES (?, ?, ?, ?, ?, ?)`,
      after: sql`SELECT sequence, ${COLUMNS} FROM stored_responses WHERE sequence > ? ORDER BY sequence LIMIT ?`,
      ofSession: sql`SELECT ${COLUMNS} FROM stored_responses WHERE ifnull(session, created) = ? AND stored_at > ?
         ORDER BY sequence`,
      remove: sql`DELETE FROM stored_responses WHERE ifnull(session, created) = ?`,
      // Rows are in the order in which they were stored, so these are the oldest.
      purge: sql`DELETE FROM stored_responses WHERE stored_at <= ? AND sequence IN
         (SELECT sequence FROM stored_responses ORDER BY sequence LIMIT ${RESPONSES_PURGED})`,
    };
  }

  /**
   * Calls `apply` and returns its result. If the change has an idempotency key and succeeds, its response is stored. If
   * a response is already stored under that key, returns a replay and does not call `apply`.
   */
  applyOnce<O extends { readonly outcome: string }>(
    { idempotent, now, handle, session }: IdempotentChange,
    apply: () => O,
  ): O | Replay {
    if (idempotent === undefined) return apply();
    const replay = this.#find(idempotent.key, idempotent.fingerprint, now);
    if (replay !== null) return replay;
    const result = apply();
    if (successes.includes(result.outcome)) {
      this.#store({ idempotent, storedAt: now, handle: handle ?? null, created: session?.handle ?? null });
    }
    return result;
  }

  /** Returns the replay of an earlier request with this `key`; `null` if no response is stored, or it has expired. */
  find({ key, fingerprint, now }: Omit<IdempotentRequest, "response"> & { readonly now: number }): Replay | null {
    return this.#find(key, fingerprint, now);
  }

  /** Stores a response that another store exported, unless a later one is stored under the same idempotency key. */
  import(item: StoredResponseItem): void {
    const known = this.#sql.find.get(item.idempotent.key);
    if (known === undefined || (known["stored_at"] as number) <= item.storedAt) this.#store(item);
  }

  /** Returns at most `limit` responses, expired or not, that were stored after the row `sequence`. */
  after(sequence: number, limit: number) {
    const rows = this.#sql.after.all(sequence, limit);
    return rows.map((row) => ({ sequence: row["sequence"] as number, item: itemOf(row) }));
  }

  /** Returns the responses for a session that have not expired at `now`. */
  ofSession(handle: string, now: number): StoredResponseItem[] {
    return this.#sql.ofSession.all(handle, now - STORED_RESPONSE_LIFE_MS).map(itemOf);
  }

  /** Deletes all responses for a session. */
  remove(handle: string): void {
    this.#sql.remove.run(handle);
  }

  /** Deletes at most `RESPONSES_PURGED` responses that have expired at `now`. Returns their number. */
  purgeExpired(now: number): number {
    return Number(this.#sql.purge.run(now - STORED_RESPONSE_LIFE_MS).changes);
  }

  #find(key: string, fingerprint: string, now: number): Replay | null {
    const row = this.#sql.find.get(key);
    if (row === undefined || (row["stored_at"] as number) + STORED_RESPONSE_LIFE_MS <= now) return null;
    return row["fingerprint"] === fingerprint
      ? { outcome: "repeated", response: row["response"] as string }
      : { outcome: "key-reused" };
  }

  #store({ idempotent, storedAt, handle, created }: Omit<StoredResponseItem, "kind">): void {
    this.#sql.insert.run(idempotent.key, idempotent.fingerprint, storedAt, idempotent.response, handle, created);
  }
}

function itemOf(row: Readonly<Record<string, unknown>>): StoredResponseItem {
  const { key, fingerprint, response, handle, created, storedAt } = row as unknown as Row;
  return { kind: "answer", idempotent: { key, fingerprint, response }, handle, created, storedAt };
}
