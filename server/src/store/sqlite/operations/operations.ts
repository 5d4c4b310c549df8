import type { DatabaseSync } from "node:sqlite";
import { associate } from "../../../session/association.ts";
import { idFields } from "../../../session/fields.ts";
import { type Lifetimes, renewed } from "../../../session/lifetime.ts";
import { isReached } from "../../../session/permissions.ts";
import { hasNoIds, isBare, isLive, type Session } from "../../../session/session.ts";
import type { AssociationRequest, AssociationResult, CreateResult, EndRequest } from "../../ports/sessions.ts";
import type { EventTable } from "../events/event-table.ts";
import type { WriterOptions } from "../options.ts";
import { implicitSessionOf, keyOf } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { ReadOperations, WriteOperations } from "../writer/writer-protocol.ts";
import { createChangeData } from "./change-data.ts";
import { createErase } from "./erase.ts";
import { createExport } from "./export.ts";
import { createImport } from "./import.ts";
import { ExpiryPurge } from "./purge-expired.ts";
import { createRecordReader } from "./record-pages.ts";
import { createSessionSearch } from "./session-search.ts";

/**
 * Creates the operations that write. Each runs inside the transaction of its group, and applies the rules of
 * `session/`. There is only one writer, so the data that an operation reads cannot change before the commit.
 */
export function createWriteOperations(database: DatabaseSync, tables: Tables, options: WriterOptions): WriteOperations {
  const { index, journal, responses, apiKeys, audit, events, deliveries, data, statistics } = tables;
  const { lifetimes } = options;
  const insertSecret = database.prepare("INSERT INTO secrets (created_at, bytes) VALUES (?, ?)");
  const removeSignOuts = database.prepare("DELETE FROM sign_outs WHERE until_at <= ?");
  const insertSignOut = database.prepare("INSERT OR REPLACE INTO sign_outs (id, until_at) VALUES (?, ?)");
  const expiryPurge = new ExpiryPurge(database, tables, options);
  const done = { outcome: "recorded" } as const;
  const onFirstRecord = events.isOn ? createFirstRecord(tables, lifetimes) : undefined;
  return {
    create: (change) => responses.applyOnce(change, () => create(tables, change.session, change.now)),
    associate: (request) => responses.applyOnce(request, () => associateSession(tables, request, lifetimes)),
    renew: ({ handle, now }) =>
      changeLive(tables, { handle, now, scope: "everyone" }, lifetimes, (session) => renewed(session, now, lifetimes)),
    end(change) {
      const { now, reason = "caller" } = change;
      const next = (session: Session) => ({ ...session, ended: true, expiresAt: Math.min(session.expiresAt, now) });
      const ended = changeLive(tables, change, lifetimes, next);
      if (ended === null) return null;
      data.clear(keyOf(ended.handle));
      events.append({ type: "session.ended", reason }, ended, now);
      return ended;
    },
    changeData: createChangeData(tables, lifetimes),
    storeRecords: (change) =>
      responses.applyOnce(change, () => {
        journal.append(change.lines, change.now, onFirstRecord);
        return done;
      }),
    eraseSessions: createErase(tables, lifetimes),
    eraseCustomerApiKeys({ customerId, customerHash, now }) {
      deliveries.eraseCustomer(customerId);
      events.appendErasure(customerHash, now);
      return apiKeys.removeOf(customerId);
    },
    purgeExpired: ({ now, sessionTime }) => expiryPurge.slice(now, sessionTime),
    purgeIndex(change) {
      const upTo = change.upTo ?? index.lastDeleted;
      // `upTo` may be larger than `lastDeleted` after a restart of the writer: if `index_deleted` is empty then, its
      // numbering begins again.
      const isDone = index.lastPurged >= Math.min(upTo, index.lastDeleted);
      if (!isDone) index.purge();
      return { upTo, isDone };
    },
    appendAuditEntry: ({ entry }) => audit.append(entry),
    addApiKey({ key }) {
      apiKeys.add(key);
      return null;
    },
    revokeApiKey: ({ id, now }) => apiKeys.revoke(id, now),
    replaceApiKey: ({ id, successor, expiresAt }) => apiKeys.replace(id, successor, expiresAt),
    recordApiKeyUse({ uses }) {
      apiKeys.recordUses(uses);
      return null;
    },
    addSecret({ base64, now }) {
      insertSecret.run(now, Buffer.from(base64, "base64"));
      return null;
    },
    addSignOut({ signOut: { id, until }, now }) {
      removeSignOuts.run(now);
      insertSignOut.run(id, until);
      return null;
    },
    ...webhookOperations(tables),
    storeStatistics({ rows, keepFrom }) {
      statistics.store(rows, keepFrom);
      return null;
    },
    advanceClock: () => null,
    importItems: createImport(database, tables),
  };
}

function webhookOperations({ endpoints, deliveries }: Tables) {
  return {
    addEndpoint: ({ endpoint }) => endpoints.add(endpoint),
    replaceEndpoint: ({ endpoint }) => endpoints.replace(endpoint),
    removeEndpoint: ({ id }) => endpoints.remove(id),
    queueDeliveries: (request) => deliveries.queue(request),
    storeAttempt(result) {
      deliveries.storeAttempt(result);
      return null;
    },
    failOverdue: ({ endpointId, queuedBefore, limit, now }) =>
      deliveries.failOverdue(endpointId, queuedBefore, limit, now),
    redeliver: ({ endpointId, deliveryId, now }) => deliveries.redeliver(endpointId, deliveryId, now),
    purgeDeliveries: ({ now }) => deliveries.purge(now),
  } satisfies Partial<WriteOperations>;
}

/** Creates the operations that read. They run on the writer's connection, between its transactions. */
export function createReadOperations(database: DatabaseSync, tables: Tables, options: WriterOptions): ReadOperations {
  const readRecordPage = createRecordReader(tables, options);
  return {
    readRecordPage,
    findReplay: (request) => tables.responses.find(request),
    listSessions: createSessionSearch(database, tables, options.retention),
    listStoredResponses: ({ handle, now }) => tables.responses.ofSession(handle, now),
    exportPage: createExport({ database, tables, readRecordPage }),
  };
}

function create({ sessions, events }: Tables, session: Session, now: number): CreateResult {
  // A bare session is not stored (contract.md#rule-8). Only the response to its request may be stored.
  if (isBare(session)) return { outcome: "created" };
  if (sessions.isVisitHeld(session.visitId, session.handle, now)) {
    return { outcome: "conflict", field: "visitId" };
  }
  if (!sessions.insert(session)) return { outcome: "id-taken" };
  if (!hasNoIds(session)) events.append({ type: "session.created" }, session, now);
  return { outcome: "created" };
}

/**
 * Creates the function that publishes a session whose first record is stored, before it has ids or data. Its row is inserted
 * now, not when the record is merged, because the event refers to it.
 */
function createFirstRecord({ sessions, events, data }: Tables, lifetimes: Lifetimes) {
  return (handle: string, now: number): void => {
    const stored = sessions.findWithHistory(handle);
    const session = stored?.session ?? implicitSessionOf(handle, lifetimes);
    const isPublished = stored !== undefined && (stored.records > 0 || !hasNoIds(session) || data.has(keyOf(handle)));
    if (isPublished || !isLive(session, now)) return;
    if (stored === undefined && !sessions.insert(session)) return;
    events.append({ type: "session.created" }, session, now);
  };
}

function associateSession(
  tables: Tables,
  { handle, generation, ids, traits, scope, now, rotate }: AssociationRequest,
  lifetimes: Lifetimes,
): AssociationResult {
  const { sessions, journal } = tables;
  const stored = sessions.findWithHistory(handle);
  const session = stored?.session ?? implicitSessionOf(handle, lifetimes);
  if (!isLive(session, now) || !isReached(session, generation, scope)) return { outcome: "absent" };
  const result = associate(session, ids, now, lifetimes, rotate, traits);
  if (result.outcome === "conflict" || result.outcome === "rotation-limit") return result;
  if (result.outcome === "unchanged") return { outcome: "associated", session };
  const next = result.session;
  if (session.visitId === null && sessions.isVisitHeld(next.visitId, handle, now)) {
    return { outcome: "conflict", field: "visitId" };
  }
  const records = (stored?.records ?? 0) + journal.unmerged(handle).length;
  if (stored === undefined) {
    if (!sessions.insertChanged(session, next, records, now)) return { outcome: "absent" };
  } else if (!rotate && idFields.every((field) => session[field] === next[field])) sessions.update(session, next);
  else sessions.associate(stored, next, records, now);
  if (tables.events.isOn) {
    const hasData = () => stored !== undefined && tables.data.has(keyOf(handle));
    const isPublished = !hasNoIds(session) || records > 0 || hasData();
    publishAssociation(tables.events, session, next, isPublished, now);
  }
  return { outcome: "associated", session: next };
}

/**
 * Appends the events of an association that changed `before` to `session`. `isPublished` is whether its creation was
 * published before: it has ids, records or data.
 */
function publishAssociation(
  events: EventTable,
  before: Session,
  session: Session,
  isPublished: boolean,
  now: number,
): void {
  const added = idFields.filter((field) => before[field] !== session[field]);
  if (added.length > 0) {
    if (!isPublished) events.append({ type: "session.created" }, session, now);
    events.append({ type: "session.associated", added }, session, now);
  }
  if (before.generation !== session.generation) events.append({ type: "session.rotated" }, session, now);
}

/** Calls `next` with the live session; stores and returns the result. Returns `null` if none is live in the scope. */
function changeLive(
  { sessions }: Tables,
  { handle, generation, now, scope }: EndRequest,
  lifetimes: Lifetimes,
  next: (session: Session) => Session,
): Session | null {
  const stored = sessions.find(handle);
  const before = stored ?? implicitSessionOf(handle, lifetimes);
  if (!isLive(before, now) || !isReached(before, generation, scope)) return null;
  const session = next(before);
  if (stored === undefined) return sessions.insert(session) ? session : null;
  if (session.ended) sessions.update(stored, session);
  else sessions.renew(session);
  return session;
}
