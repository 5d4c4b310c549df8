import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { RedisNode } from "../support/redis/node.ts";
import { MARK } from "./load.ts";

/** Tables whose rows stay: data of the server itself, and the audit trail. */
const LASTING = ["facts", "secrets", "keys", "audit", "statistics"];
/** Tables whose rows stay for a day: stored responses, also to creates of sessions that were never stored. */
const OF_A_DAY = ["stored_responses"];

/** Counts rows that have contents, by table in a data folder, while a server runs or afterwards. */
export function rowsByTable(dataDir: string): Map<string, number> {
  const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 30000");
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    return new Map(
      tables.map(({ name }) => {
        // The newest row of the event log stays without its entries, so that no position is used again.
        const filled = name === "events" ? "WHERE entries <> ''" : "";
        const row = database.prepare(`SELECT count(*) AS rows FROM "${String(name)}" ${filled}`).get();
        return [String(name), Number(row?.["rows"])];
      }),
    );
  } finally {
    database.close();
  }
}

/** Returns the rows left in tables that should be empty, such as `sessions: 3 rows`. */
export function leftInTables(dataDir: string): string[] {
  const mayStay = [...LASTING, ...OF_A_DAY];
  return [...rowsByTable(dataDir)]
    .filter(([table, rows]) => rows > 0 && !mayStay.includes(table))
    .map(([table, rows]) => `${table}: ${rows} rows`);
}

/** Returns the files of a folder that contain the load's mark, with the number of occurrences. */
export function leftInFiles(dataDir: string): string[] {
  return readdirSync(dataDir, { withFileTypes: true }).flatMap((entry) => {
    const count = entry.isFile() ? occurrences(readFileSync(join(dataDir, entry.name))) : 0;
    return count === 0 ? [] : [`${entry.name}: ${count} times`];
  });
}

function occurrences(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + 1)) count++;
  return count;
}

/** The keys of one kind; `s`, for example, is the kind of sessions. */
export interface KindOfKey {
  keys: number;
  /** The number of keys that never expire. */
  withoutTtl: number;
  /** The number of keys with the mark of the load in the name or the value. */
  marked: number;
}

/** The kind of the keys that never expire. */
const FOR_GOOD = "{fixed}";

/** Counts the keys of a Redis by kind. */
export async function keysByKind(node: RedisNode): Promise<Map<string, KindOfKey>> {
  const kinds = new Map<string, KindOfKey>();
  let cursor = "0";
  do {
    const [next, names] = (await node.command("SCAN", cursor, "COUNT", 1000)) as [string, string[]];
    cursor = next;
    for (const name of names) {
      const kind = name.includes(FOR_GOOD) ? FOR_GOOD : (name.split(":")[1] ?? name);
      const known = kinds.get(kind) ?? { keys: 0, withoutTtl: 0, marked: 0 };
      known.keys++;
      kinds.set(kind, known);
    }
  } while (cursor !== "0");
  return kinds;
}

/** Counts like `keysByKind`, but also reads the values of all keys, which takes long. */
export async function examinedKeys(node: RedisNode): Promise<Map<string, KindOfKey>> {
  // Without compression, a dump contains the stored bytes unchanged.
  await node.command("CONFIG", "SET", "rdbcompression", "no");
  const kinds = await keysByKind(node);
  for (const name of (await node.command("KEYS", "*")) as string[]) {
    const kind = kinds.get(name.includes(FOR_GOOD) ? FOR_GOOD : (name.split(":")[1] ?? name));
    const [ttl, dump] = await Promise.all([node.command("TTL", name), node.command("DUMP", name)]);
    if (kind === undefined || ttl === -2) continue;
    if (ttl === -1) kind.withoutTtl++;
    if (`${name} ${String(dump)}`.includes(MARK)) kind.marked++;
  }
  return kinds;
}
