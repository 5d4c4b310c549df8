import type { Clock } from "../runtime/clock.ts";
import { NO_DATA } from "../session/data.ts";
import { withUnknownOutcome } from "../session/errors.ts";
import { anySession } from "../session/filter.ts";
import type { Session } from "../session/session.ts";
import { type Cursor, type Entry, pageOf, timelineStart } from "../session/timeline.ts";
import type { CredentialStore } from "../store/ports/credentials.ts";
import type { DataStore } from "../store/ports/data.ts";
import { type ErasureStore, MAX_ERASED } from "../store/ports/erasure.ts";
import type { IdempotencyStore, StoredResponseItem } from "../store/ports/idempotency.ts";
import type { RecordStore } from "../store/ports/records.ts";
import type { SessionPage, SessionSearch } from "../store/ports/search.ts";
import type { AuditEvent, AuditTrail, Initiator } from "./audit.ts";
import { type ApiKeyEvents, type ApiKeyInfo, withoutHash } from "./credentials.ts";
import { type Batch, type SessionView, statusOf } from "./session-admin.ts";

/** An item in the export of a customer. */
export type ExportEntry =
  | { readonly type: "key"; readonly key: ApiKeyInfo }
  | ({ readonly type: "session" } & SessionView)
  /** Session data as JSON text. The entry follows that of its session. */
  | { readonly type: "data"; readonly handle: string; readonly data: string }
  | { readonly type: "entry"; readonly handle: string; readonly entry: Entry }
  | { readonly type: "answer"; readonly handle: string; readonly answer: StoredResponseItem };

/** A page of the export of a customer. `sessions` is the number of sessions whose last entry is in this page. */
export interface CustomerExportPage extends Batch {
  readonly entries: readonly ExportEntry[];
  /** Number of sessions that are complete after this page, in all pages so far. */
  readonly total: number;
}

/** Result of erasing a batch of sessions. The last batch also erases the customer's API keys and counts them. */
export interface ErasedBatch extends Batch {
  readonly keys: number;
}

/** Maximum number of sessions in a batch of an erasure. Such a batch takes some hundred milliseconds. */
const MAX_BATCH = 1024;
/** Approximate number of entries in a page of an export. */
const EXPORT_PAGE = 1000;

interface CustomerAdminParts {
  readonly store: SessionSearch &
    Pick<RecordStore, "readRecordPage"> &
    Pick<DataStore, "findWithData"> &
    Pick<IdempotencyStore, "listStoredResponses"> &
    Pick<CredentialStore, "listApiKeys"> &
    ErasureStore;
  readonly trail: Pick<AuditTrail, "append" | "audited">;
  readonly logHash: (id: string) => string;
  readonly clock: Clock;
  readonly events: ApiKeyEvents;
}

/**
 * Exports and erases everything about a customer. Each call does a bounded amount of work, so that it does not delay
 * other requests. All methods refuse with `unavailable` if the store cannot be used.
 */
export class CustomerAdmin {
  readonly #parts: CustomerAdminParts;

  constructor(parts: CustomerAdminParts) {
    this.#parts = parts;
  }

  /** Returns the export's page at the cursor `after`. Adds audit entries before the first and after the last page. */
  async exportPage(by: Initiator, customerId: string, after: string | null): Promise<CustomerExportPage> {
    const { trail } = this.#parts;
    const event = this.#exporting(by, customerId, after !== null);
    if (after === null) await trail.append(event, "begun");
    return trail.audited(
      event,
      () => readExportPage(this.#parts, customerId, after),
      ({ next, total: sessions }) => (next === null ? { sessions } : undefined),
    );
  }

  /** Enters in the audit trail that an export was stopped before its end. */
  abortExport(by: Initiator, customerId: string): Promise<void> {
    return this.#parts.trail.append(this.#exporting(by, customerId, true), "failed");
  }

  /** Erases a batch. The caller repeats this until `next` is `null`. */
  async erase(by: Initiator, customerId: string): Promise<ErasedBatch> {
    const { trail, logHash, events } = this.#parts;
    const event = { ...by, what: "customer.erase", details: { customer: logHash(customerId) } };
    await trail.append(event, "begun");
    const batch = await trail.audited(
      event,
      () => eraseBatch(this.#parts, customerId),
      ({ sessions, keys, next }) => ({ sessions, keys, isComplete: next === null }),
    );
    await events.keysChanged?.();
    return batch;
  }

  #exporting(by: Initiator, customerId: string, isContinued: boolean): AuditEvent {
    const details = { customer: this.#parts.logHash(customerId), isContinued };
    return { ...by, what: "customer.export", details };
  }
}

async function eraseBatch({ store, clock, logHash }: CustomerAdminParts, customerId: string): Promise<ErasedBatch> {
  const filter = { ...anySession, customerId };
  let sessions = 0;
  let after: string | null = null;
  while (sessions < MAX_BATCH) {
    const page: SessionPage = await store.listSessions({
      ...{ filter, after, limit: MAX_ERASED, now: clock() },
      includePurgeable: true,
      mustBeComplete: true,
    });
    const handles = page.sessions.map(({ handle }) => handle);
    if (handles.length > 0) await afterOthers(store.eraseSessions(handles, clock()));
    sessions += handles.length;
    after = page.next;
    if (after !== null) continue;
    const keys = await afterOthers(store.eraseCustomerApiKeys(customerId, logHash(customerId), clock()));
    return { sessions, keys, next: null };
  }
  return { sessions, keys: 0, next: after };
}

/** Waits for a change of many steps, some of which may be done when a later one is refused. */
function afterOthers<T>(change: Promise<T>): Promise<T> {
  return change.catch((error: unknown) => {
    throw withUnknownOutcome(error);
  });
}

/** A position in an export. The cursor of a page is this position as JSON text. */
interface ExportPosition {
  /** Number of sessions that the earlier pages have completed. */
  readonly sessions: number;
  /** Cursor of the next session (`ListRequest.after`). */
  readonly after: string | null;
  /** Handle of a session whose timeline continues on the next page, at the position `from`. */
  readonly session?: string;
  readonly from?: Cursor;
}

async function readExportPage(
  parts: CustomerAdminParts,
  customerId: string,
  cursor: string | null,
): Promise<CustomerExportPage> {
  const { store, clock } = parts;
  const start: ExportPosition = cursor === null ? { sessions: 0, after: null } : (JSON.parse(cursor) as ExportPosition);
  const entries = cursor === null ? await keysOf(store, customerId) : [];
  const filter = { ...anySession, customerId };
  let { after, from } = start;
  let sessions = 0;
  const pageUpTo = (position: Omit<ExportPosition, "sessions"> | null) => {
    const total = start.sessions + sessions;
    const next = position && JSON.stringify({ ...position, sessions: total });
    return { entries, sessions, total, next };
  };
  while (entries.length < EXPORT_PAGE) {
    const page = await store.listSessions({ filter, after, limit: 1, now: clock(), mustBeComplete: true });
    for (const session of page.sessions) {
      // The session may be another one than before, if one was associated with the customer since the previous page.
      const part = await exportSession(parts, session, start.session === session.handle ? from : undefined);
      entries.push(...part.entries);
      from = part.next;
      if (from !== undefined) return pageUpTo({ after, session: session.handle, from });
      sessions++;
    }
    if (page.next === null) return pageUpTo(null);
    after = page.next;
  }
  return pageUpTo({ after });
}

async function keysOf(store: CustomerAdminParts["store"], customerId: string): Promise<ExportEntry[]> {
  const keys = (await store.listApiKeys()).filter((key) => key.customerId === customerId);
  return keys.map((key) => ({ type: "key", key: withoutHash(key) }));
}

/** Exports a session from the position `from` in its timeline. `next` is `undefined` when it is complete. */
async function exportSession(
  { store, clock }: CustomerAdminParts,
  session: Session,
  from: Cursor | undefined,
): Promise<{ readonly entries: ExportEntry[]; readonly next: Cursor | undefined }> {
  const { handle } = session;
  const status = statusOf(session, clock());
  const entries: ExportEntry[] = [];
  if (from === undefined) {
    entries.push({ type: "session", session, status });
    const { data } = await store.findWithData(handle);
    if (status === "live" && data !== NO_DATA) entries.push({ type: "data", handle, data });
  }
  const start = from ?? timelineStart;
  const request = { handle, scope: "everyone", after: start.sequence, limit: EXPORT_PAGE } as const;
  const records = await store.readRecordPage({ ...request, now: clock() });
  if (records !== undefined) {
    const page = pageOf(records, start, EXPORT_PAGE);
    entries.push(...page.entries.map((entry) => ({ type: "entry", handle, entry }) as const));
    if (page.next !== undefined) return { entries, next: page.next };
  }
  const responses = await store.listStoredResponses(handle, clock());
  entries.push(...responses.map((answer) => ({ type: "answer", handle, answer }) as const));
  return { entries, next: undefined };
}
