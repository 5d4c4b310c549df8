import { timeAndCount } from "../../session/id.ts";
import { implicitSession, type Lifetimes } from "../../session/lifetime.ts";
import type { Session } from "../../session/session.ts";

/** 2020-01-01: keys that count from here fit JavaScript's integers until 2089. */
export const EPOCH = 1_577_836_800_000;
/** How many ids of one millisecond a key tells apart (12 bits of the id's count). */
export const KEYS_PER_MS = 4096;
/** Where the tail begins: the characters before it say no more than the key does. */
const TAIL_START = 10;

/** The columns of `sessions` after its key, in the order in which they are read and written. */
export const sessionColumns =
  "tail, active_after, expires_after, ended, agent_id, customer_id, visit_id, global_visit_id";

/** A row of `sessionColumns`, as SQLite gives it in array mode. */
export type SessionRow = [
  tail: string,
  activeAfter: number,
  expiresAfter: number,
  ended: number,
  agentId: string | null,
  customerId: string | null,
  visitId: string | null,
  globalVisitId: string | null,
];

/** The row key of a session id. */
export function keyOf(id: string): number {
  const { createdAt, count } = timeAndCount(id);
  return (createdAt - EPOCH) * KEYS_PER_MS + (count % KEYS_PER_MS);
}

/** The part of a session id that its key does not tell. */
export function tailOf(id: string): string {
  return id.slice(TAIL_START);
}

/** The place of a row in the order of creation, as `placeOf` gives it but for what is random in it. */
export function placeOfKey(key: number): string {
  const count = ((key % KEYS_PER_MS) + KEYS_PER_MS) % KEYS_PER_MS;
  const claim = Buffer.alloc(18);
  claim.writeUIntBE((key - count) / KEYS_PER_MS + EPOCH, 0, 6);
  claim.writeUInt16BE(count, 6);
  return claim.toString("base64url");
}

/** The session id of a row. */
export function idOf(key: number, tail: string): string {
  const count = ((key % KEYS_PER_MS) + KEYS_PER_MS) % KEYS_PER_MS;
  const head = Buffer.alloc(9);
  head.writeUIntBE((key - count) / KEYS_PER_MS + EPOCH, 0, 6);
  head.writeUInt16BE(count, 6);
  return head.toString("base64url").slice(0, TAIL_START) + tail;
}

/** The session in a row. */
export function sessionOf(id: string, key: number, row: SessionRow): Session {
  const createdAt = Math.floor(key / KEYS_PER_MS) + EPOCH;
  return {
    id,
    createdAt,
    lastActiveAt: createdAt + row[1],
    expiresAt: createdAt + row[2],
    // 2 stands for one that has expired and that the sweep has seen to (see `sweep.ts`).
    ended: row[3] === 1,
    agentId: row[4],
    customerId: row[5],
    visitId: row[6],
    globalVisitId: row[7],
  };
}

/** Returns the implicit session of an id (contract.md#rule-8). */
export function describedById(id: string, lifetimes: Lifetimes): Session {
  return implicitSession(id, timeAndCount(id).createdAt, lifetimes);
}
