import type { Config } from "../../config/config.ts";
import type { AuditTrail } from "../../services/audit.ts";
import { handleOf, isHandle } from "../../session/id.ts";
import type { Call } from "../call.ts";
import type { InitiatorOf } from "./administration.ts";

/** Appends an audit entry if the caller has read the data of the session that the path names. */
export type AuditDataRead = (call: Call) => Promise<void> | undefined;

export interface DataReadParts {
  readonly config: Pick<Config, "auditReads" | "auth">;
  readonly trail: Pick<AuditTrail, "append">;
  readonly initiatorOf: InitiatorOf;
}

/**
 * Creates the function that audits reads of session data (contract.md#audit-trail). Without the setting `auditReads` it does
 * nothing. Customers, and services that name a session by its id, read the data of a visitor's own request: those reads
 * are not entries. In mode `local` the caller may be a service.
 */
export function createAuditDataRead({ config, trail, initiatorOf }: DataReadParts): AuditDataRead {
  return ({ principal, request, sessionId }) => {
    if (!config.auditReads || principal.role === "customer") return undefined;
    const isVisitors = (principal.role === "service" || config.auth === "local") && !isHandle(sessionId);
    if (isVisitors) return undefined;
    const details = { session: handleOf(sessionId) };
    return trail.append({ ...initiatorOf(principal, request), what: "data.read", details }, "done");
  };
}
