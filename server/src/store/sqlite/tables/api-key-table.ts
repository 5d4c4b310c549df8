import type { DatabaseSync } from "node:sqlite";
import type { ApiKey, ApiKeyUse } from "../../ports/credentials.ts";
import { sqlOf } from "../statements.ts";
import { Stateless } from "../transactional.ts";

const COLUMNS =
  "id, name, hash, role, customer_id, agent_id, created_at, expires_at, revoked_at, last_used_at, successor_id";

/** Returns SQL for the earlier of two times. If one of them is NULL, the result is the other one. */
const earlier = (a: string, b: string) => `min(ifnull(${a}, ${b}), ifnull(${b}, ${a}))`;
/** Returns SQL for the later of two times. If one of them is NULL, the result is the other one. */
const later = (a: string, b: string) => `max(ifnull(${a}, ${b}), ifnull(${b}, ${a}))`;

/** The table `keys` on the writer's connection: API keys. */
export class ApiKeyTable extends Stateless {
  readonly #sql;

  constructor(database: DatabaseSync) {
    super();
    const sql = sqlOf(database);
    const insert = `INSERT INTO keys (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    this.#sql = {
      insert: database.prepare(insert),
      import: sql`${insert} ON CONFLICT (id) DO UPDATE SET
           revoked_at = ifnull(revoked_at, excluded.revoked_at),
           expires_at = ${earlier("expires_at", "excluded.expires_at")},
           last_used_at = ${later("last_used_at", "excluded.last_used_at")},
           successor_id = ifnull(successor_id, excluded.successor_id)`,
      revoke: sql`UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`,
      expire: sql`UPDATE keys SET expires_at = ${earlier("expires_at", "?1")}, successor_id = ?2
         WHERE id = ?3 AND revoked_at IS NULL AND successor_id IS NULL`,
      recordUse: sql`UPDATE keys SET last_used_at = ${later("last_used_at", "?1")} WHERE id = ?2`,
      removeOf: sql`DELETE FROM keys WHERE customer_id = ?`,
    };
  }

  add(key: ApiKey): void {
    this.#sql.insert.run(...valuesOf(key));
  }

  /**
   * Stores an API key that another store exported. If it is stored already, merges both states: a revocation and a
   * successor stay, and the earlier expiry and the later use count.
   */
  import(key: ApiKey): void {
    this.#sql.import.run(...valuesOf(key));
  }

  /** Revokes the API key `id`. Returns false if there is no such API key, or if it was already revoked. */
  revoke(id: string, now: number): boolean {
    return Number(this.#sql.revoke.run(now, id).changes) === 1;
  }

  /**
   * Stores `successor`, and sets it as the successor of the API key `id`, which then expires at `expiresAt` or earlier.
   * Returns false and does nothing if there is no such key, or if it was already revoked or replaced.
   */
  replace(id: string, successor: ApiKey, expiresAt: number): boolean {
    if (Number(this.#sql.expire.run(expiresAt, successor.id, id).changes) === 0) return false;
    this.add(successor);
    return true;
  }

  recordUses(uses: readonly ApiKeyUse[]): void {
    for (const { id, at } of uses) this.#sql.recordUse.run(at, id);
  }

  /** Deletes the API keys of a customer. Returns their number. */
  removeOf(customerId: string): number {
    return Number(this.#sql.removeOf.run(customerId).changes);
  }
}

/** Reads all API keys, oldest first. */
export function readApiKeys(database: DatabaseSync): ApiKey[] {
  const rows = database.prepare(
    `SELECT id, name, hash, role, customer_id AS customerId, agent_id AS agentId, created_at AS createdAt,
       expires_at AS expiresAt, revoked_at AS revokedAt, last_used_at AS lastUsedAt,
       successor_id AS successorId
     FROM keys ORDER BY created_at, id`,
  );
  return rows.all().map((row) => ({ ...row }) as unknown as ApiKey);
}

/** Returns the values in the order of `COLUMNS`. */
function valuesOf(key: ApiKey): (string | number | null)[] {
  const { id, name, hash, role, customerId, agentId } = key;
  const { createdAt, expiresAt, revokedAt, lastUsedAt, successorId } = key;
  const times = [createdAt, expiresAt, revokedAt, lastUsedAt];
  return [id, name, hash, role, customerId, agentId, ...times, successorId];
}
