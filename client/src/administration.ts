import {
  baseUrlOf,
  type CallOptions,
  createRequestSender,
  fetchOf,
  type SendRequest,
  type ServiceRequest,
  type TransportOptions,
} from "./call.ts";
import { type EventOptions, type EventReset, readEvents } from "./events.ts";
import { createOperatorCalls, type OperatorCalls } from "./operators.ts";
import { ProblemError } from "./problem-error.ts";
import type {
  EndReceipt,
  EndRequest,
  ErasureReceipt,
  EventInfo,
  ExportLine,
  SessionList,
  SessionSummary,
  StatisticsInfo,
  Timeline,
  TimelineEntry,
} from "./protocol.ts";
import { readLines } from "./read-lines.ts";
import { isSessionName } from "./session-id.ts";
import { pathOf } from "./session-operations.ts";
import { createTransport } from "./transport.ts";
import { checkTransportOptions } from "./transport-options.ts";
import { createWebhookCalls, type WebhookAdministration } from "./webhooks.ts";

export type { EventOptions, EventReset } from "./events.ts";
export type { ApiKeyAdministration, ApiKeyListOptions, AuditFilter, AuditOptions, VerifyOptions } from "./operators.ts";
export { ProblemError } from "./problem-error.ts";

/** The sessions to end: at least one condition, or `all`. An empty condition, also `undefined`, throws a `TypeError`. */
export type EndFilter = Omit<EndRequest, "cursor">;

/**
 * The sessions to list: those that meet all conditions, or all. A condition that is `undefined` has no effect; an empty
 * one (`""`, `null`) throws a `TypeError`.
 */
export interface ListFilter extends Omit<EndFilter, "all" | "dryRun" | "except"> {
  /** `true` selects live sessions; `false` selects expired and ended sessions. */
  readonly live?: boolean | undefined;
}

export interface PageOptions extends CallOptions {
  /** Maximum number of items in one response, 1 to 1,000; 100 by default. All items are yielded in any case. */
  readonly limit?: number | undefined;
}

/** The range of statistics. */
export interface StatisticsOptions extends CallOptions {
  /** Start of the range: a `Date`, or a text in ISO 8601 with a zone. An hour before the end by default. */
  readonly since?: Date | string | undefined;
  /** End of the range; now by default. */
  readonly until?: Date | string | undefined;
  /** Length of a step in seconds, a multiple of 60; by default 60, or as many as a long range needs. */
  readonly step?: number | undefined;
}

export interface ListOptions extends PageOptions {
  /** Id of the session that the list is for. Each session then has `isCurrent`. */
  readonly sessionId?: string | undefined;
}

export interface ListPageOptions extends ListOptions {
  /** The `next` of the previous page. */
  readonly cursor?: string | undefined;
}

/**
 * Operations for programs of those who run the service. Exporting, erasing and the audit trail need a key with the role
 * `administrator`; for the others, `service` is enough. With a customer's key they reach the customer's own sessions
 * only. A key of the other roles must never be in a web page. A failed call rejects with a `ProblemError`. Failed calls
 * are retried as with `Transport`; a retry never has a second effect. For an empty condition, or an id that no URL can
 * contain, a `TypeError` is thrown and no request is sent.
 */
export interface AdministrationClient extends OperatorCalls {
  /** Yields live, expired and ended sessions, newest first. Each page of the list is requested only when needed. */
  list(filter?: ListFilter, options?: ListOptions): AsyncGenerator<SessionSummary, void>;
  /** Returns one page of the list, for an application that shows pages itself. */
  listPage(filter?: ListFilter, options?: ListPageOptions): Promise<SessionList>;
  /** Yields the entries of a session's timeline, in order. Each page of entries is requested only when needed. */
  timeline(handleOrId: string, options?: PageOptions): AsyncGenerator<TimelineEntry, void>;
  /**
   * Ends a session. Resolves with `false` if no live session has this handle or id. That also happens if the response to a first
   * attempt was lost, and the retry finds the session ended.
   */
  end(handleOrId: string, options?: CallOptions): Promise<boolean>;
  /**
   * Ends all selected sessions and resolves with their number. With `dryRun` it only counts them. To end one session that
   * a person has chosen from their own, give `customerId` and `handle`: another customer's session then never ends.
   *
   * @example
   * await admin.endByFilter({ customerId: user.id, except: session.sessionId });
   */
  endByFilter(filter: EndFilter, options?: CallOptions): Promise<number>;
  /**
   * Yields everything that is stored about a customer. Rejects with `unexpected-answer` if the response was cut off;
   * the export is then incomplete.
   */
  exportCustomer(customerId: string, options?: CallOptions): AsyncGenerator<Exclude<ExportLine, { type: "end" }>, void>;
  /** Erases all sessions and API keys of a customer. Resolves with the number of sessions and the number of keys. */
  eraseCustomer(customerId: string, options?: CallOptions): Promise<Pick<ErasureReceipt, "sessions" | "keys">>;
  /**
   * Yields what happens to sessions, as it happens, without an end: connects again after a failure and continues after the
   * last event. Ends when `signal` is aborted. Needs a key with the role `service`, `reporter` or `administrator`.
   *
   * @example
   * for await (const event of admin.events({ types: ["session.ended", "session.expired"] })) {
   *   if (event.type === "session.ended") sockets.get(event.data.session.handle)?.close();
   * }
   */
  events(options?: EventOptions): AsyncGenerator<EventInfo | EventReset, void>;
  /**
   * Returns statistics over time, by default of the last hour by minute. Needs a key with the role `service`, `reporter`
   * or `administrator`.
   */
  statistics(options?: StatisticsOptions): Promise<StatisticsInfo>;
  /** The endpoints of webhooks, which need a key with the role `administrator`. */
  readonly webhooks: WebhookAdministration;
}

/**
 * Creates these operations. Throws a `TypeError` if an option is invalid.
 *
 * @example
 * const admin = createAdministration({ url: "http://127.0.0.1:8080", key: process.env.ADMIN_KEY });
 * for await (const session of admin.list({ customerId: "customer-4711" })) console.log(session);
 */
export function createAdministration(options: TransportOptions): AdministrationClient {
  checkTransportOptions("createAdministration()", options);
  const send = createRequestSender(options);
  const transport = createTransport(options);
  return {
    async *list(filter = {}, { limit, sessionId, signal } = {}) {
      rejectEmptyConditions(filter);
      const headers = headersWith(sessionId);
      const found = pages<SessionList>(send, "/sessions", { ...filter, limit }, { headers, signal });
      for await (const { sessions } of found) yield* sessions;
    },
    async listPage(filter = {}, { cursor, limit, sessionId, signal } = {}) {
      rejectEmptyConditions(filter);
      return await send({
        method: "GET",
        path: `/sessions?${queryOf({ ...filter, limit, cursor })}`,
        headers: headersWith(sessionId),
        signal,
      });
    },
    async *timeline(handleOrId, { limit, signal } = {}) {
      if (!isSessionName(handleOrId)) {
        throw new ProblemError({ code: "session-not-found", status: 404 });
      }
      for (let after: string | null | undefined; after !== null; ) {
        const page: Timeline = await transport.timeline(handleOrId, { after, limit, signal });
        yield* page.records;
        after = page.next;
      }
    },
    end: (handleOrId, { signal } = {}) => endSession(send, handleOrId, signal),
    endByFilter: (filter, { signal } = {}) => endByFilter(send, filter, signal),
    exportCustomer: (customerId, { signal } = {}) => exportCustomer(options, customerId, signal),
    eraseCustomer: (customerId, { signal } = {}) => eraseCustomer(send, customerId, signal),
    events: (given = {}) => readEvents(options, given),
    statistics: ({ signal, ...range } = {}) => readStatistics(send, range, signal),
    ...createOperatorCalls(send, createRequestSender({ ...options, attempts: 1 })),
    webhooks: createWebhookCalls(send),
  };
}

/** Returns the header by which a list of sessions marks the one with this id with `isCurrent`. */
function headersWith(sessionId: string | undefined): Record<string, string> {
  return sessionId ? { "gkc-sessionid": sessionId } : {};
}

function readStatistics(
  send: SendRequest,
  range: Omit<StatisticsOptions, "signal">,
  signal: AbortSignal | undefined,
): Promise<StatisticsInfo> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(range)) {
    if (value !== undefined) query.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  return send({ method: "GET", path: `/stats?${query.toString()}`, signal });
}

/** Yields the pages of a list, one after another. */
async function* pages<Page extends { readonly next: string | null }>(
  send: SendRequest,
  path: string,
  conditions: ListFilter & Pick<PageOptions, "limit">,
  options: Pick<ServiceRequest, "headers" | "signal">,
): AsyncGenerator<Page, void> {
  for (let next: string | null | undefined; next !== null; ) {
    const query = queryOf({ ...conditions, cursor: next });
    const page: Page = await send({ method: "GET", path: `${path}?${query}`, ...options });
    yield page;
    next = page.next;
  }
}

function queryOf(conditions: Readonly<Record<string, string | number | boolean | null | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(conditions)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}

async function endSession(send: SendRequest, handleOrId: string, signal: AbortSignal | undefined): Promise<boolean> {
  // No session has such a name. In a URL, the text could lead to another path.
  if (!isSessionName(handleOrId)) return false;
  try {
    await send({ method: "DELETE", path: pathOf(handleOrId), signal });
    return true;
  } catch (error) {
    if ((error as ProblemError).code === "session-not-found") return false;
    throw error;
  }
}

async function endByFilter(send: SendRequest, filter: EndFilter, signal: AbortSignal | undefined): Promise<number> {
  rejectEmptyConditions(filter);
  // Without the handle that a form should have had, all sessions of the customer would end, and without the customer
  // anybody's.
  const missing = Object.entries(filter).find(([name, value]) => value === undefined && name !== "dryRun");
  if (missing) throw new TypeError(`${missing[0]} is undefined: give it a value, or leave it out`);
  let sessions = 0;
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const body: EndRequest = { ...filter, cursor: cursor ?? null };
    const part: EndReceipt = await send({ method: "POST", path: "/sessions/end", body, signal });
    sessions += part.sessions;
    cursor = part.next;
  }
  return sessions;
}

async function* exportCustomer(
  options: TransportOptions,
  customerId: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Exclude<ExportLine, { type: "end" }>, void> {
  const url = `${baseUrlOf(options)}${customerPath(customerId, "export")}/export`;
  for await (const text of readLines({ ...options, url, signal, fetch: fetchOf(options) })) {
    const line = JSON.parse(text) as ExportLine;
    if (line.type === "end") return;
    yield line;
  }
  throw new ProblemError({ code: "unexpected-answer", status: 200 });
}

async function eraseCustomer(
  send: SendRequest,
  customerId: string,
  signal: AbortSignal | undefined,
): Promise<Pick<ErasureReceipt, "sessions" | "keys">> {
  const path = customerPath(customerId, "erase");
  const sum = { sessions: 0, keys: 0 };
  for (let isComplete = false; !isComplete; ) {
    const part: ErasureReceipt = await send({ method: "DELETE", path, signal });
    sum.sessions += part.sessions;
    sum.keys += part.keys;
    isComplete = part.isComplete;
  }
  return sum;
}

/** Throws a `TypeError` for an empty condition, such as a mistaken `user.id ?? ""`, which could select everything. */
function rejectEmptyConditions(filter: object): void {
  for (const [name, value] of Object.entries(filter)) {
    if (value === "" || value === null) {
      throw new TypeError(`${name} is empty: give it a value, or leave it out for every session`);
    }
    if (typeof value === "string") rejectMalformed(name, value);
  }
}

/** Throws a `TypeError` for a text with half of a surrogate pair, because another character would be sent instead. */
function rejectMalformed(name: string, text: string): void {
  if (!text.isWellFormed()) throw new TypeError(`${name} is not well-formed Unicode`);
}

/** Returns the path of an operation on a customer. Throws a `TypeError` for an id that no URL can contain. */
function customerPath(id: string, command: "erase" | "export"): string {
  if (typeof id !== "string" || id === "") throw new TypeError("the customer id is empty");
  rejectMalformed("the customer id", id);
  if (id === "." || id === "..") {
    const how = `antechamber customers ${command} ${id}`;
    throw new TypeError(`no URL can name the customer "${id}": use the command line (${how})`);
  }
  return `/customers/${encodeURIComponent(id)}`;
}
