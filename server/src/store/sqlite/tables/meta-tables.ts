import type { DatabaseSync } from "node:sqlite";
import type { SigningSecret } from "../../../session/id.ts";
import type { SignOut } from "../../ports/credentials.ts";

/** Reads the secrets that sign session ids, newest first. */
export function readSecrets(database: DatabaseSync): SigningSecret[] {
  const rows = database.prepare(
    "SELECT bytes, created_at AS createdAt FROM secrets ORDER BY created_at DESC, rowid DESC",
  );
  return rows.all().map((row) => ({ ...row }) as unknown as SigningSecret);
}

/** Reads the sign-outs from the console. */
export function readSignOuts(database: DatabaseSync): SignOut[] {
  const rows = database.prepare("SELECT id, until_at AS until FROM sign_outs ORDER BY id");
  return rows.all().map((row) => ({ ...row }) as unknown as SignOut);
}

/** Reads the latest time that was stored, in Unix ms. */
export function readClock(database: DatabaseSync): number {
  return database.prepare("SELECT clock FROM facts").get()?.["clock"] as number;
}

/** Reads the progress of an unfinished import into the database; `null` if there is none. */
export function readImportCursor(database: DatabaseSync): string | null {
  const facts = database.prepare("SELECT import_cursor FROM facts").get();
  return facts?.["import_cursor"] as string | null;
}
