import { idFields, idFieldTable } from "../../../session/fields.ts";
import { handleWith, randomOf, timeAndCount } from "../../../session/id.ts";
import { implicitSession, type Lifetimes } from "../../../session/lifetime.ts";
import { identityOf, type Session } from "../../../session/session.ts";
import { hasTraits } from "../../../session/traits.ts";

/** 2020-01-01 in Unix ms. Row keys count from this time, so that they are safe integers in JavaScript until 2089. */
export const EPOCH = 1_577_836_800_000;
/** The number of row keys for each millisecond: a key contains 12 bits of the counter in the session id. */
export const KEYS_PER_MS = 4096;
/** Subtracted from the last six random bytes, because SQLite stores only numbers from -2^47 to 2^47 - 1 in six bytes. */
const LOW_OFFSET = 2 ** 47;

/** The columns of `sessions` with ids, in the order in which they are read and written. */
export const idColumns = idFields.map((field) => idFieldTable[field].column);

/** SQL that is not NULL if a session has any id. */
export const ANY_ID = `coalesce(${idColumns.join(", ")})`;

/** The columns of `sessions` after its key, in the order in which they are read and written. */
export const sessionColumns = [
  "random_high",
  "random_low",
  "active_after",
  "expires_after",
  "ended",
  "generation",
  ...idColumns,
].join(", ");

/** The values of the column `ended` besides 0. */
export const ENDED = 1;
/** A purge has found the session expired. Nobody has ended it. */
export const SEEN_EXPIRED = 2;
/** The row is the tombstone of an erased session. */
export const ERASED = -1;

/** A row of `sessionColumns` as an array. */
export type SessionRow = [
  randomHigh: number,
  randomLow: number,
  activeAfter: number,
  expiresAfter: number,
  ended: number,
  generation: number | string,
  ...ids: (string | null)[],
];

export function keyOf(handle: string): number {
  const { createdAt, count } = timeAndCount(handle);
  return (createdAt - EPOCH) * KEYS_PER_MS + (count % KEYS_PER_MS);
}

/** Returns the creation time of the session with this row key, in Unix ms. */
export function createdAtOf(key: number): number {
  return Math.floor(key / KEYS_PER_MS) + EPOCH;
}

/** Returns the columns of a row that contain the random bytes of its handle. */
export function randomColumnsOf(handle: string): readonly [randomHigh: number, randomLow: number] {
  const { high, low } = randomOf(handle);
  return [high, low - LOW_OFFSET];
}

/** Returns whether a row with the key of this handle belongs to it. */
export function isRowOf(handle: string, randomHigh: number, randomLow: number): boolean {
  const { high, low } = randomOf(handle);
  return randomHigh === high && randomLow === low - LOW_OFFSET;
}

/** Returns the first handle that can have this row key: its random bytes are zeros. */
export function handleBeforeRow(key: number): string {
  return handleOf(key, 0, -LOW_OFFSET);
}

/** Returns the handle of a row. */
export function handleOf(key: number, randomHigh: number, randomLow: number): string {
  const count = ((key % KEYS_PER_MS) + KEYS_PER_MS) % KEYS_PER_MS;
  return handleWith((key - count) / KEYS_PER_MS + EPOCH, count, randomHigh, randomLow + LOW_OFFSET);
}

/** The content of the column `generation`. */
type GenerationAndTraits = readonly [generation: number, profile: string | null, label: string | null];

/**
 * Returns the value of the column `generation`. Few sessions have traits, and an empty column would take a byte. A
 * number is a `bigint`, because a column of the type ANY would store others as floating-point numbers of eight bytes.
 */
export function generationColumnOf(session: Session): bigint | string {
  const { generation, profile, label } = session;
  return hasTraits(session)
    ? JSON.stringify([generation, profile, label] satisfies GenerationAndTraits)
    : BigInt(generation);
}

function generationAndTraitsIn(value: number | string): GenerationAndTraits {
  return typeof value === "number" ? [value, null, null] : (JSON.parse(value) as GenerationAndTraits);
}

export function sessionOf(handle: string, key: number, row: SessionRow): Session {
  const createdAt = createdAtOf(key);
  const [generation, profile, label] = generationAndTraitsIn(row[5]);
  return {
    handle,
    generation,
    createdAt,
    lastActiveAt: createdAt + row[2],
    expiresAt: createdAt + row[3],
    ended: row[4] === ENDED || row[4] === ERASED,
    ...identityOf((_field, i) => row[6 + i] as string | null),
    profile,
    label,
  };
}

/** Returns the session that a handle names as long as nothing is stored under it (contract.md#rule-8). */
export function implicitSessionOf(handle: string, lifetimes: Lifetimes): Session {
  return implicitSession(handle, timeAndCount(handle).createdAt, lifetimes);
}

/** Returns true for an erased session's tombstone. Only a tombstone is ended and expires in the future. */
export function isErased({ ended, expiresAt }: Session, now: number): boolean {
  return ended && expiresAt > now;
}
