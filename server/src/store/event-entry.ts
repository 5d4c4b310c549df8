import type { EndReason, ExpiryReason, LoggedEvent } from "../session/event.ts";
import { bitSetOf, fieldsOfBitSet, type IdField, idFields, idFieldTable } from "../session/fields.ts";
import { identityOf, type Session } from "../session/session.ts";

/*
 * The entries of the event log. An entry has no ids: it refers to its session. The ids of a session never change once
 * they are set, so the identity of the moment follows from the fields that were set then.
 */

/** A change of a session that the log publishes. */
export type SessionChange =
  | { readonly type: "session.created" | "session.rotated" }
  | { readonly type: "session.associated"; readonly added: readonly IdField[] }
  | { readonly type: "session.ended"; readonly reason: EndReason }
  | { readonly type: "session.expired"; readonly reason: ExpiryReason };

/** The kinds of changes. The position of a kind stands for it in entries, so new kinds go to the end. */
const kinds = [
  { type: "session.created" },
  { type: "session.associated" },
  { type: "session.rotated" },
  { type: "session.ended", reason: "caller" },
  { type: "session.ended", reason: "bulk" },
  { type: "session.ended", reason: "operator" },
  { type: "session.ended", reason: "logout" },
  { type: "session.expired", reason: "idle" },
  { type: "session.expired", reason: "lifetime" },
] as const;

const kindNumbers = new Map<string, number>(kinds.map((kind, i) => [nameOf(kind), i]));

function nameOf(kind: { readonly type: string; readonly reason?: string }): string {
  return "reason" in kind ? `${kind.type} ${kind.reason}` : kind.type;
}

/** The fields that an association has added are shifted by this number of bits. */
const ADDED = 4;

/**
 * An entry about a session: the kind, the reference to the session (in SQLite its row key, in Redis its handle), the
 * time in ms after its creation, the set of the ids that it had after the change, plus the set of added ids. While the
 * session lives: its expiry and, unless it is the time of the entry, its last use, both in ms after the creation. Later
 * both are those of the stored session.
 */
export type SessionEntry<Reference = number> = readonly [
  kind: number,
  session: Reference,
  at: number,
  ids: number,
  expiresAfter?: number | undefined,
  activeAfter?: number | undefined,
];

/** An entry about an erased customer: the hash of the id, and the time in Unix ms. */
export type ErasureEntry = readonly [customerHash: string, at: number];

export type EventEntry = SessionEntry | ErasureEntry;

/** The session right after a change, as an entry needs it. Times are in ms after the creation of the session. */
export interface Moment {
  /** The time of the change. */
  readonly after: number;
  /** The bits of the ids that the session had (`session/fields.ts`). */
  readonly ids: number;
  readonly expiresAfter: number;
  readonly activeAfter: number;
}

/** Returns the text of an entry, without brackets: the parts of a `SessionEntry` with commas between them. */
export function entryText(change: SessionChange, reference: number | string, moment: Moment): string {
  const { after, ids, expiresAfter, activeAfter } = moment;
  const sets = change.type === "session.associated" ? ids + (bitSetOf(change.added) << ADDED) : ids;
  const head = `${kindNumbers.get(nameOf(change))},${reference},${after},${sets}`;
  if (isOver(change)) return head;
  return `${head},${expiresAfter}${activeAfter === after ? "" : `,${activeAfter}`}`;
}

/** Returns the JSON text of an entry about a change at `at` (Unix ms) that led to `session`, which has this row key. */
export function sessionEntry(change: SessionChange, session: Session, key: number, at: number): string {
  const { createdAt, expiresAt, lastActiveAt } = session;
  let ids = 0;
  for (const field of idFields) if (session[field] !== null) ids += idFieldTable[field].bit;
  const times = { expiresAfter: expiresAt - createdAt, activeAfter: lastActiveAt - createdAt };
  return `[${entryText(change, key, { after: at - createdAt, ids, ...times })}]`;
}

export function erasureEntry(customerHash: string, at: number): string {
  return JSON.stringify([customerHash, at] satisfies ErasureEntry);
}

export function isErasure(entry: EventEntry): entry is ErasureEntry {
  return typeof entry[0] === "string";
}

/** Returns an erasure as an event. */
export function erasureOf([customerHash, timestamp]: ErasureEntry, id: string): LoggedEvent {
  return { id, type: "customer.erased", timestamp, customerHash };
}

/**
 * Returns a change as an event. `session` is the session as it is stored now. Returns `undefined` if it no longer has an
 * id that it had then, because it was erased.
 */
export function eventOf(entry: SessionEntry<unknown>, id: string, session: Session): LoggedEvent | undefined {
  const [kindNumber, , at, sets, expiresAfter, activeAfter = at] = entry;
  const kind = kinds[kindNumber];
  if (kind === undefined) return undefined;
  const had = (field: IdField) => (sets & idFieldTable[field].bit) !== 0;
  if (idFields.some((field) => had(field) && session[field] === null)) return undefined;
  const { handle, createdAt, label } = session;
  const times =
    expiresAfter === undefined
      ? { lastActiveAt: session.lastActiveAt, expiresAt: session.expiresAt }
      : { lastActiveAt: createdAt + activeAfter, expiresAt: createdAt + expiresAfter };
  const identity = identityOf((field) => (had(field) ? session[field] : null));
  const stamp = { id, timestamp: createdAt + at };
  const moment = { handle, ...identity, createdAt, ...times, label };
  if (kind.type !== "session.associated") return { ...stamp, ...kind, session: moment };
  return { ...stamp, type: kind.type, added: fieldsOfBitSet(sets >> ADDED), session: moment };
}

/** Returns the type of the event of an entry; `undefined` for a kind that this release does not know. */
export function typeOfEntry([kind]: SessionEntry<unknown>): SessionChange["type"] | undefined {
  return kinds[kind]?.type;
}

function isOver({ type }: SessionChange): boolean {
  return type === "session.ended" || type === "session.expired";
}
