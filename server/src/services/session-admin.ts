import type { Clock } from "../runtime/clock.ts";
import { Refusal, withUnknownOutcome } from "../session/errors.ts";
import type { EndReason } from "../session/event.ts";
import { idFields } from "../session/fields.ts";
import { isUnconditional, type SessionFilter } from "../session/filter.ts";
import { handleIn, type IdIssuer, type VerifiedId } from "../session/id.ts";
import { isReached, mayEndAll, type Scope } from "../session/permissions.ts";
import { hasNoIds, isLive, type Session } from "../session/session.ts";
import type { RecordPage } from "../session/timeline.ts";
import type { Act } from "../store/audit-chain.ts";
import type { DataStore } from "../store/ports/data.ts";
import type { RecordPageRequest } from "../store/ports/records.ts";
import type { ListRequest, SessionPage, SessionSearch } from "../store/ports/search.ts";
import type { SessionStore } from "../store/ports/sessions.ts";
import type { AuditTrail, Initiator } from "./audit.ts";
import type { SessionName, SessionService } from "./sessions.ts";

/** State of a session. */
export type Status = "live" | "expired" | "ended";

/** Returns the state of a session at `now` (Unix ms). */
export function statusOf(session: Session, now: number): Status {
  if (isLive(session, now)) return "live";
  return session.ended ? "ended" : "expired";
}

/** A session, live or not, with its status; operators see it. */
export interface SessionView {
  readonly session: Session;
  readonly status: Status;
  /** Whether the request names this session as its own. Absent if the request names none. */
  readonly isCurrent?: boolean;
}

/** A request for a page of sessions. */
export interface ListOptions extends Pick<ListRequest, "filter" | "after" | "limit"> {
  /** The id of the caller's own session. An id that this service did not issue is ignored. */
  readonly currentId?: string | null;
}

/** A page of sessions, newest first. */
type SessionViewPage = Omit<SessionPage, "sessions"> & {
  readonly sessions: readonly SessionView[];
};

/** A request to end all live sessions that match a filter. */
export interface EndRequest {
  readonly filter: SessionFilter;
  /** Handle of a session that stays live although it matches. */
  readonly except?: string | null;
  /** The `next` of the previous batch; `null` for the first batch. */
  readonly after: string | null;
  /** If true, the sessions are only counted, not ended. */
  readonly isDry: boolean;
  /** The reason that the events of the ended sessions show; `bulk` by default. */
  readonly reason?: EndReason;
}

/** Result of one batch of an operation on many sessions. */
export interface Batch {
  /** Number of sessions that were processed. */
  readonly sessions: number;
  /** Cursor of the next batch; `null` after the last. */
  readonly next: string | null;
}

/** Maximum number of sessions that one batch examines (`MAX_BATCH`), and how many it reads at a time (`PAGE`). */
const MAX_BATCH = 2048;
const PAGE = 256;

interface SessionAdminParts {
  readonly store: Pick<SessionStore, "find" | "end"> & Pick<DataStore, "findWithData"> & SessionSearch;
  readonly service: Pick<SessionService, "end" | "find" | "readRecordPage">;
  readonly ids: Pick<IdIssuer, "verify">;
  readonly trail: Pick<AuditTrail, "audited" | "appendRefusal">;
  readonly logHash: (id: string) => string;
  readonly clock: Clock;
  readonly events: { ended(): void };
}

/**
 * Finds and ends the sessions of all customers, on behalf of operators. Each call does a bounded amount of work, so
 * that it does not delay other requests. All methods refuse with `unavailable` if the store cannot be used.
 */
export class SessionAdmin {
  readonly #parts: SessionAdminParts;

  constructor(parts: SessionAdminParts) {
    this.#parts = parts;
  }

  /**
   * Returns the session that an id or a handle names. Returns `undefined` if this service did not issue the id, if nothing
   * is stored under the handle, or if the session has expired and its ids may have been purged.
   */
  async get(idOrHandle: string): Promise<SessionView | undefined> {
    const { service, store, clock } = this.#parts;
    const named = await service.find(nameOf(idOrHandle), "everyone");
    if (named === undefined) return undefined;
    const now = clock();
    const session = await store.find(named.handle);
    // An expired session without ids may have had some that were purged, so it cannot be shown correctly.
    const isKnown = isLive(session, now) || session.ended || !hasNoIds(session);
    return isKnown ? { session, status: statusOf(session, now) } : undefined;
  }

  /** Returns a page of the timeline of a session; `undefined` if there is none. */
  readRecordPage(
    idOrHandle: string,
    bounds: Pick<RecordPageRequest, "after" | "limit">,
  ): Promise<RecordPage | undefined> {
    return this.#parts.service.readRecordPage(nameOf(idOrHandle), "everyone", bounds);
  }

  /** Returns the data of a live session, as JSON text and without renewing it; `undefined` if there is none. */
  async readData(idOrHandle: string): Promise<string | undefined> {
    const { service, store, clock } = this.#parts;
    const named = await service.find(nameOf(idOrHandle), "everyone");
    if (named === undefined) return undefined;
    const { session, data } = await store.findWithData(named.handle);
    return isLive(session, clock()) && isReached(session, named.generation, "everyone") ? data : undefined;
  }

  /** Returns a page of sessions, newest first, with the status of each. */
  async list({ filter, after, limit, currentId = null }: ListOptions): Promise<SessionViewPage> {
    const { store, clock, ids } = this.#parts;
    const { sessions, next, total } = await store.listSessions({ filter, after, limit, now: clock() });
    const now = clock();
    const current = currentId === null ? undefined : ids.verify(currentId);
    const views = sessions.map((session) => {
      const view = { session, status: statusOf(session, now) };
      return current === undefined ? view : { ...view, isCurrent: isOpenedBy(view, current) };
    });
    return { sessions: views, next, total };
  }

  /**
   * Ends the session that an id or a handle names. Returns false if no such live session is within the scope. An
   * application's own server ends it on behalf of the visitor, so the event has the reason `caller`. `auditsMissing`
   * says whether the audit trail gets an entry in that case too. It must be false for remote callers, who could fill
   * the trail with unknown ids.
   */
  end(
    by: Initiator,
    { idOrHandle, scope, auditsMissing }: { idOrHandle: string; scope?: Scope; auditsMissing: boolean },
  ): Promise<boolean> {
    const { trail, service, logHash } = this.#parts;
    return trail.audited(
      { ...by, what: "session.end", details: { session: handleIn(idOrHandle) ?? logHash(idOrHandle) } },
      () => service.end(nameOf(idOrHandle), scope, by.who.role === "service" ? "caller" : "operator"),
      (isFound) => (auditsMissing ? { isFound } : isFound ? {} : undefined),
    );
  }

  /**
   * Ends a batch of sessions, newest first. Refuses with `role-not-permitted` if an agent gives a filter that matches
   * every session.
   */
  async endMany(by: Initiator, request: EndRequest): Promise<Batch> {
    const { trail, logHash } = this.#parts;
    const { filter, except = null, after, isDry } = request;
    const isAll = isUnconditional(filter);
    const details = {
      ...redactedFilter(filter, logHash),
      ...(isAll ? { all: true } : {}),
      ...(except === null ? {} : { except }),
      dryRun: isDry,
      isContinued: after !== null,
    };
    const event = { ...by, what: "sessions.end", details };
    if (isAll && !mayEndAll(by.who)) {
      trail.appendRefusal(event);
      throw new Refusal({ code: "role-not-permitted" });
    }
    return trail.audited(
      event,
      () => endBatch(this.#parts, request),
      ({ sessions, next }) => ({ sessions, isComplete: next === null }),
    );
  }

  /**
   * Ends a batch of the caller's own sessions, newest first. Nothing is entered in the audit trail, because no session of
   * somebody else ends.
   */
  endOwn(customerId: string, request: EndRequest): Promise<Batch> {
    return endBatch(this.#parts, { ...request, filter: { ...request.filter, customerId } });
  }
}

/** Returns whether the session is live, and the id opens it: it is no id that a rotation has retired. */
function isOpenedBy({ session, status }: SessionView, id: VerifiedId): boolean {
  return status === "live" && session.handle === id.handle && session.generation === id.generation;
}

/** Operators may name every session by its handle. */
function nameOf(idOrHandle: string): SessionName {
  return { text: idOrHandle, findable: "everyone" };
}

async function endBatch(
  { store, clock, events }: SessionAdminParts,
  { filter, except = null, after, isDry, reason = "bulk" }: EndRequest,
): Promise<Batch> {
  let next = after;
  let count = 0;
  for (let examined = 0; examined < MAX_BATCH; examined += PAGE) {
    const request = { filter: { ...filter, live: true }, after: next, limit: PAGE, now: clock(), mustBeComplete: true };
    const page = await store.listSessions(request).catch((error: unknown) => {
      throw count > 0 && !isDry ? withUnknownOutcome(error) : error;
    });
    const sessions = page.sessions.filter(({ handle }) => handle !== except);
    if (isDry) count += sessions.length;
    else {
      const ended = await Promise.allSettled(
        sessions.map(({ handle }) => store.end({ handle, scope: "everyone", now: clock(), reason })),
      );
      for (const one of ended) {
        if (one.status === "rejected" || !one.value) continue;
        events.ended();
        count++;
      }
      const failed = ended.find(({ status }) => status === "rejected");
      // One node of a cluster may fail.
      if (failed?.status === "rejected") throw count > 0 ? withUnknownOutcome(failed.reason) : failed.reason;
    }
    next = page.next;
    if (next === null) break;
  }
  return { sessions: count, next };
}

/** Formats a filter for the audit trail: times as ISO 8601, ids and label as hashes, which need not be erased. */
function redactedFilter(filter: SessionFilter, hash: (id: string) => string): Act["details"] {
  const hashed: readonly string[] = [...idFields, "label"];
  const given = Object.entries(filter).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([name, value]) => {
      if (hashed.includes(name)) return [name, hash(String(value))];
      const isTime = name === "since" || name === "until" || name === "activeSince";
      return [name, isTime ? new Date(Number(value)).toISOString() : value];
    }),
  );
}
