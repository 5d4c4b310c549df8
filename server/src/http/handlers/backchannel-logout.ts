import { identityProvider } from "../../services/audit.ts";
import type { SessionAdmin } from "../../services/session-admin.ts";
import { anySession } from "../../session/filter.ts";
import type { ApiResponse } from "../api-response.ts";
import { refusal, type VerifyLogoutToken } from "../auth/logout-token.ts";
import { TextCache } from "../auth/text-cache.ts";
import type { Call } from "../call.ts";
import { readForm } from "../parse/bodies.ts";
import { MAX_BODY_BYTES } from "../parse/identity.ts";
import type { Restate } from "../problems.ts";
import type { InitiatorOf } from "./administration.ts";

export interface BackchannelLogoutParts {
  readonly sessionAdmin: Pick<SessionAdmin, "endMany">;
  readonly verifyLogoutToken: VerifyLogoutToken;
  readonly initiatorOf: InitiatorOf;
}

/** The used `jti` that are remembered: at most `MAX_USED`, with `MAX_CHARACTERS` together. Only the issuer can add one. */
const MAX_USED = 10_000;
const MAX_CHARACTERS = 1_000_000;

/**
 * Creates the handler of sign-outs at the identity provider (contract.md#back-channel-logout; OpenID Connect Back-Channel
 * Logout 1.0). It ends all sessions of a customer. The token in the request is its credential.
 */
export function createBackchannelLogout({ sessionAdmin, verifyLogoutToken, initiatorOf }: BackchannelLogoutParts) {
  const used = new TextCache<true>(MAX_USED, MAX_CHARACTERS);

  return async ({ request, principal }: Call): Promise<ApiResponse> => {
    const { customerId, jti } = await verifyLogoutToken(tokenIn(await readForm(request, MAX_BODY_BYTES)));
    if (used.get(jti)) throw refusal("The logout_token was used already: another token had the same jti.");
    const by = identityProvider(initiatorOf(principal, request).from);
    const filter = { ...anySession, customerId };
    let after: string | null = null;
    do ({ next: after } = await sessionAdmin.endMany(by, { filter, after, isDry: false, reason: "logout" }));
    while (after !== null);
    // The token counts as used only now, so that the provider can repeat a logout that failed.
    used.set(jti, true);
    return loggedOut;
  };
}

const loggedOut: ApiResponse = {
  status: 200,
  headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
  body: null,
};

/** Returns the token in a form. Other members are ignored (section 2.5). */
function tokenIn(form: URLSearchParams): string {
  const [token, ...others] = form.getAll("logout_token");
  if (token === undefined || token === "") throw refusal("Send the logout token as logout_token in the form.");
  if (others.length > 0) throw refusal("logout_token is given twice.");
  return token;
}

/** Adds the members that an identity provider reads in a refusal (section 2.8; RFC 6749, section 5.2). */
export const logoutError: Restate = (problem) =>
  problem.status === 400 ? { ...problem, error: "invalid_request", error_description: problem.detail } : problem;
