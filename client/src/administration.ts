import {
  baseOf,
  type CallOptions,
  createCaller,
  type Fetch,
  type TransportOptions,
} from "./call.ts";
import { checkTransportOptions } from "./client-options.ts";
import { readLines } from "./lines.ts";
import { ProblemError } from "./problem-error.ts";
import type {
  AuditLine,
  AuditPage,
  EndReceipt,
  EndRequest,
  ErasureReceipt,
  ExportLine,
  SessionList,
  SessionSummary,
  Timeline,
  TimelineEntry,
} from "./protocol.ts";
import { createTransport, pathOf } from "./transport.ts";

export { ProblemError } from "./problem-error.ts";

/** Which sessions are to end: at least one of the conditions, or `all`. */
export type EndFilter = Omit<EndRequest, "cursor">;

/**
 * Selects sessions: all conditions must hold; without any, every session. `undefined` counts as absent; an empty
 * condition (`""`, `null`) is a `TypeError`.
 */
export interface ListFilter extends Omit<EndFilter, "all" | "dryRun"> {
  /** Those that live, or those that are over. */
  readonly live?: boolean | undefined;
}

export interface PageOptions extends CallOptions {
  /** The most that one request brings, 1 to 1,000; 100 by default. */
  readonly limit?: number | undefined;
}

/**
 * What those who run the service do, for their programs; a web page has no such key. Calls reject with a
 * `ProblemError` and are repeated like those of the transport: nothing of this is done twice. An invalid call
 * (an empty condition, an id that no URL can carry) is a `TypeError`, before anything is sent.
 */
export interface AdministrationClient {
  /** Sessions that live and that are over, newest first, page after page as they are taken. */
  list(filter?: ListFilter, options?: PageOptions): AsyncGenerator<SessionSummary, void>;
  /** What happened in a session, in order, page after page as they are taken. */
  timeline(sessionId: string, options?: PageOptions): AsyncGenerator<TimelineEntry, void>;
  /** Ends a session. False when there is none that lives, so also where the first answer got lost. */
  end(sessionId: string, options?: CallOptions): Promise<boolean>;
  /** Ends all sessions that the filter asks for, or with `dryRun` counts them; gives how many. */
  endByFilter(filter: EndFilter, options?: CallOptions): Promise<number>;
  /**
   * Everything that is kept of a customer, line after line, without the last one that says so. Ends with
   * `unexpected-answer` where it was cut off: what came until then is not all.
   */
  exportCustomer(
    customerId: string,
    options?: CallOptions,
  ): AsyncGenerator<Exclude<ExportLine, { type: "end" }>, void>;
  /** Erases a customer's sessions and keys, all of them; gives how many. */
  eraseCustomer(
    customerId: string,
    options?: CallOptions,
  ): Promise<Pick<ErasureReceipt, "sessions" | "keys">>;
  /** The audit trail, the latest entry first, page after page as they are taken. */
  audit(options?: PageOptions): AsyncGenerator<AuditLine, void>;
}

/** Creates the operations for operators. Throws a `TypeError` for invalid options. */
export function createAdministration(options: TransportOptions): AdministrationClient {
  checkTransportOptions("createAdministration()", options);
  const call = createCaller(options);
  const transport = createTransport(options);
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));

  /** The pages of a list, in turn. */
  async function* pages<Page extends { readonly next: string | null }>(
    path: string,
    conditions: ListFilter & Pick<PageOptions, "limit">,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Page, void> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(conditions)) {
      if (value !== undefined) query.set(name, String(value));
    }
    for (let next: string | null | undefined; next !== null; ) {
      if (next !== undefined) query.set("cursor", next);
      const page: Page = await call({ method: "GET", path: `${path}?${query.toString()}`, signal });
      yield page;
      next = page.next;
    }
  }

  return {
    async *list(filter = {}, { limit, signal } = {}) {
      refuseEmpty(filter);
      const found = pages<SessionList>("/sessions", { ...filter, limit }, signal);
      for await (const { sessions } of found) yield* sessions;
    },
    async *timeline(sessionId, { limit, signal } = {}) {
      if (!MADE_BY_SERVICE.test(sessionId)) {
        throw new ProblemError({ code: "session-not-found", status: 404 });
      }
      for (let after: string | null | undefined; after !== null; ) {
        const page: Timeline = await transport.timeline(sessionId, { after, limit, signal });
        yield* page.records;
        after = page.next;
      }
    },
    async end(sessionId, { signal } = {}) {
      // No session has any other id, and in a URL it could name another path.
      if (!MADE_BY_SERVICE.test(sessionId)) return false;
      try {
        await call({ method: "DELETE", path: pathOf(sessionId), signal });
        return true;
      } catch (error) {
        if ((error as ProblemError).code === "session-not-found") return false;
        throw error;
      }
    },
    async endByFilter(filter, { signal } = {}) {
      refuseEmpty(filter);
      let sessions = 0;
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const body: EndRequest = { ...filter, cursor: cursor ?? null };
        const part: EndReceipt = await call({
          method: "POST",
          path: "/sessions/end",
          body,
          signal,
        });
        sessions += part.sessions;
        cursor = part.next;
      }
      return sessions;
    },
    async *exportCustomer(customerId, { signal } = {}) {
      const url = `${baseOf(options)}${customerPath(customerId, "export")}/export`;
      for await (const text of readLines({ ...options, url, signal, fetch: doFetch })) {
        const line = JSON.parse(text) as ExportLine;
        if (line.type === "end") return;
        yield line;
      }
      throw new ProblemError({ code: "unexpected-answer", status: 200 });
    },
    async eraseCustomer(customerId, { signal } = {}) {
      const sum = { sessions: 0, keys: 0 };
      for (let isComplete = false; !isComplete; ) {
        const path = customerPath(customerId, "erase");
        const part: ErasureReceipt = await call({ method: "DELETE", path, signal });
        sum.sessions += part.sessions;
        sum.keys += part.keys;
        isComplete = part.isComplete;
      }
      return sum;
    },
    async *audit({ limit, signal } = {}) {
      for await (const { entries } of pages<AuditPage>("/audit", { limit }, signal)) yield* entries;
    },
  };
}

/** The form of a session id or a handle. */
const MADE_BY_SERVICE = /^[\w-]{24,64}$/;

/** Throws a `TypeError` for an empty condition: `user.id ?? ""` must not mean everybody. */
function refuseEmpty(filter: object): void {
  for (const [name, value] of Object.entries(filter)) {
    if (value === "" || value === null) {
      throw new TypeError(`${name} is empty: give it a value, or leave it out for every session`);
    }
    if (typeof value === "string") refuseMalformed(name, value);
  }
}

/** Half of a surrogate pair would be sent as another character, which is another id. */
function refuseMalformed(name: string, text: string): void {
  if (!text.isWellFormed()) throw new TypeError(`${name} is not well-formed Unicode`);
}

/** Throws a `TypeError` for an id that no URL can carry; `command` is the command line's command for it. */
function customerPath(id: string, command: "erase" | "export"): string {
  if (typeof id !== "string" || id === "") throw new TypeError("the customer's id is empty");
  refuseMalformed("the customer's id", id);
  if (id === "." || id === "..") {
    const how = `antechamber customers ${command} ${id}`;
    throw new TypeError(`no URL can name the customer "${id}": use the command line (${how})`);
  }
  return `/customers/${encodeURIComponent(id)}`;
}
