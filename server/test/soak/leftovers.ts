import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { RedisNode } from "../support/redis/node.ts";
import { MARK } from "./load.ts";

/** Tables whose rows stay: what belongs to the server itself, and what operators did. */
const LASTING = ["facts", "secrets", "keys", "audit"];
/** Stored responses to creates of sessions that were never stored stay for a day. */
const OF_A_DAY = ["answers"];

/** Rows by table of the data in a folder, read beside a running server or after it. */
export function rowsByTable(dataDir: string): Map<string, number> {
  const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    return new Map(
      tables.map(({ name }) => {
        const row = database.prepare(`SELECT count(*) AS rows FROM "${String(name)}"`).get();
        return [String(name), Number(row?.["rows"])];
      }),
    );
  } finally {
    database.close();
  }
}

/** What is left in tables that should be empty by now, such as `sessions: 3 rows`. */
export function leftInTables(dataDir: string): string[] {
  const mayStay = [...LASTING, ...OF_A_DAY];
  return [...rowsByTable(dataDir)]
    .filter(([table, rows]) => rows > 0 && !mayStay.includes(table))
    .map(([table, rows]) => `${table}: ${rows} rows`);
}

/** Files of a folder, with how often the mark of the load stands in their bytes, where it does. */
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

/** What is there of one kind of key, such as `s` for sessions. */
export interface KindOfKey {
  keys: number;
  /** How many never expire. */
  withoutTtl: number;
  /** In how many the mark of the load stands, in the name or the value. */
  marked: number;
}

/** What Redis keeps for good. */
const FOR_GOOD = "{fixed}";

/** All keys of a Redis, by kind. */
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

/** As `keysByKind`, with everything that there is to say of each key: it looks at the values, and takes long. */
export async function examinedKeys(node: RedisNode): Promise<Map<string, KindOfKey>> {
  // So that a dump has what was stored as it is.
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
