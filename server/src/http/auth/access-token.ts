import type { VerifiedJwt } from "./jwt-verification.ts";
import { isLogoutToken, typeNameOf } from "./logout-token.ts";

/** The types of an access token, without `application/` (RFC 9068, section 2.1). Many issuers write `JWT`, or none. */
const TYPES = ["at+jwt", "jwt"];

/** Claims that only ID tokens have: hashes of what was issued together with them (OpenID Connect Core, section 3.3.2.11). */
const HASHES = ["at_hash", "c_hash", "s_hash"];

/** Claims of which an access token has at least one: its scope, and the client that it was issued to. */
const CLAIMS_OF_ACCESS = ["scope", "scp", "client_id", "azp"];

/**
 * Returns why a verified token is another kind of token than an access token (decision 0090; RFC 8725, section 3.12);
 * `undefined` if it may be one. The text is for the log, and completes "the token is refused because …".
 */
export function faultOfAccessToken(token: Pick<VerifiedJwt, "header" | "payload">): string | undefined {
  if (isLogoutToken(token)) return "it is a logout token, which says who has signed out";
  const type = typeNameOf(token.header.typ);
  if (!TYPES.includes(type)) return "its typ is that of another kind of token, and must be at+jwt or JWT";
  if (type === "at+jwt") return undefined;
  const sign = signOfIdToken(token.payload);
  if (sign === undefined) return undefined;
  return `it is an ID token (${sign}), which is meant for the application that signed the person in: send the access token`;
}

/** Returns what only an ID token has; `undefined` if there is nothing. */
function signOfIdToken(payload: VerifiedJwt["payload"]): string | undefined {
  const has = (claim: string) => Object.hasOwn(payload, claim);
  // Keycloak names the kind in the claim `typ`, Amazon Cognito in `token_use`.
  if (has("typ") && payload["typ"] === "ID") return "its claim typ is ID";
  if (has("token_use") && payload["token_use"] === "id") return "its claim token_use is id";
  const hash = HASHES.find(has);
  if (hash !== undefined) return `it has the claim ${hash}`;
  // Access tokens of some issuers have a nonce too, such as those of Keycloak before 25 and of Authentik.
  const isOfSignIn = has("nonce") && !CLAIMS_OF_ACCESS.some(has);
  return isOfSignIn ? `it has a nonce, and none of the claims ${CLAIMS_OF_ACCESS.join(", ")}` : undefined;
}
