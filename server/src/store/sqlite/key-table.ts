import type { DatabaseSync } from "node:sqlite";
import type { ApiKey, ApiKeyUse } from "../ports/credentials.ts";

/** The keys, on the writer's connection. */
export interface KeyTable {
  add(key: ApiKey): void;
  /** Keeps a key of another store; of two states of one the later. */
  adopt(key: ApiKey): void;
  /** False when there is none of this id or it was revoked before. */
  revoke(id: string, now: number): boolean;
  /**
   * Stores `successor`, and sets it as the successor of the key `id`, which then expires. Returns false and does
   * nothing if there is no key with this id, or if it was already revoked or replaced.
   */
  replace(id: string, successor: ApiKey, expiresAt: number): boolean;
  noteUses(uses: readonly ApiKeyUse[]): void;
  /** Removes those that stand for a customer, and gives how many. */
  removeOf(customerId: string): number;
}

const COLUMNS =
  "id, hash, role, customer_id, agent_id, created_at, expires_at, revoked_at, last_used_at, successor_id";
/** The lesser and the greater of two times, where NULL stands for none at all. */
const earlier = (a: string, b: string) => `min(ifnull(${a}, ${b}), ifnull(${b}, ${a}))`;
const later = (a: string, b: string) => `max(ifnull(${a}, ${b}), ifnull(${b}, ${a}))`;

/** The table over an open database. */
export function createKeyTable(database: DatabaseSync): KeyTable {
  const insert = `INSERT INTO keys (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  const addKey = database.prepare(insert);
  const adoptKey = database.prepare(
    `${insert} ON CONFLICT (id) DO UPDATE SET
       revoked_at = ifnull(revoked_at, excluded.revoked_at),
       expires_at = ${earlier("expires_at", "excluded.expires_at")},
       last_used_at = ${later("last_used_at", "excluded.last_used_at")},
       successor_id = ifnull(successor_id, excluded.successor_id)`,
  );
  const revokeKey = database.prepare(
    "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
  );
  const expireKey = database.prepare(
    `UPDATE keys SET expires_at = ${earlier("expires_at", "?1")}, successor_id = ?2
     WHERE id = ?3 AND revoked_at IS NULL AND successor_id IS NULL`,
  );
  const useKey = database.prepare(
    `UPDATE keys SET last_used_at = ${later("last_used_at", "?1")} WHERE id = ?2`,
  );

  const removeKeys = database.prepare("DELETE FROM keys WHERE customer_id = ?");

  return {
    add: (key) => void addKey.run(...valuesOf(key)),
    adopt: (key) => void adoptKey.run(...valuesOf(key)),
    revoke: (id, now) => Number(revokeKey.run(now, id).changes) === 1,
    replace(id, successor, expiresAt) {
      if (Number(expireKey.run(expiresAt, successor.id, id).changes) === 0) return false;
      addKey.run(...valuesOf(successor));
      return true;
    },
    noteUses(uses) {
      for (const { id, at } of uses) useKey.run(at, id);
    },
    removeOf: (customerId) => Number(removeKeys.run(customerId).changes),
  };
}

/** In the order of `COLUMNS`. */
function valuesOf(key: ApiKey): (string | number | null)[] {
  const { id, hash, role, customerId, agentId } = key;
  const { createdAt, expiresAt, revokedAt, lastUsedAt, successorId } = key;
  const times = [createdAt, expiresAt, revokedAt, lastUsedAt];
  return [id, hash, role, customerId, agentId, ...times, successorId];
}
