import { Refusal } from "../../../session/errors.ts";
import { changeScope, type Principal, type Scope } from "../../../session/permissions.ts";
import { hasNoIds, type Identity } from "../../../session/session.ts";
import { hasTraits } from "../../../session/traits.ts";
import { sessionInfo } from "../../../wire/session-info.ts";
import type { ApiResponse } from "../../api-response.ts";
import type { Call } from "../../call.ts";
import { requestKeyOf } from "../../parse/idempotency.ts";
import { updateOfRequest } from "../../parse/identity.ts";
import {
  createSessionHandlers,
  fingerprintOf,
  permittedUpdate,
  type SessionHandlerParts,
  type SessionHandlers,
  showSession,
  showStored,
  showUpdated,
} from "../sessions.ts";
import { envelopeOfV1 } from "./envelopes.ts";

/**
 * Creates the handlers of dialect 8.5.1 (contract.md#dialects). Retrieving an unknown session is refused, and creates
 * no session, as with HEAD. Updating an unknown session, or a session of another customer, creates a session with a new id. The
 * clients of this dialect depend on that: they begin with a placeholder instead of an id, and cannot continue otherwise
 * when their session has expired or another person uses the browser.
 */
export function createHandlersOfV851(parts: SessionHandlerParts): SessionHandlers {
  const { service, limits, base } = parts;
  const common = createSessionHandlers({ ...parts, form: envelopeOfV1 });

  async function associate(call: Call): Promise<ApiResponse> {
    const { request, principal, sessionId } = call;
    const update = permittedUpdate(call, await updateOfRequest(request, service.profiles));
    const { ids, traits } = update;
    const hasContent = !hasNoIds(ids) || hasTraits(traits);
    if (!hasContent && !update.rotate) throw new Refusal({ code: "nothing-to-associate" });
    const key = requestKeyOf(request, principal, "associate", [sessionId, ...fingerprintOf(update)]);
    const opened = await service.updateIfLive(sessionId, update, updateScope(principal, ids));
    if (opened !== undefined) return showUpdated(sessionId, opened, { base, form: envelopeOfV1 });
    if (!hasContent) throw new Refusal({ code: "nothing-to-associate" });
    limits?.create(request, principal);
    return key === undefined
      ? showSession(await service.create(ids, traits), envelopeOfV1)
      : showStored(await service.createOnce(ids, { ...key, response: sessionInfo }, traits), envelopeOfV1);
  }

  return { ...common, retrieve: common.head, associate };
}

/** Returns an update's scope. If it names a customer, others' sessions count as unknown (contract.md#rule-4). */
function updateScope(principal: Principal, { customerId }: Identity): Scope {
  const scope = changeScope(principal);
  return scope === "everyone" && customerId !== null ? { customerId } : scope;
}
