import { type IdField, idFields } from "./fields.ts";
import type { RequestRecord } from "./record.ts";
import { type Identity, noIdentity, type Session } from "./session.ts";

/** A change of a session after its creation: ids were associated, or it got its next id, or both at once. */
export interface AssociationEvent {
  /** Unix ms. */
  readonly at: number;
  /** The number of requests that had been recorded before this event. */
  readonly after: number;
  /** The ids that were set. Their values are those of the session, because an id never changes (contract.md#rule-1). */
  readonly fields: readonly IdField[];
  /** True if the session got its next id. Then `fields` may be empty. The generation counts these events. */
  readonly isRotation: boolean;
}

/** The end of a session. */
export interface EndEvent {
  readonly type: "ended" | "expired";
  /** Unix ms. */
  readonly at: number;
}

/** A session with the events in its timeline. */
export interface Life {
  readonly session: Session;
  /** The associations and rotations, in the order of time. */
  readonly associations: readonly AssociationEvent[];
  /** The end of the session; `null` if the session is live. */
  readonly end: EndEvent | null;
}

/** Consecutive records of a session. */
export interface RecordPage {
  readonly life: Life;
  /** The number of all records of the session, including those that were removed. */
  readonly total: number;
  /** The number of records that were removed. They are always the oldest ones. */
  readonly dropped: number;
  /** The sequence number of the first of `records`. */
  readonly first: number;
  readonly records: readonly RequestRecord[];
}

/** Returns whether the session had no customer yet when its id of this generation was replaced (contract.md#rule-9). */
export function wasUnowned({ session, associations }: Life, generation: number): boolean {
  if (session.customerId === null) return true;
  const [rotation] = associations.filter(({ isRotation }) => isRotation).slice(generation);
  if (rotation === undefined) return false;
  const later = associations.slice(associations.indexOf(rotation));
  return later.some(({ fields }) => fields.includes("customerId"));
}

interface LifeEvent {
  readonly type: "created" | "associated" | "rotated" | EndEvent["type"];
  /** Unix ms. */
  readonly at: number;
  /** The ids that were set. */
  readonly fields: readonly IdField[];
}

interface RequestLine {
  readonly type: "request";
  readonly sequence: number;
  readonly record: RequestRecord;
}

/** An entry of the timeline, with the identity of the session at that time. */
export type Entry = (LifeEvent | RequestLine) & { readonly identity: Identity };

/** A position in a timeline: after the request with this sequence number, and after this many events. */
export interface Cursor {
  readonly sequence: number;
  /** `undefined` stands for all events that precede the request `sequence`. */
  readonly events: number | undefined;
}

export const timelineStart: Cursor = { sequence: 0, events: 0 };

export interface Page {
  readonly entries: readonly Entry[];
  /** The beginning of the next page; `undefined` on the last page. */
  readonly next: Cursor | undefined;
}

/** Parses a cursor such as `12` or `12.3`; returns `undefined` for other texts. */
export function parseCursor(text: string): Cursor | undefined {
  const [, sequence, events] = /^(\d{1,15})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  if (sequence === undefined) return undefined;
  if (sequence === "0" && events === undefined) return timelineStart;
  return {
    sequence: Number(sequence),
    events: events === undefined ? undefined : Number(events),
  };
}

/** Returns the text that `parseCursor` parses. */
export function formatCursor({ sequence, events }: Cursor): string {
  return events === undefined ? String(sequence) : `${sequence}.${events}`;
}

/**
 * Returns at most `limit` entries of the timeline after `cursor`: the requests in `recordPage`, and the events between
 * them. `recordPage` must begin at the cursor. If `recordPage` ends before the session's last request, the page ends
 * there too.
 */
export function pageOf(recordPage: RecordPage, cursor: Cursor, limit: number): Page {
  const { records, first, total, life } = recordPage;
  const events = eventsOf(life, total);
  const entries: Entry[] = [];
  let shown = cursor.events ?? events.filter(({ after }) => after < cursor.sequence).length;
  let sequence = cursor.sequence;
  let next = first;
  let identity = identityAfter(life, events.slice(0, shown));
  while (entries.length < limit) {
    const event = events[shown];
    if (event !== undefined && event.after < next) {
      shown++;
      identity = identityAfter(life, events.slice(0, shown));
      entries.push({ type: event.type, at: event.at, fields: event.fields, identity });
      continue;
    }
    const record = records[next - first];
    if (record === undefined) break;
    entries.push({ type: "request", sequence: next, record, identity });
    sequence = next++;
  }
  const isLast = next > total && shown >= events.length;
  return { entries, next: isLast ? undefined : { sequence, events: shown } };
}

/** Returns the events of a session in their order. */
function eventsOf({ session, associations, end }: Life, total: number): (LifeEvent & { readonly after: number })[] {
  const later = new Set(associations.flatMap(({ fields }) => fields));
  const initial = idFields.filter((field) => session[field] !== null && !later.has(field));
  return [
    { type: "created", at: session.createdAt, after: 0, fields: initial },
    ...associations.flatMap(changesIn),
    ...(end === null ? [] : [{ ...end, after: total, fields: [] }]),
  ];
}

/** Returns the entries of an event. If ids were associated and the session was rotated at once, the ids come first. */
function changesIn({ at, after, fields, isRotation }: AssociationEvent): (LifeEvent & { readonly after: number })[] {
  const associated = fields.length === 0 ? [] : [{ type: "associated" as const, at, after, fields }];
  return isRotation ? [...associated, { type: "rotated", at, after, fields: [] }] : associated;
}

/** Returns the identity of the session after `events`. */
function identityAfter({ session }: Life, events: readonly LifeEvent[]): Identity {
  const set = events.flatMap(({ fields }) => fields);
  return { ...noIdentity, ...Object.fromEntries(set.map((field) => [field, session[field]])) };
}
