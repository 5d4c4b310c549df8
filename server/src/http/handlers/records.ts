import type { RecordReceipt } from "@antechamber/client/protocol";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AuditTrail } from "../../services/audit.ts";
import type { RequestRecorder } from "../../services/recording.ts";
import type { SessionService } from "../../services/sessions.ts";
import { type Fault, Refusal } from "../../session/errors.ts";
import { handleIn } from "../../session/id.ts";
import { changeScope, findableBy, type Principal, readScope } from "../../session/permissions.ts";
import { type Cursor, pageOf, parseCursor, timelineStart } from "../../session/timeline.ts";
import { timelineInfo } from "../../wire/timeline-info.ts";
import { type ApiResponse, apiFields, json } from "../api-response.ts";
import type { Call } from "../call.ts";
import { readJsonBody, refuseFaults } from "../parse/bodies.ts";
import { parametersOf } from "../parse/header-text.ts";
import { requestKeyOf } from "../parse/idempotency.ts";
import { identityOfHeaders } from "../parse/identity.ts";
import { checkParameterNames, limitOf } from "../parse/paging.ts";
import { MAX_RECORDS_BODY_BYTES, recordsOf } from "../parse/record-body.ts";
import type { InitiatorOf } from "./administration.ts";
import { permitted } from "./sessions.ts";

/** The maximum number of bytes of incomplete bodies in memory, except the first `FREE_BYTES` of each body. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
/** This many bytes of each body do not count as buffered, so that long bodies do not block the frequent short ones. */
const FREE_BYTES = 64 * 1024;

export interface RecordHandlerParts {
  readonly service: Pick<SessionService, "readRecordPage">;
  readonly recorder: RequestRecorder;
  readonly clock: Clock;
  readonly config: Pick<Config, "recordQueryKeys" | "auditReads">;
  readonly trail: Pick<AuditTrail, "append">;
  readonly initiatorOf: InitiatorOf;
}

/** Creates the handlers of records (contract.md#request-records). */
export function createRecordHandlers(parts: RecordHandlerParts) {
  const { service, recorder, clock, config, trail, initiatorOf } = parts;
  const queryKeys = new Set(config.recordQueryKeys);
  let bufferedBytes = 0;

  /** Reads the body within `MAX_BUFFERED_BYTES`. Only arrived bytes count: an announced length uses no memory. */
  async function bodyOf({ request }: Call): Promise<Uint8Array> {
    let own = 0;
    const mayBuffer = (bytes: number) => {
      const more = Math.max(0, bytes - FREE_BYTES) - own;
      if (bufferedBytes + more > MAX_BUFFERED_BYTES) return false;
      own += more;
      bufferedBytes += more;
      return true;
    };
    try {
      return (await readJsonBody(request, MAX_RECORDS_BODY_BYTES, mayBuffer)) ?? new Uint8Array();
    } finally {
      bufferedBytes -= own;
    }
  }

  return {
    async record(call: Call): Promise<ApiResponse> {
      const { request, principal, sessionId } = call;
      const scope = changeScope(principal);
      const { isDurable, isProvisional } = optionsOf(request.query);
      const body = await bodyOf(call);
      const records = recordsOf(body, clock(), queryKeys);
      const sent = { records, isFromVisitor: principal.role === "customer" };
      const receipt = JSON.stringify({ accepted: records.length } satisfies RecordReceipt);
      const key = requestKeyOf(request, principal, "record", [sessionId, body]);
      if (isProvisional && (await recorder.setAside(sessionId, sent, scope, key))) return accepted(receipt);
      if (key === undefined) {
        await recorder.record(sessionId, sent, scope, isDurable);
        return accepted(receipt);
      }
      const keyed = { ...key, response: () => receipt };
      return accepted(await recorder.recordOnce(sessionId, sent, scope, keyed));
    },

    async timeline({ request, principal, sessionId }: Call): Promise<ApiResponse> {
      const { after, limit } = boundsOf(request.query);
      // A request that names a customer reaches only that customer's sessions (contract.md#rule-4).
      const { customerId } = permitted(principal, identityOfHeaders(request));
      const scope = readScope(principal, customerId);
      const bounds = { after: after.sequence, limit };
      const name = { text: textFor(principal, sessionId), findable: findableBy(principal) };
      const recordPage = await service.readRecordPage(name, scope, bounds);
      if (recordPage === undefined) throw new Refusal({ code: "session-not-found", isStored: true });
      if (config.auditReads && (principal.role !== "customer" || principal.view !== undefined)) {
        const details = { session: recordPage.life.session.handle };
        await trail.append({ ...initiatorOf(principal, request), what: "timeline.read", details }, "done");
      }
      return json(timelineInfo(recordPage, pageOf(recordPage, after, limit)));
    },
  };
}

/**
 * Returns the text that names the session for a caller. A view token opens a session by its handle, never by its id, and
 * no other session than its own. Refuses with `session-not-found`.
 */
function textFor({ view }: Principal, text: string): string {
  if (view === undefined) return text;
  const handle = handleIn(text);
  if (handle === undefined || (view.handle !== null && view.handle !== handle)) {
    throw new Refusal({ code: "session-not-found", isStored: true });
  }
  return handle;
}

function accepted(body: string): ApiResponse {
  return { status: 202, headers: apiFields, body };
}

/** Returns the parameters `durable` and `provisional`. Refuses with `invalid-request` if both are set, or there are others. */
function optionsOf(query: string): { readonly isDurable: boolean; readonly isProvisional: boolean } {
  if (query === "") return noOptions;
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  checkParameterNames(parameters, ["durable", "provisional"], faults);
  const isSet = (name: string) => !["false", "0"].includes(parameters.get(name) ?? "false");
  const options = { isDurable: isSet("durable"), isProvisional: isSet("provisional") };
  if (options.isDurable && options.isProvisional) {
    const detail = "provisional sets the record aside, so durable cannot be promised: send one of the two.";
    faults.push({ in: "query", name: "provisional", detail });
  }
  refuseFaults(faults);
  return options;
}

const noOptions = { isDurable: false, isProvisional: false };

/** Returns the parameters `after` and `limit`. Refuses with `invalid-request` if one is invalid, or there are others. */
function boundsOf(query: string): { readonly after: Cursor; readonly limit: number } {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  checkParameterNames(parameters, ["after", "limit"], faults);
  const text = parameters.get("after") ?? "";
  const after = text === "" ? timelineStart : parseCursor(text);
  if (after === undefined) {
    const detail = "after is neither the `next` of another page nor a sequence number.";
    faults.push({ in: "query", name: "after", detail });
  }
  const limit = limitOf(parameters, faults);
  refuseFaults(faults);
  return { after: after ?? timelineStart, limit };
}
