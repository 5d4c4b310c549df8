import type { Clock } from "../runtime/clock.ts";
import { anySession, type SessionFilter } from "../session/filter.ts";
import { sortKeyOf } from "../session/id.ts";
import { isLive, type Session } from "../session/session.ts";
import {
  type Cursor,
  type Entry,
  formatCursor,
  pageOf,
  parseCursor,
  timelineStart,
} from "../session/timeline.ts";
import type { ApiKey, CredentialStore } from "../store/ports/credentials.ts";
import { type ErasureStore, MAX_ERASED } from "../store/ports/erasure.ts";
import type { IdempotencyStore, StoredResponseItem } from "../store/ports/idempotency.ts";
import type { RecordStore } from "../store/ports/records.ts";
import type { SessionPage, SessionSearch } from "../store/ports/search.ts";
import type { SessionStore } from "../store/ports/sessions.ts";

/** How a session stands. */
export type Status = "live" | "expired" | "ended";

/** How a session stands at `now` (ms). */
export function statusOf(session: Session, now: number): Status {
  if (isLive(session, now)) return "live";
  return session.ended ? "ended" : "expired";
}

/** A part of a work on many sessions. */
export interface Part {
  /** How many sessions were dealt with. */
  readonly sessions: number;
  /** Where the next part begins; `null`: this was the last. */
  readonly next: string | null;
}

/** What is told of a customer. */
export type ExportEntry =
  | { readonly type: "key"; readonly key: Omit<ApiKey, "hash"> }
  | { readonly type: "session"; readonly session: Session; readonly status: Status }
  | { readonly type: "entry"; readonly id: string; readonly entry: Entry }
  | { readonly type: "answer"; readonly id: string; readonly answer: StoredResponseItem };

/** A part of everything that is kept of a customer. */
export interface ExportPart extends Part {
  readonly told: readonly ExportEntry[];
}

/**
 * What those who run the service do with many sessions. Each call is a bounded piece of work, so that
 * nobody else waits for it, however many there are. All refuse with `unavailable`.
 */
export interface Administration {
  /** A page of sessions (`SessionSearch.listSessions`). */
  list(filter: SessionFilter, after: string | null, limit: number): Promise<SessionPage>;
  /** Ends live sessions, the newest first, from the place `after` on; with `isDry` only counts them. */
  end(filter: SessionFilter, after: string | null, isDry: boolean): Promise<Part>;
  /** What is kept of a customer, from where an earlier part names on. */
  exportCustomer(customerId: string, after: string | null): Promise<ExportPart>;
  /** Erases sessions of a customer and, when there are none left, their keys; goes on until `next` is `null`. */
  erase(customerId: string): Promise<Part & { readonly keys: number }>;
}

/** At most so many sessions a part: with their records that is some hundred milliseconds. */
const SESSIONS_ENDED = 2048;
const SESSIONS_ERASED = 1024;
const PAGE = 256;
/** About so many lines a part of what is told. */
const LINES_EXPORTED = 1000;

/** What administration works on. */
export interface AdministrationParts {
  readonly store: Pick<SessionStore, "end"> &
    SessionSearch &
    Pick<RecordStore, "readRecordPage"> &
    Pick<IdempotencyStore, "listStoredResponses"> &
    Pick<CredentialStore, "listApiKeys"> &
    ErasureStore;
  readonly clock: Clock;
  readonly events: { ended(): void };
}

/** The use cases over a store. */
export function createAdministration(parts: AdministrationParts): Administration {
  const { store, clock, events } = parts;
  const list: Administration["list"] = (filter, after, limit) =>
    store.listSessions({ filter, after, limit, now: clock() });

  async function endAll(found: readonly Session[]): Promise<number> {
    const ended = await Promise.all(found.map(({ id }) => store.end(id, clock())));
    const count = ended.filter(Boolean).length;
    for (let i = 0; i < count; i++) events.ended();
    return count;
  }

  /** A session's lines from `from` on, and where to go on with it; nothing when that was all. */
  async function tellTimeline(id: string, from: Cursor) {
    const request = { id, scope: "everyone", after: from.sequence, now: clock() } as const;
    const stretch = await store.readRecordPage({ ...request, limit: LINES_EXPORTED });
    if (stretch === undefined) return { told: [], next: undefined };
    const { entries, next } = pageOf(stretch, from, LINES_EXPORTED);
    return { told: entries.map((entry) => ({ type: "entry", id, entry }) as const), next };
  }

  async function tellSession(session: Session, from: Cursor | undefined) {
    const { id } = session;
    const status = statusOf(session, clock());
    const told: ExportEntry[] = from === undefined ? [{ type: "session", session, status }] : [];
    const timeline = await tellTimeline(id, from ?? timelineStart);
    told.push(...timeline.told);
    if (timeline.next !== undefined) return { told, next: timeline.next };
    const answers = await store.listStoredResponses(id, clock());
    told.push(...answers.map((answer) => ({ type: "answer", id, answer }) as const));
    return { told, next: undefined };
  }

  async function tellKeys(customerId: string): Promise<ExportEntry[]> {
    const keys = await store.listApiKeys();
    return keys
      .filter((key) => key.customerId === customerId)
      .map((key) => ({ type: "key", key: withoutHash(key) }) as const);
  }

  return {
    list,

    async end(filter, after, isDry) {
      let next = after;
      let sessions = 0;
      for (let looked = 0; looked < SESSIONS_ENDED; looked += PAGE) {
        const page = await list({ ...filter, live: true }, next, PAGE);
        sessions += isDry ? page.sessions.length : await endAll(page.sessions);
        next = page.next;
        if (next === null) break;
      }
      return { sessions, next };
    },

    async exportCustomer(customerId, after) {
      const start = after === null ? undefined : placeIn(after);
      const told = after === null ? await tellKeys(customerId) : [];
      let before = start?.after ?? null;
      let from = start?.from;
      let sessions = 0;
      while (told.length < LINES_EXPORTED) {
        const page = await list({ ...anySession, customerId }, before, 1);
        for (const session of page.sessions) {
          // Another may have come to be the customer's in between.
          const isSame = start?.session === sortKeyOf(session.id);
          const one = await tellSession(session, isSame ? from : undefined);
          told.push(...one.told);
          from = one.next;
          if (from !== undefined) {
            const next = [before ?? "-", sortKeyOf(session.id), formatCursor(from)].join(" ");
            return { told, sessions, next };
          }
          sessions++;
        }
        if (page.next === null) return { told, sessions, next: null };
        before = page.next;
      }
      return { told, sessions, next: before ?? "-" };
    },

    async erase(customerId) {
      const filter = { ...anySession, customerId };
      let sessions = 0;
      let after: string | null = null;
      while (sessions < SESSIONS_ERASED) {
        const page: SessionPage = await store.listSessions({
          ...{ filter, after, limit: MAX_ERASED, now: clock() },
          includePurgeable: true,
        });
        const ids = page.sessions.map(({ id }) => id);
        if (ids.length > 0) await store.eraseSessions(ids, clock());
        sessions += ids.length;
        after = page.next;
        if (after !== null) continue;
        const keys = await store.eraseCustomerApiKeys(customerId, clock());
        return { sessions, keys, next: null };
      }
      return { sessions, keys: 0, next: after };
    },
  };
}

function withoutHash(key: ApiKey): Omit<ApiKey, "hash"> {
  const { hash: _hash, ...rest } = key;
  return rest;
}

/** Where a part of what is told begins: after a place, and where in the session that follows it. */
function placeIn(text: string) {
  const [place = "-", session, cursor] = text.split(" ");
  const from = cursor === undefined ? undefined : parseCursor(cursor);
  return { after: place === "-" ? null : place, session, from };
}
