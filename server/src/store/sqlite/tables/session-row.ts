import { idFields, idFieldTable } from "../../../session/fields.ts";
import { timeAndCount } from "../../../session/id.ts";
import { implicitSession, type Lifetimes } from "../../../session/lifetime.ts";
import { identityOf, type Session } from "../../../session/session.ts";

/** 2020-01-01 in Unix ms. Row keys count from this time, so that they are safe integers in JavaScript until 2089. */
export const EPOCH = 1_577_836_800_000;
/** The number of row keys for each millisecond: a key contains 12 bits of the counter in the session id. */
export const KEYS_PER_MS = 4096;
/** The number of characters at the beginning of a handle that can be computed from its row key. */
const HEAD_LENGTH = 10;

/** The columns of `sessions` with ids, in the order in which they are read and written. */
export const idColumns = idFields.map((field) => idFieldTable[field].column);

/** SQL that is not NULL if a session has any id. */
export const ANY_ID = `coalesce(${idColumns.join(", ")})`;

/** The columns of `sessions` after its key, in the order in which they are read and written. */
export const sessionColumns = ["tail", "active_after", "expires_after", "ended", ...idColumns].join(", ");

/** A row of `sessionColumns` as an array. */
export type SessionRow = [
  tail: string,
  activeAfter: number,
  expiresAfter: number,
  ended: number,
  ...ids: (string | null)[],
];

export function keyOf(handle: string): number {
  const { createdAt, count } = timeAndCount(handle);
  return (createdAt - EPOCH) * KEYS_PER_MS + (count % KEYS_PER_MS);
}

/** Returns the part of a handle that its row key does not contain. */
export function tailOf(handle: string): string {
  return handle.slice(HEAD_LENGTH);
}

/** Returns a handle with the time and the count of a row, and zeros for the random bytes. */
export function handleBeforeRow(key: number): string {
  const count = ((key % KEYS_PER_MS) + KEYS_PER_MS) % KEYS_PER_MS;
  const bytes = Buffer.alloc(18);
  bytes.writeUIntBE((key - count) / KEYS_PER_MS + EPOCH, 0, 6);
  bytes.writeUInt16BE(count, 6);
  return bytes.toString("base64url");
}

export function handleOf(key: number, tail: string): string {
  return handleBeforeRow(key).slice(0, HEAD_LENGTH) + tail;
}

export function sessionOf(handle: string, key: number, row: SessionRow): Session {
  const createdAt = Math.floor(key / KEYS_PER_MS) + EPOCH;
  return {
    handle,
    generation: 0,
    createdAt,
    lastActiveAt: createdAt + row[1],
    expiresAt: createdAt + row[2],
    // 2 means that the purge has found the session expired. Nobody has ended it.
    ended: row[3] === 1,
    ...identityOf((_field, i) => row[4 + i] as string | null),
  };
}

/** Returns the implicit session of a handle. It counts while nothing is stored for it (contract.md#rule-8). */
export function implicitSessionOf(handle: string, lifetimes: Lifetimes): Session {
  return implicitSession(handle, timeAndCount(handle).createdAt, lifetimes);
}

/** Returns true for an erased session's tombstone. Only a tombstone is ended and expires in the future. */
export function isErased({ ended, expiresAt }: Session, now: number): boolean {
  return ended && expiresAt > now;
}
