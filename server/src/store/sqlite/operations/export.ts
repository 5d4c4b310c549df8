import type { DatabaseSync } from "node:sqlite";
import { NO_DATA } from "../../../session/data.ts";
import { isLive, type Session } from "../../../session/session.ts";
import type { ExportPage, TransferItem, TransferredData } from "../../ports/transfer.ts";
import { recordOf } from "../../record-line.ts";
import { readApiKeys } from "../tables/api-key-table.ts";
import { readAuditEntries } from "../tables/audit-table.ts";
import { readClock, readSecrets } from "../tables/meta-tables.ts";
import { handleOf, keyOf } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import { readDeliveriesAfter, readEndpointItems } from "../webhooks/webhook-reads.ts";
import type { ReadOperations } from "../writer/writer-protocol.ts";

/*
 * Exports everything in the database, page by page:
 *
 *   small tables --> audit trail --> stored responses --> deliveries --> sessions with a row --> sessions without a row
 *
 * A session without a row is one whose records are all still in the journal. A session is followed by its records.
 */

/** The maximum number of audit entries, stored responses or sessions in a page. */
const MAX_ITEMS = 256;
/** The number of characters of records at which a page ends. */
const MAX_CHARACTERS = 512 * 1024;
/** The maximum number of records in an item. */
const RECORDS_PER_ITEM = 256;

/** The position at which a page begins. */
interface Cursor {
  readonly phase: "audit" | "responses" | "deliveries" | "sessions" | "unmerged";
  /** The key of the last exported row; in the phase "unmerged", a position in the list of `unmergedSessions`. */
  readonly at: number;
  /** The sequence of the next record of the session at `at`; 0 if all of its records were exported. */
  readonly from: number;
}

interface Context {
  readonly database: DatabaseSync;
  readonly tables: Tables;
  readonly readRecordPage: ReadOperations["readRecordPage"];
}

export function createExport(context: Context): ReadOperations["exportPage"] {
  const { database } = context;
  const begin = database.prepare("BEGIN");
  const commit = database.prepare("COMMIT");
  return ({ after, now }) => {
    // All reads of a page share one transaction. Otherwise each read would take and free locks, which is most of its
    // time.
    begin.run();
    try {
      if (after === null) return exportSmallTables(database);
      const cursor = parseCursor(after);
      return exportPhase[cursor.phase](context, cursor, now);
    } finally {
      if (database.isTransaction) commit.run();
    }
  };
}

function exportSmallTables(database: DatabaseSync): ExportPage {
  const secrets = readSecrets(database).map(({ bytes, createdAt }) => ({
    base64: Buffer.from(bytes).toString("base64"),
    createdAt,
  }));
  const items: TransferItem[] = [
    { kind: "secrets", secrets },
    { kind: "floor", floor: readClock(database) },
    ...readApiKeys(database).map((key) => ({ kind: "key", key }) as const),
    ...readEndpointItems(database),
  ];
  return { items, next: "audit 0 0", progress: 0 };
}

type Phase = (context: Context, cursor: Cursor, now: number) => ExportPage;

const exportPhase: Readonly<Record<Cursor["phase"], Phase>> = {
  audit({ database }, { at }) {
    const entries = readAuditEntries(database, at, MAX_ITEMS);
    const items = entries.map((entry) => ({ kind: "audit", entry }) as const);
    const isLast = entries.length < MAX_ITEMS;
    const next = isLast ? "responses 0 0" : `audit ${entries.at(-1)?.sequence} 0`;
    return { items, next, progress: 0 };
  },

  responses({ tables }, { at }) {
    const found = tables.responses.after(at, MAX_ITEMS);
    const isLast = found.length < MAX_ITEMS;
    const next = isLast ? "deliveries 0 0" : `responses ${found.at(-1)?.sequence} 0`;
    return { items: found.map(({ item }) => item), next, progress: 0 };
  },

  deliveries({ database }, { at }) {
    const found = readDeliveriesAfter(database, at, MAX_ITEMS);
    const isLast = found.length < MAX_ITEMS;
    const start = `sessions ${Number.MIN_SAFE_INTEGER} 0`;
    const next = isLast ? start : `deliveries ${found.at(-1)?.key} 0`;
    return { items: found.map(({ item }) => item), next, progress: 0 };
  },

  sessions(context, cursor, now) {
    const { database } = context;
    // If some records of the last session are not exported yet, this page begins with the same session.
    const after = cursor.from > 0 ? cursor.at - 1 : cursor.at;
    const located = database
      .prepare("SELECT id, random_high, random_low FROM sessions WHERE id > ? ORDER BY id LIMIT ?")
      .all(after, MAX_ITEMS)
      .map((row) => row as Record<"id" | "random_high" | "random_low", number>)
      .map((row) => ({ handle: handleOf(row.id, row.random_high, row.random_low), at: row.id }));
    const last = located.at(-1);
    if (last === undefined) return { items: [], next: "unmerged 0 0", progress: 1 };
    const { items, rest = { at: last.at, from: 0 } } = exportSessions(context, located, cursor, now);
    const share = database.prepare(
      "SELECT (? - min(id)) * 1.0 / nullif(max(id) - min(id), 0) AS progress FROM sessions",
    );
    const progress = (share.get(rest.at)?.["progress"] ?? 1) as number;
    return { items, next: `sessions ${rest.at} ${rest.from}`, progress };
  },

  unmerged(context, cursor, now) {
    const { journal, sessions } = context.tables;
    const start = cursor.from > 0 ? cursor.at - 1 : cursor.at;
    const end = start + MAX_ITEMS;
    const all = journal.unmergedSessions();
    const located = all.slice(start, end).map((handle, i) => ({ handle, at: start + i + 1 }));
    const withoutRow = located.filter(({ handle }) => sessions.find(handle) === undefined);
    const { items, rest } = exportSessions(context, withoutRow, cursor, now);
    if (rest !== undefined) return { items, next: `unmerged ${rest.at} ${rest.from}`, progress: 1 };
    return { items, next: end < all.length ? `unmerged ${end} 0` : null, progress: 1 };
  },
};

/** Exports sessions with their records. `rest` is where the next page begins if sessions are left. */
function exportSessions(
  context: Context,
  located: readonly { readonly handle: string; readonly at: number }[],
  cursor: Cursor,
  now: number,
) {
  const items: TransferItem[] = [];
  let room = MAX_CHARACTERS;
  for (const { handle, at } of located) {
    let from = cursor.from > 0 && at === cursor.at ? cursor.from : 0;
    for (let hasMore = true; hasMore; ) {
      if (room <= 0) return { items, rest: from === 0 ? { at: at - 1, from } : { at, from } };
      const part = exportSession(context, handle, from, now);
      items.push(...part.items);
      room -= part.characters;
      hasMore = part.next !== undefined;
      from = part.next ?? 0;
    }
  }
  return { items };
}

/** Exports records of a session from the sequence `from`; if that is 0, the session and its first records. */
function exportSession({ readRecordPage, tables }: Context, handle: string, from: number, now: number) {
  const after = Math.max(0, from - 1);
  const page = readRecordPage({ handle, scope: "everyone", after, limit: RECORDS_PER_ITEM, now });
  if (page === null) return { items: [], characters: 0 };
  const { life, total, first, lines } = page;
  const { session, associations } = life;
  const items: TransferItem[] = [];
  let characters = 0;
  if (from === 0) {
    const data = dataOf(tables, session, now);
    items.push({ kind: "session", session, associations, requests: total, ...(data !== undefined && { data }) });
    characters = data?.json.length ?? 0;
  }
  if (lines.length === 0) return { items, characters };
  items.push({ kind: "records", session, first, records: lines.map(recordOf) });
  characters = lines.reduce((sum, line) => sum + line.length, characters);
  const next = first + lines.length;
  return next <= total ? { items, characters, next } : { items, characters };
}

/** Returns the data of a session; `undefined` if it has never had any. */
function dataOf({ sessions, data }: Tables, session: Session, now: number): TransferredData | undefined {
  const { handle } = session;
  const found = data.find(keyOf(handle));
  // Another session may have the row key of a handle without a row.
  if (found === undefined || sessions.find(handle) === undefined) return undefined;
  return isLive(session, now) ? found : { ...found, json: NO_DATA };
}

function parseCursor(text: string): Cursor {
  const pattern = /^(audit|responses|deliveries|sessions|unmerged) (-?\d+) (\d+)$/;
  const [, phase, at, from] = pattern.exec(text) ?? [];
  if (phase === undefined) throw new TypeError(`${text} is not a cursor of this store's export`);
  return { phase: phase as Cursor["phase"], at: Number(at), from: Number(from) };
}
