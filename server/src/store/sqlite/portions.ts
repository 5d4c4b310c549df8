import type { DatabaseSync } from "node:sqlite";
import type { RecordPageRequest } from "../ports/records.ts";
import type { ExportPage, RecordsItem, SessionItem, TransferItem } from "../ports/transfer.ts";
import { recordOf } from "../record-line.ts";
import type { Tables } from "./apply.ts";
import { readAudit } from "./audit-table.ts";
import type { StretchLines } from "./changes.ts";
import { idOf } from "./rows.ts";
import { readFloor, readKeys, readSecrets } from "./small-tables.ts";

/*
 * Everything in the database, portion by portion:
 *
 *   small tables --> audit trail --> answers --> sessions by row, each with its records --> sessions without a row
 *
 * The last are those of which records lie in the journal and nothing else is known yet.
 */

/** How many items a portion has at the most, and after how many characters of records it ends. */
const MAX_ITEMS = 256;
const MAX_CHARACTERS = 512 * 1024;
/** How many records are one item. */
const RECORDS_AN_ITEM = 256;

/** Where a portion begins. */
interface Place {
  readonly phase: "audit" | "answers" | "sessions" | "unmerged";
  /** What is told last: a row, or the how manieth of the sessions without one. */
  readonly at: number;
  /** Of that, records are left to tell, from this sequence on; 0: none. */
  readonly from: number;
}

/** A session that is to be told, and where it stands. */
interface Standing {
  readonly id: string;
  readonly at: number;
}

/** Reads portions on the writer's connection, outside its transactions. */
export function createPortionReader(
  database: DatabaseSync,
  { sessions, answers, journal }: Tables,
  readStretch: (request: RecordPageRequest) => StretchLines | null,
): (after: string | null, now: number) => ExportPage {
  const rows = database.prepare("SELECT id, tail FROM sessions WHERE id > ? ORDER BY id LIMIT ?");
  const bounds = database.prepare("SELECT min(id) AS least, max(id) AS most FROM sessions");

  const begin = database.prepare("BEGIN");
  const commit = database.prepare("COMMIT");

  function smallTables(): ExportPage {
    const secrets = readSecrets(database).map(({ bytes, createdAt }) => ({
      base64: Buffer.from(bytes).toString("base64"),
      createdAt,
    }));
    const items: TransferItem[] = [
      { kind: "secrets", secrets },
      { kind: "floor", floor: readFloor(database) },
      ...readKeys(database).map((key) => ({ kind: "key", key }) as const),
    ];
    return { items, next: "audit 0 0", progress: 0 };
  }

  function auditFrom({ at }: Place): ExportPage {
    const entries = readAudit(database, at, MAX_ITEMS);
    const next = entries.length < MAX_ITEMS ? "answers 0 0" : `audit ${entries.at(-1)?.sequence} 0`;
    return {
      items: entries.map((entry) => ({ kind: "audit", entry }) as const),
      next,
      progress: 0,
    };
  }

  function answersFrom({ at }: Place): ExportPage {
    const found = answers.from(at, MAX_ITEMS);
    const last = found.at(-1)?.sequence ?? at;
    const next =
      found.length < MAX_ITEMS ? `sessions ${Number.MIN_SAFE_INTEGER} 0` : `answers ${last} 0`;
    return { items: found.map(({ item }) => item), next, progress: 0 };
  }

  function sessionsByRow(place: Place, now: number): ExportPage {
    // One that is told in part comes again.
    const found = rows.all(place.from > 0 ? place.at - 1 : place.at, MAX_ITEMS).map((row) => {
      const at = row["id"] as number;
      return { id: idOf(at, row["tail"] as string), at };
    });
    const { items, rest } = tell(found, place, now);
    const last = found.at(-1);
    if (last === undefined) return { items, next: "unmerged 0 0", progress: 1 };
    const reached = rest ?? { at: last.at, from: 0 };
    const { least, most } = bounds.get() as Record<"least" | "most", number>;
    const done = most === least ? 1 : (reached.at - least) / (most - least);
    return { items, next: `sessions ${reached.at} ${reached.from}`, progress: done };
  }

  function sessionsWithoutRow(place: Place, now: number): ExportPage {
    const start = place.from > 0 ? place.at - 1 : place.at;
    const end = start + MAX_ITEMS;
    const all = journal.unmergedSessions();
    const found = all.slice(start, end).map((id, i) => ({ id, at: start + i + 1 }));
    const unknown = found.filter(({ id }) => sessions.find(id) === undefined);
    const { items, rest } = tell(unknown, place, now);
    if (rest !== undefined) return { items, next: `unmerged ${rest.at} ${rest.from}`, progress: 1 };
    return { items, next: end < all.length ? `unmerged ${end} 0` : null, progress: 1 };
  }

  /** Sessions and their records; `rest`: where to go on when they are too long for one portion. */
  function tell(standing: readonly Standing[], place: Place, now: number) {
    const items: TransferItem[] = [];
    let room = MAX_CHARACTERS;
    for (const { id, at } of standing) {
      let from = place.from > 0 && at === place.at ? place.from : 0;
      for (let isMore = true; isMore; ) {
        if (room <= 0) return { items, rest: from === 0 ? { at: at - 1, from } : { at, from } };
        const told = tellFrom(id, from, now);
        items.push(...told.items);
        room -= told.characters;
        isMore = told.next !== undefined;
        from = told.next ?? 0;
      }
    }
    return { items, rest: undefined };
  }

  /** A session, unless its records from the sequence `from` on are to follow, and some of these. */
  function tellFrom(id: string, from: number, now: number) {
    const request = { id, scope: "everyone", after: Math.max(0, from - 1), now } as const;
    const found = readStretch({ ...request, limit: RECORDS_AN_ITEM });
    if (found === null) return { items: [], characters: 0, next: undefined };
    const { life, total, first, lines } = found;
    const { session, associations } = life;
    const items: (SessionItem | RecordsItem)[] = [];
    if (from === 0) items.push({ kind: "session", session, associations, requests: total });
    if (lines.length > 0) {
      items.push({ kind: "records", session, first, records: lines.map(recordOf) });
    }
    const characters = lines.reduce((sum, line) => sum + line.length, 0);
    const next = first + lines.length;
    return { items, characters, next: lines.length > 0 && next <= total ? next : undefined };
  }

  function read(after: string | null, now: number): ExportPage {
    if (after === null) return smallTables();
    const place = placeOf(after);
    if (place.phase === "audit") return auditFrom(place);
    if (place.phase === "answers") return answersFrom(place);
    return place.phase === "sessions" ? sessionsByRow(place, now) : sessionsWithoutRow(place, now);
  }

  return (after, now) => {
    // One transaction: each read alone would take and free locks, which is most of its time.
    begin.run();
    try {
      return read(after, now);
    } finally {
      if (database.isTransaction) commit.run();
    }
  };
}

function placeOf(text: string): Place {
  const [, phase, at, from] = /^(audit|answers|sessions|unmerged) (-?\d+) (\d+)$/.exec(text) ?? [];
  if (phase === undefined) throw new TypeError("no portion of this store begins there");
  return { phase: phase as Place["phase"], at: Number(at), from: Number(from) };
}
