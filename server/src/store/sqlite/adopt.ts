import type { DatabaseSync } from "node:sqlite";
import type { ImportRequest, TransferItem } from "../ports/transfer.ts";
import { lineOf } from "../record-line.ts";
import type { Tables } from "./apply.ts";

/** Keeps items of another store, inside the caller's transaction; gives the sessions left out. */
export function createAdopt(
  database: DatabaseSync,
  { sessions, segments, answers, keys, audit }: Tables,
): (adoption: Pick<ImportRequest, "items" | "cursor">) => string[] {
  const floor = database.prepare("UPDATE facts SET floor = max(floor, ?)");
  const note = database.prepare("UPDATE facts SET move = ?");
  const clearSecrets = database.prepare("DELETE FROM secrets");
  const addSecret = database.prepare("INSERT INTO secrets (created_at, bytes) VALUES (?, ?)");
  /** False when there is no place for it. */
  function adoptItem(item: TransferItem): boolean {
    switch (item.kind) {
      case "session":
        return sessions.adopt(item);
      case "records":
        segments.adopt(item.session.id, item.first, item.records.map(lineOf));
        return true;
      case "answer":
        answers.adopt(item);
        return true;
      case "key":
        keys.adopt(item.key);
        return true;
      case "secrets":
        clearSecrets.run();
        // Of two of one time the one that was stored later counts as the newer.
        for (const { base64, createdAt } of item.secrets.toReversed()) {
          addSecret.run(createdAt, Buffer.from(base64, "base64"));
        }
        return true;
      case "audit":
        audit.append(item.entry);
        return true;
      case "floor":
        floor.run(item.floor);
        return true;
    }
  }

  return (adoption) => {
    const leftOut: string[] = [];
    for (const item of adoption.items) {
      if (!adoptItem(item) && item.kind === "session") leftOut.push(item.session.id);
    }
    note.run(adoption.cursor);
    return leftOut;
  };
}
