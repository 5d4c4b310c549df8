import type { DatabaseSync } from "node:sqlite";
import type { SigningSecret } from "../../session/id.ts";
import type { Role } from "../../session/permissions.ts";
import type { ApiKey } from "../ports/credentials.ts";

/** All keys, oldest first. */
export function readKeys(database: DatabaseSync): ApiKey[] {
  const rows = database.prepare("SELECT * FROM keys ORDER BY created_at, id").all();
  return rows.map((row) => ({
    id: row["id"] as string,
    hash: row["hash"] as string,
    role: row["role"] as Role,
    customerId: row["customer_id"] as string | null,
    agentId: row["agent_id"] as string | null,
    createdAt: row["created_at"] as number,
    expiresAt: row["expires_at"] as number | null,
    revokedAt: row["revoked_at"] as number | null,
    lastUsedAt: row["last_used_at"] as number | null,
    successorId: row["successor_id"] as string | null,
  }));
}

/** The secrets under which ids are signed, newest first. */
export function readSecrets(database: DatabaseSync): SigningSecret[] {
  const rows = database
    .prepare("SELECT created_at, bytes FROM secrets ORDER BY created_at DESC, rowid DESC")
    .all();
  return rows.map((row) => ({
    bytes: row["bytes"] as Uint8Array,
    createdAt: row["created_at"] as number,
  }));
}

/** The latest time that the database has seen, ms since 1970. */
export function readFloor(database: DatabaseSync): number {
  return database.prepare("SELECT floor FROM facts").get()?.["floor"] as number;
}

/** How far a move into the database has come; `null` when none is under way. */
export function readMove(database: DatabaseSync): string | null {
  return database.prepare("SELECT move FROM facts").get()?.["move"] as string | null;
}
