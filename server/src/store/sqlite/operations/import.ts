import type { DatabaseSync } from "node:sqlite";
import { isLive } from "../../../session/session.ts";
import type { SessionItem, TransferItem } from "../../ports/transfer.ts";
import { lineOf } from "../../record-line.ts";
import { keyOf } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { WriteOperations } from "../writer/writer-protocol.ts";

/** Creates the operation that stores items which another store exported. It returns the ids of skipped sessions. */
export function createImport(
  database: DatabaseSync,
  { sessions, data, segments, responses, apiKeys, audit, endpoints, deliveries }: Tables,
): WriteOperations["importItems"] {
  const advanceClock = database.prepare("UPDATE facts SET clock = max(clock, ?)");
  const setCursor = database.prepare("UPDATE facts SET import_cursor = ?");
  const deleteSecrets = database.prepare("DELETE FROM secrets");
  const insertSecret = database.prepare("INSERT INTO secrets (created_at, bytes) VALUES (?, ?)");

  function importOther(item: Exclude<TransferItem, SessionItem>): unknown {
    switch (item.kind) {
      case "records":
        return segments.import(item.session.handle, item.first, item.records.map(lineOf));
      case "answer":
        return responses.import(item);
      case "key":
        return apiKeys.import(item.key);
      case "secrets":
        deleteSecrets.run();
        // The item has the newest secret first, but here the newest is inserted last. If two secrets have the same
        // time, the one that was inserted later counts as the newer one.
        return item.secrets
          .toReversed()
          .map(({ base64, createdAt }) => insertSecret.run(createdAt, Buffer.from(base64, "base64")));
      case "endpoint":
        return endpoints.import(item.endpoint);
      case "delivery":
        return deliveries.import(item.endpointId, item.delivery, item.body);
      case "audit":
        return audit.append(item.entry);
      case "floor":
        return advanceClock.run(item.floor);
    }
  }

  /** Returns false if another session has the same row key. */
  function importSession(item: SessionItem, now: number): boolean {
    const { handle } = item.session;
    if (!sessions.import(item)) return false;
    if (item.data !== undefined) {
      const stored = sessions.find(handle);
      data.import(keyOf(handle), item.data, stored !== undefined && isLive(stored, now));
    }
    return true;
  }

  return ({ items, cursor, now }) => {
    const skipped: string[] = [];
    for (const item of items) {
      if (item.kind !== "session") importOther(item);
      else if (!importSession(item, now)) skipped.push(item.session.handle);
    }
    setCursor.run(cursor);
    return skipped;
  };
}
