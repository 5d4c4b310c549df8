import type { AuditPage, AuditVerificationPage } from "@antechamber/client/protocol";
import type { AuditTrail } from "../../services/audit.ts";
import { checkEntries, findEntries, type ReadAudit } from "../../services/audit-search.ts";
import type { AuditEntry } from "../../store/audit-chain.ts";
import { type ApiResponse, json } from "../api-response.ts";
import type { Call } from "../call.ts";
import { auditCheckQueryOf, auditQueryOf, placeText } from "../parse/audit-query.ts";

export interface AuditHandlerParts {
  readonly trail: Pick<AuditTrail, "lastSequence" | "readEntries">;
  readonly logHash: (id: string) => string;
}

/** Maximum number of entries that one request searches or checks: more would keep other requests waiting for the store. */
const MAX_READ = 20_000;
/** Maximum number of faults in one response. */
const MAX_FAULTS = 100;

/** Creates the handlers of the audit trail. */
export function createAuditHandlers({ trail, logHash }: AuditHandlerParts) {
  const read: ReadAudit = async ({ after, limit }) => ({
    last: limit === 0 ? await trail.lastSequence() : 0,
    entries: limit === 0 ? [] : await trail.readEntries(after, limit),
  });

  return {
    async list({ request }: Call): Promise<ApiResponse> {
      const last = await trail.lastSequence();
      const { filter, before, limit } = auditQueryOf(request.query, last, logHash);
      const { entries, next } = await findEntries(read, filter, { before, limit, maxRead: MAX_READ });
      return json({ entries: entries.map(auditInfo), next: next === null ? null : String(next) } satisfies AuditPage);
    },

    async verify({ request }: Call): Promise<ApiResponse> {
      const { from, expectedHash } = auditCheckQueryOf(request.query);
      const { last, faults, isExpectedFound, hasMore } = await checkEntries(read, from, MAX_READ, expectedHash);
      const result: AuditVerificationPage = {
        entries: last?.sequence ?? 0,
        hash: last?.hash ?? null,
        faults: faults.slice(0, MAX_FAULTS),
        faultCount: faults.length,
        isExpectedFound: expectedHash === undefined ? null : isExpectedFound,
        next: hasMore && last !== undefined ? placeText(last) : null,
      };
      return json(result);
    },
  };
}

function auditInfo({ at, ...entry }: AuditEntry): AuditPage["entries"][number] {
  const { sequence, ...rest } = entry;
  return { sequence, at: new Date(at).toISOString(), ...rest };
}
