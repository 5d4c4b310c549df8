import type { SessionService } from "../../../services/sessions.ts";
import { Refusal } from "../../../session/errors.ts";
import { changeScope, type Principal, type Scope } from "../../../session/permissions.ts";
import { hasNoIds, type Identity } from "../../../session/session.ts";
import { sessionInfo } from "../../../wire/session-info.ts";
import type { ApiResponse } from "../../app/api-response.ts";
import type { RateLimits } from "../../app/rate-limits.ts";
import { requestKeyOf } from "../../parse/idempotency.ts";
import { identityOfRequest } from "../../parse/identity.ts";
import {
  type Call,
  createSessionHandlers,
  permitted,
  type SessionHandlers,
  showSession,
  showStored,
} from "../sessions.ts";
import { envelopeOfV1 } from "./envelopes.ts";

/**
 * Dialect 8.5.1 (contract.md#dialects). Retrieving an unknown session is refused and creates nothing. Updating
 * creates a session with a new id if none has the given id, or if it is another customer's: its clients begin
 * with a placeholder, and cannot continue otherwise after an expiry or when another person uses the browser.
 */
export function createHandlersOfV851(
  service: SessionService,
  limits?: RateLimits,
): SessionHandlers {
  const common = createSessionHandlers(service, limits, envelopeOfV1);

  async function associate(call: Call): Promise<ApiResponse> {
    const { request, principal, sessionId } = call;
    const ids = permitted(principal, await identityOfRequest(request));
    if (hasNoIds(ids)) throw new Refusal({ code: "nothing-to-associate" });
    const parts = [sessionId, JSON.stringify(ids)];
    const key = requestKeyOf(request, principal, "associate", parts);
    const known = await service.associateIfLive(sessionId, ids, updateScope(principal, ids));
    if (known !== undefined) return showSession(known, envelopeOfV1);
    limits?.create(request, principal);
    return key === undefined
      ? showSession(await service.create(ids), envelopeOfV1)
      : showStored(await service.createOnce(ids, { ...key, response: sessionInfo }), envelopeOfV1);
  }

  return { ...common, retrieve: common.head, associate };
}

/** Returns the scope of an update: sessions of other customers than the named one are unknown (contract.md#rule-4). */
function updateScope(principal: Principal, { customerId }: Identity): Scope {
  const scope = changeScope(principal);
  return scope === "everyone" && customerId !== null ? { customerId } : scope;
}
