import { timeAndCount } from "../../../session/id.ts";
import { implicitSession, type Lifetimes } from "../../../session/lifetime.ts";
import type { Session } from "../../../session/session.ts";

/** 2020-01-01 in Unix ms: keys that count from here are safe integers in JavaScript until 2089. */
export const EPOCH = 1_577_836_800_000;
/** Row keys for each millisecond (12 bits of the id's count). */
export const KEYS_PER_MS = 4096;
/** The first characters of a session id, which contain no more than its row key. */
const HEAD_LENGTH = 10;

/** The columns of `sessions` after its key, in the order in which they are read and written. */
export const sessionColumns =
  "tail, active_after, expires_after, ended, agent_id, customer_id, visit_id, global_visit_id";

/** A row of `sessionColumns` as an array. */
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

export function keyOf(id: string): number {
  const { createdAt, count } = timeAndCount(id);
  return (createdAt - EPOCH) * KEYS_PER_MS + (count % KEYS_PER_MS);
}

/** Returns the part of a session id that its row key does not contain. */
export function tailOf(id: string): string {
  return id.slice(HEAD_LENGTH);
}

/** Returns the first 24 characters of the ids with this row key, with zeros for the random bytes. */
export function sortKeyOfRow(key: number): string {
  const count = ((key % KEYS_PER_MS) + KEYS_PER_MS) % KEYS_PER_MS;
  const bytes = Buffer.alloc(18);
  bytes.writeUIntBE((key - count) / KEYS_PER_MS + EPOCH, 0, 6);
  bytes.writeUInt16BE(count, 6);
  return bytes.toString("base64url");
}

export function idOf(key: number, tail: string): string {
  return sortKeyOfRow(key).slice(0, HEAD_LENGTH) + tail;
}

export function sessionOf(id: string, key: number, row: SessionRow): Session {
  const createdAt = Math.floor(key / KEYS_PER_MS) + EPOCH;
  return {
    id,
    createdAt,
    lastActiveAt: createdAt + row[1],
    expiresAt: createdAt + row[2],
    // 2 means that the purge has seen that it expired.
    ended: row[3] === 1,
    agentId: row[4],
    customerId: row[5],
    visitId: row[6],
    globalVisitId: row[7],
  };
}

/** Returns the implicit session of an id: what holds if nothing is stored (contract.md#rule-8). */
export function implicitSessionOf(id: string, lifetimes: Lifetimes): Session {
  return implicitSession(id, timeAndCount(id).createdAt, lifetimes);
}

/** True for a session that `erase` has left: it ends in the future, any other in the past. */
export function isErased({ ended, expiresAt }: Session, now: number): boolean {
  return ended && expiresAt > now;
}
