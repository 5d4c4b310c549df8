import type { Redis } from "ioredis";
import type { Stretch } from "../../../session/timeline.ts";
import type { Item, Portion } from "../../moving.ts";
import type { StretchRequest } from "../../store.ts";
import type { Connection, Operation } from "../connection/connection.ts";
import type { Fixed } from "../globals/globals.ts";
import type { Keys } from "../layout/key-names.ts";
import type { Answers } from "./idempotency.ts";

/*
 * Everything in Redis, portion by portion: the fixed keys, then what SCAN finds on one primary after the
 * other. Where a portion begins is a place in that, with the keys that were found and are not told yet.
 */

/** How many keys SCAN looks at, about. */
const KEYS_A_SCAN = 128;
/** After how many characters of records a portion ends. */
const MAX_CHARACTERS = 512 * 1024;
/** How many entries of the audit trail a portion has. */
const ENTRIES = 256;
/** How many records are one item. */
const RECORDS_AN_ITEM = 256;

/** Where a portion begins. */
interface Place {
  /** The primaries and their epoch: what a cursor of SCAN means changes with them. */
  readonly topology: string;
  /** How many entries of the audit trail have been told; `null`: all. */
  readonly audited: number | null;
  /** The how manieth of the primaries. */
  readonly node: number;
  readonly cursor: string;
  /** Found, and to be told before the cursor is used. */
  readonly found: readonly string[];
  /** The sequence after which records of the first of them are left to tell; 0: all of it is. */
  readonly after: number;
}

export interface PortionParts {
  readonly connection: Connection;
  readonly keys: Keys;
  readonly fixed: Fixed;
  readonly answers: Answers;
  readonly readStretch: (
    operation: Operation,
    request: RecordPageRequest,
  ) => Promise<RecordPage | undefined>;
}

/** Reads portions. What is told of each place takes several round trips, so each has its own deadline. */
export function createPortionReader(
  parts: PortionParts,
): (after: string | null, now: number) => Promise<ExportPage> {
  const { connection, keys, fixed, answers, readStretch } = parts;

  async function topology(now: number): Promise<{ nodes: Redis[]; text: string }> {
    const primaries = connection.primaries();
    const nodes = [...primaries.values()];
    const info = nodes.length > 1 ? await ask(nodes[0] as Redis, now, "cluster", "info") : "";
    const epoch = /cluster_current_epoch:(\d+)/.exec(String(info))?.[1] ?? "0";
    return { nodes, text: `${[...primaries.keys()].join(" ")} ${epoch}` };
  }

  function ask(node: Redis, now: number, name: string, ...words: (string | number)[]) {
    return connection.ask(connection.begin(now), node, name, ...words);
  }

  async function fixedItems(now: number): Promise<ExportPage> {
    const operation = connection.begin(now);
    const secrets = (await fixed.secrets(operation)).map(({ bytes, createdAt }) => ({
      base64: Buffer.from(bytes).toString("base64"),
      createdAt,
    }));
    const items: TransferItem[] = [
      { kind: "secrets", secrets },
      { kind: "floor", floor: await fixed.floor(operation) },
      ...(await fixed.keys(operation)).map((key) => ({ kind: "key", key }) as const),
    ];
    const { text } = await topology(now);
    const start: Place = { topology: text, audited: 0, node: 0, cursor: "0", found: [], after: 0 };
    return { items, next: JSON.stringify(start), progress: 0 };
  }

  /** The audit trail, then the rest. */
  async function auditItems(place: Place, audited: number, now: number): Promise<ExportPage> {
    const entries = await fixed.audit(connection.begin(now), audited, audited + ENTRIES - 1);
    const items = entries.map((entry) => ({ kind: "audit", entry }) as const);
    const isAll = entries.length < ENTRIES;
    const next: Place = { ...place, audited: isAll ? null : audited + entries.length };
    return { items, next: JSON.stringify(next), progress: 0 };
  }

  async function scan(nodes: readonly Redis[], place: Place, now: number): Promise<ExportPage> {
    const node = nodes[place.node];
    if (node === undefined) return { items: [], next: null, progress: 1 };
    let { cursor, found, after } = place;
    let isNodeDone = false;
    if (found.length === 0) {
      const words = [cursor, "MATCH", keys.moving, "COUNT", KEYS_A_SCAN];
      const [next, names] = (await ask(node, now, "scan", ...words)) as [string, string[]];
      cursor = next;
      found = [...new Set(names)];
      after = 0;
    }
    const told = await tell(found, after, now);
    isNodeDone = told.left.length === 0 && cursor === "0";
    const next: Place = {
      ...place,
      node: isNodeDone ? place.node + 1 : place.node,
      cursor,
      // A cursor of 0 would begin again.
      found: told.left,
      after: told.after,
    };
    const isLast = isNodeDone && next.node === nodes.length;
    return {
      items: told.items,
      next: isLast ? null : JSON.stringify(next),
      progress: (place.node + (isNodeDone ? 1 : shareOf(cursor))) / nodes.length,
    };
  }

  /** Items of the keys, as many as a portion holds, and what is left of them. */
  async function tell(found: readonly string[], from: number, now: number) {
    const items: TransferItem[] = [];
    let room = MAX_CHARACTERS;
    let after = from;
    for (const [i, name] of found.entries()) {
      for (let isMore = true; isMore; ) {
        if (room <= 0) return { items, left: found.slice(i), after };
        const told = await tellKey(name, after, now);
        items.push(...told.items);
        room -= told.characters;
        isMore = told.next !== undefined;
        after = told.next ?? 0;
      }
    }
    return { items, left: [], after: 0 };
  }

  async function tellKey(name: string, after: number, now: number) {
    const nothing = { items: [] as TransferItem[], characters: 0, next: undefined };
    const { kind, text } = keys.parse(name);
    const operation = connection.begin(now);
    if (kind === "answer") {
      const item = await answers.read(operation, text);
      return { ...nothing, items: item === undefined ? [] : [item] };
    }
    if (kind === "records") {
      // It comes with its session, if that is stored.
      const isStored = await connection.command(operation, "exists", keys.session(text));
      if (isStored === 1) return nothing;
    }
    return tellSession(operation, text, after);
  }

  async function tellSession(operation: Operation, id: string, after: number) {
    const { now } = operation;
    const request = { id, scope: "everyone", after, limit: RECORDS_AN_ITEM, now } as const;
    const found = await readStretch(operation, request);
    if (found === undefined) return { items: [], characters: 0, next: undefined };
    const { life, total, first, records } = found;
    const { session, associations } = life;
    const items: TransferItem[] =
      after === 0 ? [{ kind: "session", session, associations, requests: total }] : [];
    if (records.length > 0) items.push({ kind: "records", session, first, records });
    const last = first + records.length - 1;
    return {
      items,
      characters: records.length === 0 ? 0 : JSON.stringify(records).length,
      next: records.length > 0 && last < total ? last : undefined,
    };
  }

  return async (after, now) => {
    if (after === null) return fixedItems(now);
    const place = JSON.parse(after) as Place;
    const { nodes, text } = await topology(now);
    if (text !== place.topology) {
      throw new Error("the primaries of the cluster have changed: begin again");
    }
    const { audited } = place;
    return audited === null ? scan(nodes, place, now) : auditItems(place, audited, now);
  };
}

/** How far a cursor of SCAN is, 0 to 1: it counts in reversed bits. */
function shareOf(cursor: string): number {
  let [share, bit] = [0, 0.5];
  for (let rest = BigInt(cursor); rest > 0n && bit > 1e-6; rest >>= 1n, bit /= 2) {
    if ((rest & 1n) === 1n) share += bit;
  }
  return share;
}
