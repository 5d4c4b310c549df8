import { z } from "zod";
import type { Initiator } from "../services/audit.ts";
import { awaitEvents } from "../services/await-events.ts";
import { type EventFilter, type LoggedType, loggedTypes } from "../session/event.ts";
import { pageOf, parseCursor, timelineStart } from "../session/timeline.ts";
import { exportLine } from "../wire/customer-export.ts";
import { eventInfo } from "../wire/event-info.ts";
import { timelineInfo } from "../wire/timeline-info.ts";
import { define, type Operation, type OperatorParts } from "./define.ts";
import {
  apiKeyInfo,
  apiKeyRequest,
  auditDetails,
  auditEntry,
  createdApiKey,
  exportPage,
  rotationResult,
  sessionFilter,
  sessionView,
  timeline,
} from "./schemas.ts";
import { readStatistics } from "./statistics-operation.ts";
import { webhookOperations } from "./webhook-operations.ts";

const none = z.null();
const id = z.string();
const cursor = z.string().nullable();
const batch = z.object({ sessions: z.number(), next: cursor });
const sessionPage = z.object({
  sessions: z.array(sessionView).readonly(),
  next: cursor,
  total: z.number().nullable(),
});
const notOwn = "the command line has no such act";
const ownAct = z.object({
  what: z.enum(["store.backup", "store.migrate"], { error: notOwn }),
  outcome: z.enum(["begun", "done", "failed"], { error: notOwn }),
  details: auditDetails,
});

/** An act of the command line's own process, such as a backup. `noteAct` adds it to the audit trail. */
export type OwnAct = z.infer<typeof ownAct>;

/**
 * The operator's operations: for each, a schema of its parameters and of its result (both JSON), and the function that
 * carries it out. The control server and its client are derived from this table. If no server runs, the command line
 * opens the store and runs the operations on it.
 */
export const operations = {
  listKeys: define(none, z.array(apiKeyInfo).readonly(), (use) => use.credentials.listKeys()),
  createKey: define(apiKeyRequest, createdApiKey, (use, by, key) => use.credentials.createKey(by, key)),
  revokeKey: define(id, z.boolean(), (use, by, key) => use.credentials.revokeKey(by, key)),
  rotateKey: define(z.object({ id, grace: z.number() }), rotationResult, (use, by, request) =>
    use.credentials.rotateKey(by, request),
  ),
  rotateSecret: define(none, z.object({ createdAt: z.number(), secrets: z.number() }), (use, by) =>
    use.credentials.rotateSecret(by),
  ),
  getSession: define(id, sessionView.optional(), (use, _by, one) => use.sessionAdmin.get(one)),
  endSession: define(id, z.boolean(), (use, by, idOrHandle) =>
    use.sessionAdmin.end(by, { idOrHandle, auditsMissing: true }),
  ),
  readTimeline: define(
    z.object({ idOrHandle: id, after: cursor, limit: z.number() }),
    timeline.optional(),
    async ({ sessionAdmin }, _by, { idOrHandle, after, limit }) => {
      const start = after === null ? timelineStart : parseCursor(after);
      if (start === undefined) throw new TypeError(`${after} is not a cursor of a timeline`);
      const records = await sessionAdmin.readRecordPage(idOrHandle, { after: start.sequence, limit });
      return records && timelineInfo(records, pageOf(records, start, limit));
    },
  ),
  readData: define(id, z.string().optional(), (use, _by, idOrHandle) => use.sessionAdmin.readData(idOrHandle)),
  listSessions: define(
    z.object({ filter: sessionFilter, after: cursor, limit: z.number() }),
    sessionPage,
    (use, _by, request) => use.sessionAdmin.list(request),
  ),
  endSessions: define(
    z.object({ filter: sessionFilter, except: id.nullable().exactOptional(), after: cursor, isDry: z.boolean() }),
    batch,
    (use, by, request) => use.sessionAdmin.endMany(by, request),
  ),
  exportCustomer: define(
    z.object({ customerId: id, after: cursor }),
    batch.extend({ lines: z.array(z.string()) }),
    async (use, by, { customerId, after }) => {
      const page = await use.customers.exportPage(by, customerId, after);
      return { lines: page.entries.map(exportLine), sessions: page.sessions, next: page.next };
    },
  ),
  eraseCustomer: define(id, batch.extend({ keys: z.number() }), (use, by, customer) =>
    use.customers.erase(by, customer),
  ),
  ...webhookOperations,
  auditTrail: define(
    z.object({ after: z.number(), limit: z.number() }),
    z.object({ last: z.number(), entries: z.array(auditEntry).readonly() }),
    async ({ trail }, _by, { after, limit }) => ({
      last: await trail.lastSequence(),
      entries: await trail.readEntries(after, limit),
    }),
  ),
  /** Returns a page of the event log, with each event as JSON. Waits up to `waitMs` for the first one. */
  readEvents: define(
    z.object({
      after: id,
      limit: z.number(),
      types: z.array(z.enum(loggedTypes)).readonly().nullable(),
      customerId: id.nullable(),
      waitMs: z.number(),
    }),
    z.object({ isGone: z.boolean(), events: z.array(z.string()), next: id, hasMore: z.boolean() }).nullable(),
    readEvents,
  ),
  readStatistics,
  noteAct: define(ownAct, z.void(), (use, by, { outcome, ...act }) => use.trail.append({ ...by, ...act }, outcome)),
  /** Returns the hash that stands for an id of a caller, or for a text that names no session, in the audit trail. */
  hashOf: define(id, z.string(), (use, _by, plain) => use.logHash(plain)),
  /** Returns a page of everything in the store (`TransferStore`). */
  exportPage: define(cursor, exportPage, (use, _by, after) => use.store.exportPage(after, use.clock())),
};

interface EventsRequest {
  /** `start` or `end` of the log, or a position. */
  readonly after: string;
  readonly limit: number;
  readonly types: readonly LoggedType[] | null;
  readonly customerId: string | null;
  readonly waitMs: number;
}

async function readEvents({ store, logHash }: OperatorParts, _by: Initiator, request: EventsRequest) {
  const { after, limit, types, customerId, waitMs } = request;
  const bounds = await store.eventBounds();
  if (bounds === null) return null;
  const filter: EventFilter = {
    types: types && new Set(types),
    customer: customerId === null ? null : { id: customerId, hash: logHash(customerId) },
  };
  const position = after === "start" || after === "end" ? bounds[after] : after;
  const { events, ...page } = await awaitEvents(store, { after: position, limit, filter }, { ms: waitMs });
  return { ...page, events: events.map((event) => JSON.stringify(eventInfo(event))) };
}

type Operations = typeof operations;
export type OperationName = keyof Operations;

/** The operations as functions. They work on a store of this process, or through the server that runs on the store. */
export type Admin = {
  readonly [Name in OperationName]: Operations[Name] extends Operation<infer Params, infer Result>
    ? (...params: [Params] extends [null] ? [] : [Params]) => Promise<Result>
    : never;
};

export function isOperation(name: string): name is OperationName {
  return Object.hasOwn(operations, name);
}

/** Runs an operation with unchecked parameters (any JSON value). Throws `TypeError` if they do not match its schema. */
export async function callOperation(admin: Admin, name: OperationName, params: unknown): Promise<unknown> {
  const parsed = operations[name].params.safeParse(params);
  if (!parsed.success) throw new TypeError(z.prettifyError(parsed.error));
  const call: (params: never) => Promise<unknown> = admin[name];
  return call(parsed.data as never);
}

/** Returns the operations as functions that each pass their name and parameters to `call`. */
export function adminOver(call: (name: OperationName, params: unknown) => Promise<unknown>): Admin {
  const names = Object.keys(operations) as OperationName[];
  const entries = names.map((name) => [name, (params: unknown = null) => call(name, params)]);
  return Object.fromEntries(entries) as Admin;
}

/** Returns the operations as functions that work in this process, on behalf of the operator `by`. */
export function localAdmin(parts: OperatorParts, by: Initiator): Admin {
  return adminOver(async (name, params) => {
    const run: Operation<never, unknown>["run"] = operations[name].run;
    return run(parts, by, params as never);
  });
}
