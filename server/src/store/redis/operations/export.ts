import type { Session } from "../../../session/session.ts";
import type { ExportPage, TransferItem, TransferredData } from "../../ports/transfer.ts";
import type { Argument } from "../connection/connection.ts";
import type { NodeClient } from "../connection/node-client.ts";
import type { Engine, Operation } from "../engine.ts";
import * as audit from "../globals/audit-trail.ts";
import { readApiKeys, readSecrets } from "../globals/credentials.ts";
import { readHighWaterMark } from "../globals/store-state.ts";
import { hasHadData } from "../layout/session-codec.ts";
import { readRecordPage } from "../records/record-pages.ts";
import { decodeData } from "../sessions/data.ts";
import { type DeliveryPosition, exportDeliveries, exportEndpoints } from "../webhooks/transfer.ts";
import { readResponse } from "./idempotency.ts";

/*
 * Exports all data in Redis, page by page. The first page has the secrets, the high-water mark and the API keys. The
 * next pages have the audit trail, then the deliveries of webhooks. The other pages have the keys that SCAN finds on each primary, one primary after the
 * other. The cursor of a page contains the keys that SCAN has found and that are not exported yet.
 */

/** Approximate number of keys that one SCAN examines. */
const KEYS_PER_SCAN = 128;
/** Number of characters of records after which a page ends. */
const MAX_CHARACTERS = 512 * 1024;
/** Maximum number of audit entries in a page. */
const ENTRIES = 256;
/** Maximum number of records in an item. */
const RECORDS_AN_ITEM = 256;

/** The cursor of a page. */
interface Cursor {
  /** Primaries and epoch of the cluster. The SCAN cursor is valid only while these do not change. */
  readonly topology: string;
  /** Number of audit entries that are exported already; `null` if all are. */
  readonly audited: number | null;
  /** Position in the deliveries of webhooks; `null` if all are exported already. */
  readonly deliveries: DeliveryPosition | null;
  /** Index of the primary that is being exported. */
  readonly node: number;
  /** SCAN cursor on that primary. */
  readonly cursor: string;
  /** Redis keys that SCAN has found. Their data are exported before the next SCAN. */
  readonly found: readonly string[];
  /** Sequence of the last exported record of the first key in `found`; 0 if no record of that key is exported. */
  readonly after: number;
}

/** Items with the data of one Redis key. If there are more, they follow in the next call. */
interface KeyItems {
  readonly items: readonly TransferItem[];
  /** Number of characters of the records in `items`. */
  readonly characters: number;
  /** Sequence of the last exported record if there are more records; `undefined` if the key is completely exported. */
  readonly next: number | undefined;
}

const nothing: KeyItems = { items: [], characters: 0, next: undefined };

/** Exports the page at the cursor `after`; `null` for the first. Makes several round trips, each with a deadline. */
export async function exportPage(engine: Engine, after: string | null): Promise<ExportPage> {
  if (after === null) return exportGlobals(engine);
  const cursor = JSON.parse(after) as Cursor;
  const { nodes, topology } = await readTopology(engine);
  if (topology !== cursor.topology) {
    throw new Error("the primaries of the cluster have changed: begin again");
  }
  if (cursor.audited !== null) return exportAudit(engine, cursor, cursor.audited);
  if (cursor.deliveries === null) return exportKeys(engine, nodes, cursor);
  const { items, next } = await exportDeliveries(engine.begin(), cursor.deliveries);
  return { items, next: JSON.stringify({ ...cursor, deliveries: next } satisfies Cursor), progress: 0 };
}

async function readTopology(engine: Engine): Promise<{ nodes: NodeClient[]; topology: string }> {
  const primaries = engine.connection.primaries();
  const nodes = [...primaries.values()];
  const isCluster = nodes.length > 1;
  const info = isCluster ? await commandOn(engine, nodes[0] as NodeClient, "cluster", "info") : "";
  const epoch = /cluster_current_epoch:(\d+)/.exec(String(info))?.[1] ?? "0";
  return { nodes, topology: `${[...primaries.keys()].join(" ")} ${epoch}` };
}

function commandOn(engine: Engine, node: NodeClient, name: string, ...args: Argument[]) {
  return engine.connection.commandOn(engine.begin(), node, name, ...args);
}

async function exportGlobals(engine: Engine): Promise<ExportPage> {
  const operation = engine.begin();
  const secrets = (await readSecrets(operation)).map(({ bytes, createdAt }) => ({
    base64: Buffer.from(bytes).toString("base64"),
    createdAt,
  }));
  const items: TransferItem[] = [
    { kind: "secrets", secrets },
    { kind: "floor", floor: await readHighWaterMark(operation) },
    ...(await readApiKeys(operation)).map((key) => ({ kind: "key", key }) as const),
    ...(await exportEndpoints(operation)),
  ];
  const { topology } = await readTopology(engine);
  const start: Cursor = {
    topology,
    audited: 0,
    deliveries: { endpoint: 0, before: null },
    node: 0,
    cursor: "0",
    found: [],
    after: 0,
  };
  return { items, next: JSON.stringify(start), progress: 0 };
}

async function exportAudit(engine: Engine, cursor: Cursor, audited: number): Promise<ExportPage> {
  const operation = engine.begin();
  const entries = await audit.read(operation, audited, audited + ENTRIES - 1);
  const items = entries.map((entry) => ({ kind: "audit", entry }) as const);
  const isLast = entries.length < ENTRIES;
  const next: Cursor = { ...cursor, audited: isLast ? null : audited + entries.length };
  return { items, next: JSON.stringify(next), progress: 0 };
}

async function exportKeys(engine: Engine, nodes: readonly NodeClient[], from: Cursor) {
  const node = nodes[from.node];
  if (node === undefined) return { items: [], next: null, progress: 1 };
  let { cursor, found, after } = from;
  if (found.length === 0) {
    const args = [cursor, "MATCH", engine.keys.exported, "COUNT", KEYS_PER_SCAN];
    const reply = (await commandOn(engine, node, "scan", ...args)) as [string, string[]];
    cursor = reply[0];
    found = [...new Set(reply[1])];
    after = 0;
  }
  const page = await fillPage(engine, found, after);
  const isNodeDone = page.left.length === 0 && cursor === "0";
  const next: Cursor = {
    ...from,
    node: isNodeDone ? from.node + 1 : from.node,
    cursor,
    found: page.left,
    after: page.after,
  };
  const isLast = isNodeDone && next.node === nodes.length;
  return {
    items: page.items,
    next: isLast ? null : JSON.stringify(next),
    progress: (from.node + (isNodeDone ? 1 : progressOf(cursor))) / nodes.length,
  };
}

/**
 * Exports the Redis keys `found` until the page is full. `from` is the sequence of the last exported record of the
 * first one. Returns the items, the keys that are not completely exported (`left`), and the new `from` (`after`).
 */
async function fillPage(engine: Engine, found: readonly string[], from: number) {
  const items: TransferItem[] = [];
  let room = MAX_CHARACTERS;
  let after = from;
  for (const [i, name] of found.entries()) {
    for (let isMore = true; isMore; ) {
      if (room <= 0) return { items, left: found.slice(i), after };
      const part = await exportKey(engine, name, after);
      items.push(...part.items);
      room -= part.characters;
      isMore = part.next !== undefined;
      after = part.next ?? 0;
    }
  }
  return { items, left: [], after: 0 };
}

async function exportKey(engine: Engine, name: string, after: number): Promise<KeyItems> {
  const { keys } = engine;
  const { kind, text } = keys.parse(name);
  const operation = engine.begin();
  if (kind === "response") {
    const item = await readResponse(operation, text);
    return item === undefined ? nothing : { ...nothing, items: [item] };
  }
  if (kind === "records") {
    // If the session is stored too, its records are exported together with it.
    const count = await operation.command("exists", keys.session(text));
    if (count === 1) return nothing;
  }
  return exportSession(engine, text, after);
}

async function exportSession(engine: Engine, handle: string, after: number): Promise<KeyItems> {
  const operation = engine.begin();
  const { now } = operation;
  const request = { handle, scope: "everyone", after, limit: RECORDS_AN_ITEM, now } as const;
  const page = await readRecordPage(operation, request);
  if (page === undefined) return nothing;
  const { life, total, first, records } = page;
  const { session, associations } = life;
  const items: TransferItem[] = [];
  let characters = 0;
  if (after === 0) {
    const data = await dataOf(operation, session);
    items.push({ kind: "session", session, associations, requests: total, ...(data !== undefined && { data }) });
    characters = data?.json.length ?? 0;
  }
  if (records.length === 0) return { ...nothing, items, characters };
  items.push({ kind: "records", session, first, records });
  const last = first + records.length - 1;
  characters += JSON.stringify(records).length;
  return { items, characters, next: last < total ? last : undefined };
}

/** Returns the data of a session; `undefined` if it has never had any. */
async function dataOf(operation: Operation, { handle }: Session): Promise<TransferredData | undefined> {
  const { keys } = operation;
  const [text, value] = (await operation.command("mget", keys.session(handle), keys.data(handle))) as unknown[];
  return typeof text === "string" && hasHadData(text) ? decodeData(value) : undefined;
}

/** Returns the progress of a SCAN from 0 to 1. A SCAN cursor counts upwards with its bits in reverse order. */
function progressOf(cursor: string): number {
  let [progress, bit] = [0, 0.5];
  for (let rest = BigInt(cursor); rest > 0n && bit > 1e-6; rest >>= 1n, bit /= 2) {
    if ((rest & 1n) === 1n) progress += bit;
  }
  return progress;
}
