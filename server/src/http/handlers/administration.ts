import type { EndReceipt, ErasureReceipt, SessionList } from "@antechamber/client/protocol";
import type { HttpRequest } from "@antechamber/http1";
import type { AuditTrail, Initiator } from "../../services/audit.ts";
import { auditedKeyName } from "../../services/credentials.ts";
import type { CustomerAdmin, CustomerExportPage } from "../../services/customers.ts";
import type { SessionAdmin } from "../../services/session-admin.ts";
import type { SessionService } from "../../services/sessions.ts";
import { Refusal } from "../../session/errors.ts";
import { isUnconditional, type SessionFilter } from "../../session/filter.ts";
import { changeScope, type Findable, findableBy, isFindable, type Principal } from "../../session/permissions.ts";
import type { ApiKey } from "../../store/ports/credentials.ts";
import { exportLine, sessionSummary } from "../../wire/customer-export.ts";
import { type ApiResponse, apiFields, json } from "../api-response.ts";
import type { ClientAddress } from "../auth/client-address.ts";
import type { Call } from "../call.ts";
import { readJsonObject, refuseFaults } from "../parse/bodies.ts";
import { MAX_BODY_BYTES } from "../parse/identity.ts";
import { currentSessionId } from "../parse/session-ids.ts";
import { type Cursors, createCursors, queryOfBody, queryOfUrl } from "../parse/session-query.ts";

export interface AdministrationHandlerParts {
  readonly sessionAdmin: SessionAdmin;
  readonly customers: CustomerAdmin;
  readonly service: Pick<SessionService, "end">;
  readonly trail: Pick<AuditTrail, "appendRefusal">;
  readonly config: { readonly auth: string };
  readonly logHash: (id: string) => string;
  readonly initiatorOf: InitiatorOf;
}

/** Creates the handlers for operators. The services that they call write the audit trail before they return. */
export function createAdministrationHandlers(parts: AdministrationHandlerParts) {
  const { sessionAdmin, customers, service, trail, config, initiatorOf } = parts;
  const cursors = createCursors(parts.logHash);
  const cursorTo = (place: string | null) => (place === null ? null : cursors.write(place));

  /** Returns the sessions that the caller may find. Refuses with `role-not-permitted` if there are none. */
  function findableOf({ request, principal }: Call, act: string): Exclude<Findable, "none"> {
    const findable = findableBy(principal);
    if (findable !== "none") return findable;
    trail.appendRefusal({ ...initiatorOf(principal, request), what: act, details: {} });
    throw new Refusal({ code: "role-not-permitted" });
  }

  return {
    async list(call: Call) {
      const { request } = call;
      const findable = findableOf(call, "sessions.list");
      const { filter: wanted, cursor, limit } = queryOfUrl(request.query, cursors);
      const filter = filterOfView(call.principal, wanted);
      const { sessions, next, total } = await sessionAdmin.list({
        ...{ filter: filterWithin(findable, filter), after: cursor, limit, currentId: currentSessionId(request) },
      });
      const summaries = sessions.map(sessionSummary);
      return json({ sessions: summaries, next: cursorTo(next), total } satisfies SessionList);
    },

    async end({ request, principal, sessionId: text }: Call) {
      // Two cases are not audited: a customer ends an own session, which is how customers sign out; and in mode `local`
      // the caller is unknown.
      const isOwn = principal.role === "customer" || config.auth === "local";
      const scope = changeScope(principal);
      const by = initiatorOf(principal, request);
      const isEnded = isOwn
        ? await service.end({ text, findable: findableBy(principal) }, scope)
        : await sessionAdmin.end(by, { idOrHandle: text, scope, auditsMissing: false });
      if (!isEnded) throw new Refusal({ code: "session-not-found" });
      return noContent;
    },

    async endByFilter(call: Call) {
      const { request, principal } = call;
      const findable = findableOf(call, "sessions.end");
      const query = await readEndRequest(request, cursors, findable);
      const batch = {
        ...{ filter: filterWithin(findable, query.filter), except: query.except },
        ...{ after: query.cursor, isDry: query.dryRun },
      };
      const { sessions, next } =
        findable === "everyone"
          ? await sessionAdmin.endMany(initiatorOf(principal, request), batch)
          : await sessionAdmin.endOwn(findable.customerId, batch);
      return json({ sessions, next: cursorTo(next) } satisfies EndReceipt);
    },

    async exportCustomer({ request, principal, parameters: { customerId = "" } }: Call): Promise<ApiResponse> {
      const by = initiatorOf(principal, request);
      const body = exportStream(
        await customers.exportPage(by, customerId, null),
        (after) => customers.exportPage(by, customerId, after),
        () => customers.abortExport(by, customerId),
      );
      const headers = { ...apiFields, "content-type": "application/x-ndjson" };
      return { status: 200, headers, body };
    },

    async erase({ request, principal, parameters: { customerId = "" } }: Call) {
      const by = initiatorOf(principal, request);
      const { sessions, keys, next } = await customers.erase(by, customerId);
      return json({ sessions, keys, isComplete: next === null } satisfies ErasureReceipt);
    },
  };
}

export const noContent: ApiResponse = {
  status: 204,
  headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
  body: null,
};

/** Returns who makes a request and from where, for the audit trail. */
export type InitiatorOf = (principal: Principal, request: HttpRequest) => Initiator;

/** Creates the function that returns who makes a request: with the whole address, also behind trusted proxies. */
export function createInitiatorOf(clientOf: ClientAddress): InitiatorOf {
  return (principal, request) => {
    const { role, agentId } = principal;
    const key = isApiKey(principal) ? principal : undefined;
    const who = { role, credential: key?.id ?? null, keyName: key ? auditedKeyName(key) : null, agentId };
    return { who, from: clientOf(request).address };
  };
}

/** Returns whether the caller has an API key. Other credentials have no id. */
function isApiKey(principal: Principal | ApiKey): principal is ApiKey {
  return "id" in principal;
}

/** Restricts the filter of a view token to what it opens. Refuses with `role-not-permitted` a filter for another session. */
function filterOfView({ view }: Principal, filter: SessionFilter): SessionFilter {
  const handle = view?.handle ?? null;
  if (handle === null) return filter;
  if (filter.handle !== null && filter.handle !== handle) throw new Refusal({ code: "role-not-permitted" });
  return { ...filter, handle };
}

/** Restricts a customer's filter to its own sessions. Refuses with `identity-mismatch` if it names another customer. */
function filterWithin(findable: Exclude<Findable, "none">, filter: SessionFilter): SessionFilter {
  if (findable === "everyone") return filter;
  if (filter.customerId !== null && !isFindable(filter, findable)) {
    throw new Refusal({ code: "identity-mismatch", field: "customerId" });
  }
  return { ...filter, ...findable };
}

/**
 * Reads the filter in a body. Either `all` must be true or the filter must have conditions, not both. `except` counts as
 * a condition only among a customer's own sessions: of all others it would leave only one.
 */
async function readEndRequest(request: HttpRequest, cursors: Cursors, findable: Findable) {
  // A `dryRun` that is in the query by mistake must not end the sessions.
  if (request.query !== "") {
    const detail = "POST /sessions/end has no parameters in its URL: send the filter and all options in the JSON body.";
    refuseFaults([{ in: "query", name: "", detail }]);
  }
  const query = queryOfBody(await readJsonObject(request, MAX_BODY_BYTES), cursors, []);
  const hasConditions = !isUnconditional(query.filter);
  const isEnough = query.all || hasConditions || (findable !== "everyone" && query.except !== null);
  if (!isEnough || (query.all && hasConditions)) {
    const detail = query.all
      ? "all is for ending every session: leave the rest of the filter out, or all."
      : "The filter asks for nothing. Say whose sessions are to end, or all: true for every one.";
    refuseFaults([{ in: "body", name: query.all ? "all" : "", detail }]);
  }
  return query;
}

/**
 * Streams an export as lines of JSON. Each page is read only when the client has taken the previous ones. The last line
 * marks the end of the export. Calls `abort` if the client disconnects before that.
 */
function exportStream(
  first: CustomerExportPage,
  readPage: (after: string) => Promise<CustomerExportPage>,
  abort: () => Promise<void>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let page: CustomerExportPage | undefined = first;
  let after = "";
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { entries, next, total: sessions } = page ?? (await readPage(after));
      page = undefined;
      const lines = entries.map(exportLine);
      if (next === null) lines.push(JSON.stringify({ type: "end", sessions }));
      else after = next;
      controller.enqueue(encoder.encode(lines.map((line) => `${line}\n`).join("")));
      if (next === null) controller.close();
    },
    cancel: () => abort().catch(() => undefined),
  });
}
