import type { ViewToken } from "@antechamber/client/protocol";
import type { Config } from "../../config/config.ts";
import type { AuditTrail } from "../../services/audit.ts";
import type { SessionAdmin } from "../../services/session-admin.ts";
import { Refusal } from "../../session/errors.ts";
import { type ApiResponse, json } from "../api-response.ts";
import type { ViewTokens } from "../auth/view-tokens.ts";
import type { Call } from "../call.ts";
import { readViewTokenBody } from "../parse/view-token-body.ts";
import type { InitiatorOf } from "./administration.ts";

export interface ViewTokenHandlerParts {
  readonly viewTokens: ViewTokens;
  readonly sessionAdmin: Pick<SessionAdmin, "get">;
  readonly config: Pick<Config, "auditReads">;
  readonly trail: Pick<AuditTrail, "append">;
  readonly logHash: (id: string) => string;
  readonly initiatorOf: InitiatorOf;
}

/** Creates the handler that creates view tokens (decision 0072). */
export function createViewTokenHandler(parts: ViewTokenHandlerParts) {
  const { viewTokens, sessionAdmin, config, trail, logHash, initiatorOf } = parts;

  return async ({ request, principal }: Call): Promise<ApiResponse> => {
    const { view, validForMs } = await readViewTokenBody(request);
    const isMissing = "handle" in view && (await sessionAdmin.get(view.handle)) === undefined;
    if (isMissing) throw new Refusal({ code: "session-not-found", isStored: true });
    if (config.auditReads) {
      const details = "handle" in view ? { session: view.handle } : { customerId: logHash(view.customerId) };
      await trail.append({ ...initiatorOf(principal, request), what: "view-token.create", details }, "done");
    }
    const { token, expiresAt } = viewTokens.create(principal, view, validForMs);
    const body: ViewToken = {
      token,
      expiresAt: new Date(expiresAt).toISOString(),
      handle: "handle" in view ? view.handle : null,
      customerId: "customerId" in view ? view.customerId : null,
    };
    return json(body, 201);
  };
}
