import type { SessionData } from "../../services/session-data.ts";
import { type DataChange, isTagged, NO_DATA, tagOfData } from "../../session/data.ts";
import { changeScope, findableBy, readScope } from "../../session/permissions.ts";
import { type ApiResponse, apiFields } from "../api-response.ts";
import type { Call } from "../call.ts";
import { readDataChange } from "../parse/data-body.ts";
import { identityOfHeaders } from "../parse/identity.ts";
import { preconditionsOf } from "../parse/preconditions.ts";
import { noContent } from "./administration.ts";
import type { AuditDataRead } from "./data-reads.ts";
import { permitted } from "./sessions.ts";

/** Creates the handlers of session data (contract.md#data). `auditRead` is called for each response that shows data. */
export function createDataHandlers(data: SessionData, auditRead: AuditDataRead) {
  const nameOf = ({ sessionId, principal }: Call) => ({ text: sessionId, findable: findableBy(principal) });

  /** Returns the customer that a request names: it reaches only that customer's sessions (contract.md#rule-4). */
  const namedBy = ({ request, principal }: Call) => permitted(principal, identityOfHeaders(request)).customerId;

  async function change(call: Call, read: () => DataChange | Promise<DataChange>): Promise<string> {
    const scope = changeScope(call.principal, namedBy(call));
    const wanted = await read();
    return data.change(nameOf(call), scope, wanted, preconditionsOf(call.request));
  }

  return {
    async read(call: Call): Promise<ApiResponse> {
      const { request, principal } = call;
      const conditions = preconditionsOf(request);
      const { ifNoneMatch } = conditions;
      const json = await data.read(nameOf(call), readScope(principal, namedBy(call)), conditions);
      const audited = auditRead(call);
      if (audited !== undefined) await audited;
      const isKnown = ifNoneMatch !== undefined && isTagged(json, ifNoneMatch);
      return isKnown ? { ...show(json), status: 304, body: null } : show(json);
    },

    async merge(call: Call): Promise<ApiResponse> {
      const json = await change(call, () => readDataChange(call.request, "merge"));
      // The response has all data, also those that the patch does not name.
      const audited = auditRead(call);
      if (audited !== undefined) await audited;
      return show(json);
    },

    async replace(call: Call): Promise<ApiResponse> {
      return show(await change(call, () => readDataChange(call.request, "replace")));
    },

    async clear(call: Call): Promise<ApiResponse> {
      await change(call, () => ({ kind: "replace", json: NO_DATA }));
      return noContent;
    },
  };
}

function show(json: string): ApiResponse {
  return { status: 200, headers: apiFields, etag: `"${tagOfData(json)}"`, body: json };
}
