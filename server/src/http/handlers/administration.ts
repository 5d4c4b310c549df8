import type {
  AuditPage,
  EndReceipt,
  ErasureReceipt,
  SessionList,
} from "@antechamber/client/protocol";
import type { HttpRequest } from "@antechamber/http1";
import type { Clock } from "../../runtime/clock.ts";
import { type AuditEvent, type AuditTrail, redactedFilter } from "../../services/audit.ts";
import { type Administration, type ExportPart, statusOf } from "../../services/customers.ts";
import type { SessionService } from "../../services/sessions.ts";
import { type Fault, Refusal } from "../../session/errors.ts";
import { isUnconditional } from "../../session/filter.ts";
import { changeScope, mayEndAll, type Principal } from "../../session/permissions.ts";
import type { AuditEntry } from "../../store/audit-chain.ts";
import type { AuditStore } from "../../store/ports/audit.ts";
import { exportLine, sessionSummary } from "../../wire/customer-export.ts";
import { type ApiResponse, apiFields, json } from "../app/api-response.ts";
import type { ClientAddress } from "../auth/client-address.ts";
import { parseJson, readJsonBody, refuseFaults } from "../parse/bodies.ts";
import { MAX_BODY_BYTES } from "../parse/identity.ts";
import { type Cursors, createCursors, queryOfBody, queryOfUrl } from "../parse/session-query.ts";
import type { Call } from "./sessions.ts";

/** The handlers for those who run the service. */
export interface AdministrationHandlers {
  list(call: Call): Promise<ApiResponse>;
  end(call: Call): Promise<ApiResponse>;
  endByFilter(call: Call): Promise<ApiResponse>;
  tell(call: Call): Promise<ApiResponse>;
  erase(call: Call): Promise<ApiResponse>;
  audit(call: Call): Promise<ApiResponse>;
}

/** What the handlers work with. */
export interface AdministrationHandlerParts {
  readonly administration: Administration;
  readonly service: SessionService;
  readonly store: AuditStore;
  readonly trail: AuditTrail;
  readonly clock: Clock;
  readonly config: { readonly auth: string };
  /** How ids stand in the trail. */
  readonly hash: (id: string) => string;
  readonly keysChanged: () => Promise<void>;
  /** Who acts, and from where. */
  readonly actedBy: AuditActor;
}

/** Handlers over the use cases. Every act is in the audit trail before it is answered. */
export function createAdministrationHandlers(
  parts: AdministrationHandlerParts,
): AdministrationHandlers {
  const { administration, service, store, trail, clock, config, hash, keysChanged, actedBy } =
    parts;
  const cursors = createCursors(hash);
  const cursorTo = (place: string | null) => (place === null ? null : cursors.write(place));

  return {
    async list({ request }) {
      const { filter, cursor, limit } = queryOfUrl(request.query, cursors);
      const { sessions, next, total } = await administration.list(filter, cursor, limit);
      const now = clock();
      const summaries = sessions.map((session) => sessionSummary(session, statusOf(session, now)));
      return json({ sessions: summaries, next: cursorTo(next), total } satisfies SessionList);
    },

    async end({ request, principal, sessionId }) {
      // Without credentials nobody knows whose hand it was: it is everybody's way to sign out.
      const isOthers = principal.role !== "customer" && config.auth !== "local";
      const endIt = () => service.end(sessionId, changeScope(principal));
      const details = { session: hash(sessionId) };
      const act = { ...actedBy(principal, request), what: "session.end", details };
      // An id of no session could be sent for ever: that nothing was there to end is no entry.
      const told = (isFound: boolean) => (isFound ? {} : undefined);
      const isEnded = isOthers ? await trail.audited(act, endIt, told) : await endIt();
      if (!isEnded) throw new Refusal({ code: "session-not-found" });
      return nothing;
    },

    async endByFilter({ request, principal }) {
      const { filter, cursor, all, dryRun } = await soughtInBody(request, cursors);
      const details = { ...redactedFilter(filter, hash), dryRun, isContinued: cursor !== null };
      const act = { ...actedBy(principal, request), what: "sessions.end", details };
      if (all && !mayEndAll(principal)) {
        trail.refused(act);
        throw new Refusal({ code: "role-not-permitted" });
      }
      const { sessions, next } = await trail.audited(
        act,
        () => administration.end(filter, cursor, dryRun),
        (part) => ({ sessions: part.sessions, isComplete: part.next === null }),
      );
      return json({ sessions, next: cursorTo(next) } satisfies EndReceipt);
    },

    async tell({ request, principal, customerId }) {
      const details = { customer: hash(customerId) };
      const act = { ...actedBy(principal, request), what: "customer.export", details };
      await trail.note(act, "begun");
      const begin = () => administration.exportCustomer(customerId, null);
      const first = await trail.audited(act, begin, () => undefined);
      const body = streamOf(
        first,
        (after) => administration.exportCustomer(customerId, after),
        (sessions) =>
          sessions === undefined
            ? trail.note(act, "failed")
            : trail.note({ ...act, details: { ...details, sessions } }, "done"),
      );
      return {
        status: 200,
        headers: { ...apiFields, "content-type": "application/x-ndjson" },
        body,
      };
    },

    async erase({ request, principal, customerId }) {
      const details = { customer: hash(customerId) };
      const act = { ...actedBy(principal, request), what: "customer.erase", details };
      await trail.note(act, "begun");
      const { sessions, keys, next } = await trail.audited(
        act,
        () => administration.erase(customerId),
        (part) => ({ sessions: part.sessions, keys: part.keys, isComplete: part.next === null }),
      );
      await keysChanged();
      return json({ sessions, keys, isComplete: next === null } satisfies ErasureReceipt);
    },

    async audit({ request }) {
      const last = (await store.lastAuditEntry())?.sequence ?? 0;
      const { before, limit } = boundsOf(request.query, last);
      const end = before === undefined ? last : Math.min(last, before - 1);
      const start = Math.max(0, end - limit);
      const entries = await store.readAuditEntries(start, end - start);
      const next = start === 0 ? null : String(start + 1);
      return json({ entries: entries.toReversed().map(shown), next } satisfies AuditPage);
    },
  };
}

const nothing: ApiResponse = {
  status: 204,
  headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
  body: null,
};

/** Tells who made a request, and from where, for the trail. */
export type AuditActor = (principal: Principal, request: HttpRequest) => Omit<AuditEvent, "what">;

/** From where is what the limits go by too, a client behind a listed proxy, but in full. */
export function createAuditActor(clientOf: ClientAddress): AuditActor {
  return (principal, request) => {
    const { role, agentId } = principal;
    // A key is a principal; others have no name of their own.
    const credential = "id" in principal && typeof principal.id === "string" ? principal.id : null;
    return { who: { role, credential, agentId }, from: clientOf(request).address, details: {} };
  };
}

/** The filter in a body; one that asks for nothing has to say that it means all. */
async function soughtInBody(request: HttpRequest, cursors: Cursors) {
  const faults: Fault[] = [];
  const body = request.hasBody ? await readJsonBody(request, MAX_BODY_BYTES) : undefined;
  const value = body === undefined ? {} : parseJson(body, faults);
  refuseFaults(faults);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuseFaults([{ in: "body", name: "", detail: "The body is not a JSON object." }]);
  }
  const sought = queryOfBody(value as object, cursors, faults);
  if (isUnconditional(sought.filter) !== sought.all) {
    const detail = sought.all
      ? "all is for ending every session: leave the rest of the filter out, or all."
      : "The filter asks for nothing. Say whose sessions are to end, or all: true for every one.";
    refuseFaults([{ in: "body", name: sought.all ? "all" : "", detail }]);
  }
  return sought;
}

const DEFAULT_ENTRIES = 100;
const MAX_ENTRIES = 1000;

function boundsOf(
  query: string,
  last: number,
): { readonly before: number | undefined; readonly limit: number } {
  const parameters = new URLSearchParams(query);
  const faults: Fault[] = [];
  for (const name of new Set(parameters.keys())) {
    if (name === "cursor" || name === "limit") {
      const isTwice = parameters.getAll(name).length > 1;
      if (isTwice) faults.push({ in: "query", name, detail: `${name} is given twice.` });
      continue;
    }
    const detail = "There is a parameter that is not known here; there are cursor and limit.";
    faults.push({ in: "query", name: name.slice(0, 64), detail });
  }
  const cursor = parameters.get("cursor") ?? "";
  // A cursor is the number of an existing entry.
  if (cursor !== "" && !(/^[1-9]\d{0,14}$/.test(cursor) && Number(cursor) <= last)) {
    const detail = "cursor is not the next of another page.";
    faults.push({ in: "query", name: "cursor", detail });
  }
  const text = parameters.get("limit") ?? String(DEFAULT_ENTRIES);
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_ENTRIES) {
    const detail = `limit is not a whole number of 1 to ${MAX_ENTRIES}.`;
    faults.push({ in: "query", name: "limit", detail });
  }
  refuseFaults(faults);
  return { before: cursor === "" ? undefined : Number(cursor), limit };
}

function shown({ at, ...entry }: AuditEntry): AuditPage["entries"][number] {
  const { sequence, ...rest } = entry;
  return { sequence, at: new Date(at).toISOString(), ...rest };
}

/**
 * Lines of JSON, a part at a time as they are taken, and a last one that tells that it is the last.
 * `ended` hears how many sessions there were, or, when it came to no end, `undefined`.
 */
function streamOf(
  first: ExportPart,
  read: (after: string) => Promise<ExportPart>,
  ended: (sessions: number | undefined) => Promise<void>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let part: ExportPart | undefined = first;
  let after: string | null = null;
  let sessions = 0;
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      try {
        part ??= await read(after ?? "");
        sessions += part.sessions;
        after = part.next;
        const lines = part.told.map(exportLine);
        part = undefined;
        if (after === null) {
          lines.push(JSON.stringify({ type: "end", sessions }));
          await ended(sessions);
        }
        controller.enqueue(encoder.encode(lines.map((line) => `${line}\n`).join("")));
        if (after === null) controller.close();
      } catch (error) {
        await ended(undefined).catch(() => undefined);
        controller.error(error);
      }
    },
    cancel: () => ended(undefined).catch(() => undefined),
  });
}
