import type { RecordReceipt } from "@antechamber/client/protocol";
import type { Clock } from "../../runtime/clock.ts";
import type { SessionService } from "../../services/sessions.ts";
import type { Fault } from "../../session/errors.ts";
import { changeScope, readScope } from "../../session/permissions.ts";
import { type Cursor, pageOf, parseCursor, timelineStart } from "../../session/timeline.ts";
import { timelineInfo } from "../../wire/timeline-info.ts";
import { type ApiResponse, apiFields, json } from "../app/api-response.ts";
import { readJsonBody, refuseFaults } from "../parse/bodies.ts";
import { requestKeyOf } from "../parse/idempotency.ts";
import { identityOfHeaders } from "../parse/identity.ts";
import { MAX_RECORDS_BODY_BYTES, recordsOf } from "../parse/record-body.ts";
import { limitOf } from "../parse/session-query.ts";
import { type Call, permitted } from "./sessions.ts";

/** The handlers of request records (contract.md#request-records). */
export interface RecordHandlers {
  record(call: Call): Promise<ApiResponse>;
  timeline(call: Call): Promise<ApiResponse>;
}

/** A body is held until it is complete: at most so many bytes of all bodies together, or memory would grow. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** The first bytes of each do not count: most bodies are that short, and long ones must not keep them out. */
const FREE_BYTES = 64 * 1024;

/** Handlers over the use cases. `keptKeys` are the query parameters that are kept in paths. */
export function createRecordHandlers(
  service: SessionService,
  clock: Clock,
  keptKeys: ReadonlySet<string>,
): RecordHandlers {
  let heldBytes = 0;

  /** Reads the body while there is room for it. What counts has arrived: a length that is announced costs nothing. */
  async function bodyOf({ request }: Call): Promise<Uint8Array> {
    let own = 0;
    const mayBuffer = (bytes: number) => {
      const more = Math.max(0, bytes - FREE_BYTES) - own;
      if (heldBytes + more > MAX_HELD_BYTES) return false;
      own += more;
      heldBytes += more;
      return true;
    };
    try {
      return (await readJsonBody(request, MAX_RECORDS_BODY_BYTES, mayBuffer)) ?? new Uint8Array();
    } finally {
      heldBytes -= own;
    }
  }

  return {
    async record(call) {
      const { request, principal, sessionId } = call;
      const scope = changeScope(principal);
      const body = await bodyOf(call);
      const records = recordsOf(body, clock(), keptKeys);
      const receipt = JSON.stringify({ accepted: records.length } satisfies RecordReceipt);
      const key = requestKeyOf(request, principal, "record", [sessionId, body]);
      if (key === undefined) {
        await service.record(sessionId, records, scope, isDurable(request.query));
        return accepted(receipt);
      }
      const keyed = { ...key, response: () => receipt };
      return accepted(await service.recordOnce(sessionId, records, scope, keyed));
    },

    async timeline({ request, principal, sessionId }) {
      const { after, limit } = boundsOf(request.query);
      // A request that names a customer reaches only that customer's sessions (contract.md#rule-4).
      const scope = readScope(
        principal,
        permitted(principal, identityOfHeaders(request)).customerId,
      );
      const stretch = await service.readRecordPage(sessionId, scope, {
        after: after.sequence,
        limit,
      });
      return json(timelineInfo(sessionId, stretch, pageOf(stretch, after, limit)));
    },
  };
}

function accepted(body: string): ApiResponse {
  return { status: 202, headers: apiFields, body };
}

function isDurable(query: string): boolean {
  const value = new URLSearchParams(query).get("durable");
  return value !== null && value !== "false" && value !== "0";
}

/** `after` and `limit` of a query. Refuses with `invalid-request`. */
function boundsOf(query: string): { readonly after: Cursor; readonly limit: number } {
  const parameters = new URLSearchParams(query);
  const faults: Fault[] = [];
  const after = parameters.get("after") ?? "";
  const cursor = after === "" ? timelineStart : parseCursor(after);
  if (cursor === undefined) {
    const detail = "after is neither the next of another page nor a sequence.";
    faults.push({ in: "query", name: "after", detail });
  }
  const limit = limitOf(parameters, faults);
  refuseFaults(faults);
  return { after: cursor ?? timelineStart, limit };
}
