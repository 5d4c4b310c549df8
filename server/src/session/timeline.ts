import type { IdField } from "./errors.ts";
import type { RequestRecord } from "./record.ts";
import { type Identity, idFields, noIdentity, type Session } from "./session.ts";

/** Ids that were associated with a session after its creation. */
export interface AssociationEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** How many requests had been recorded by then. */
  readonly after: number;
  /** The ids that it set. Their values are the session's, since an id stays (contract.md#rule-1). */
  readonly fields: readonly IdField[];
}

/** How a session ended, and when (ms). */
export interface EndEvent {
  readonly type: "ended" | "expired";
  readonly at: number;
}

/** A session's own life, as its timeline tells it. */
export interface Life {
  readonly session: Session;
  /** In their order. */
  readonly associations: readonly AssociationEvent[];
  /** `null` while it lives. */
  readonly end: EndEvent | null;
}

/** A stretch of a session's records, and what is known of all of them. */
export interface RecordPage {
  readonly life: Life;
  /** Requests that were recorded in all, also those that were let go. */
  readonly total: number;
  /** The oldest, which were let go. */
  readonly dropped: number;
  /** The sequence of the first of `records`, which are without gaps. */
  readonly first: number;
  readonly records: readonly RequestRecord[];
}

/** A line of the timeline, with the identity of its moment. */
export type Entry =
  | {
      readonly type: "request";
      readonly sequence: number;
      readonly record: RequestRecord;
      readonly identity: Identity;
    }
  | {
      readonly type: "created" | "associated" | EndEvent["type"];
      readonly at: number;
      /** The ids that came with it. */
      readonly fields: readonly IdField[];
      readonly identity: Identity;
    };

/** Where in a timeline to go on: after this many requests, and after this many moments of its life. */
export interface Cursor {
  readonly sequence: number;
  /** `undefined`: after those that came before the request of that sequence. */
  readonly moments: number | undefined;
}

/** The beginning of a timeline. */
export const timelineStart: Cursor = { sequence: 0, moments: 0 };

/** A page of a timeline. */
export interface Page {
  readonly entries: readonly Entry[];
  /** Where the next page begins; `undefined` after the last. */
  readonly next: Cursor | undefined;
}

/** A moment of a session's life and its place: after so many requests. */
interface Moment {
  readonly type: "created" | "associated" | EndEvent["type"];
  readonly at: number;
  readonly after: number;
  readonly fields: readonly IdField[];
}

/** `12` or `12.3`, as a caller gives it, or `undefined` when it is neither. */
export function parseCursor(text: string): Cursor | undefined {
  const [, sequence, moments] = /^(\d{1,15})(?:\.(\d{1,2}))?$/.exec(text) ?? [];
  if (sequence === undefined) return undefined;
  if (sequence === "0" && moments === undefined) return timelineStart;
  return {
    sequence: Number(sequence),
    moments: moments === undefined ? undefined : Number(moments),
  };
}

/** The text that `parseCursor` reads. */
export function formatCursor({ sequence, moments }: Cursor): string {
  return moments === undefined ? String(sequence) : `${sequence}.${moments}`;
}

/**
 * At most `limit` lines of the timeline from `cursor` on: the requests of `stretch`, which begins
 * there, and the moments of the session's life between them. Where the stretch stops short of the
 * last request, so does the page.
 */
export function pageOf(stretch: RecordPage, cursor: Cursor, limit: number): Page {
  const { records, first, total, life } = stretch;
  const moments = momentsOf(life, total);
  const entries: Entry[] = [];
  let shown = cursor.moments ?? moments.filter(({ after }) => after < cursor.sequence).length;
  let sequence = cursor.sequence;
  let next = first;
  let identity = identityAfter(life, moments.slice(0, shown));
  while (entries.length < limit) {
    const moment = moments[shown];
    if (moment !== undefined && moment.after < next) {
      shown++;
      identity = identityAfter(life, moments.slice(0, shown));
      entries.push({ type: moment.type, at: moment.at, fields: moment.fields, identity });
      continue;
    }
    const record = records[next - first];
    if (record === undefined) break;
    entries.push({ type: "request", sequence: next, record, identity });
    sequence = next++;
  }
  const isLast = next > total && shown >= moments.length;
  return { entries, next: isLast ? undefined : { sequence, moments: shown } };
}

/** The moments of a life in their order. */
function momentsOf({ session, associations, end }: Life, total: number): Moment[] {
  const later = new Set(associations.flatMap(({ fields }) => fields));
  const born = idFields.filter((field) => session[field] !== null && !later.has(field));
  return [
    { type: "created", at: session.createdAt, after: 0, fields: born },
    ...associations.map((event) => ({ type: "associated" as const, ...event })),
    ...(end === null ? [] : [{ ...end, after: total, fields: [] }]),
  ];
}

/** Who the session was after `moments`. */
function identityAfter({ session }: Life, moments: readonly Moment[]): Identity {
  const known = moments.flatMap(({ fields }) => fields);
  return { ...noIdentity, ...Object.fromEntries(known.map((field) => [field, session[field]])) };
}
