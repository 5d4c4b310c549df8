/*
 * The ids of callers that a session can have, declared once: columns, stored texts, indexes, headers, filters, options
 * and schemas are made from this table. Each id is indexed, can be filtered by, and is shown in every response.
 * CONTRIBUTING.md ("Add a field") lists what else a new id needs.
 */

/** How an id is sent and stored. What is stored never changes: data of earlier releases have it. */
interface IdFieldRow {
  /** The part of a request that has the id: a header in two spellings, `gkc_<name>` and `gkc-<name>`, or the JSON body. */
  readonly sentIn: "header" | "body";
  /** How many sessions usually share such an id. A search uses the index of the id with the fewest sessions. */
  readonly usualSessions: number;
  /** A power of two that stands for the id in stored sets of ids. 16 has another meaning in the index of SQLite. */
  readonly bit: number;
  /** The column of the table `sessions` in SQLite. */
  readonly column: string;
  /** The line of a session's text in Redis, from 0. Lines 0 to 2, 7 and 8 have other content. */
  readonly redisLine: number;
  /** The first of the ten characters of an id's hash, which has 43, that the indexes in Redis use. */
  readonly redisHash: number;
}

/** The ids in the order in which they are checked, stored and shown. */
export const idFieldTable = {
  agentId: {
    sentIn: "header",
    usualSessions: 1000,
    bit: 1,
    column: "agent_id",
    redisLine: 3,
    redisHash: 0,
  },
  customerId: {
    sentIn: "header",
    usualSessions: 100,
    bit: 2,
    column: "customer_id",
    redisLine: 4,
    redisHash: 10,
  },
  visitId: {
    sentIn: "body",
    usualSessions: 1,
    bit: 4,
    column: "visit_id",
    redisLine: 5,
    redisHash: 20,
  },
  globalVisitId: {
    sentIn: "body",
    usualSessions: 10,
    bit: 8,
    column: "global_visit_id",
    redisLine: 6,
    redisHash: 30,
  },
} as const satisfies Readonly<Record<`${string}Id`, IdFieldRow>>;

/** The name of an id, as in requests and responses. */
export type IdField = keyof typeof idFieldTable;

export const idFields = Object.keys(idFieldTable) as readonly IdField[];

/** The ids that requests have in headers, and in their body. */
export const headerFields = idFields.filter((field) => idFieldTable[field].sentIn === "header");
export const bodyFields = idFields.filter((field) => idFieldTable[field].sentIn === "body");

/** Returns the header of an id in both spellings, because proxies drop names with underscores by default. */
export function headerNames(field: IdField): readonly [string, string] {
  return [`gkc_${field}`, `gkc-${field}`];
}

/** The ids in the order in which a search chooses an index. */
export const idsBySelectivity: readonly IdField[] = idFields.toSorted(
  (a, b) => idFieldTable[a].usualSessions - idFieldTable[b].usualSessions,
);

/** Returns the sum of the bits of these ids, which stands for the set of them. */
export function bitSetOf(fields: readonly IdField[]): number {
  return fields.reduce((sum, field) => sum + idFieldTable[field].bit, 0);
}

/** Returns the ids in a set that `bitSetOf` has made. */
export function fieldsOfBitSet(bits: number): IdField[] {
  return idFields.filter((field) => (bits & idFieldTable[field].bit) !== 0);
}
