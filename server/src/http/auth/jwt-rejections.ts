import { errors } from "jose";
import type { IssuerConfig } from "../../config/config.ts";

/*
 * Reasons for refusing a token, for the operator's log: the claim, the type of its value, and what is allowed. They
 * contain nothing of the token except its times and its issuer. The issuer is not secret, and a wrong one often differs
 * from the right one only by a slash.
 */

/** A claim with a value that the service cannot use. The message is for the log. */
export class ClaimError extends TypeError {
  override readonly name = "ClaimError";
}

/** Describes the type of a value for the log. */
export function typeName(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (value === "") return "an empty text";
  if (Array.isArray(value)) return "a list";
  const kinds: Readonly<Record<string, string>> = {
    string: "a text",
    number: "a number",
    boolean: "a boolean",
  };
  return kinds[typeof value] ?? "an object";
}

/** Returns why the value of `Authorization` is not a token at all. */
export function reasonOfNoToken(header: string, { audiences }: IssuerConfig): string {
  const credential = /^Bearer +(.*)$/i.exec(header)?.[1];
  if (credential === undefined) return "Authorization does not begin with Bearer";
  if (credential.startsWith("ak_")) {
    return "the credential is an API key of this service, which only mode key accepts; mode jwt accepts tokens of the issuer";
  }
  if (/^[\w-]+\.[\w-]*\.$/.test(credential)) return "the token is not signed: its last part is empty";
  if (credential.split(".").length === 3) {
    return "the token is too long, or has characters that are not allowed in a token";
  }
  if (credential.split(".").length === 5) {
    return "the token is encrypted (JWE); only signed tokens (JWS) are accepted";
  }
  return `the credential is not a signed token (JWT): it does not have three parts. Many providers issue such an opaque token if the client does not ask for an audience or resource; ask for ${listed(audiences)}`;
}

/** Returns why a token is refused. `settings` is how the names of the settings for these tokens begin. */
export function reasonOf(error: unknown, config: IssuerConfig, settings: "jwt" | "logout"): string {
  if (error instanceof ClaimError) return error.message;
  const isOfClaim = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired;
  if (isOfClaim) return reasonOfClaim(error, config, settings);
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return `the token's algorithm is not one of ${settings}Algorithms: ${listed(config.algorithms)}`;
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return `no key of the key set fits the token: the set has no key with its kid, or only one for another algorithm (${config.keySetUrl})`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return "the signature was not made with the key that the token names";
  }
  if (error instanceof errors.JOSEError) return `the token is malformed: ${error.code}`;
  return `the token could not be read: ${error instanceof Error ? error.name : typeof error}`;
}

function reasonOfClaim(
  { claim, payload }: errors.JWTClaimValidationFailed | errors.JWTExpired,
  { issuer, audiences }: IssuerConfig,
  settings: "jwt" | "logout",
): string {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  const kind = typeName(value);
  switch (claim) {
    case "iss": {
      const received = typeof value === "string" ? JSON.stringify(value.slice(0, 256)) : kind;
      return `iss is ${received}, and ${settings}Issuer is ${JSON.stringify(issuer)}: they must be the same, to the last slash`;
    }
    case "aud":
      return `aud is ${kind}, and contains none of ${settings}Audience: ${listed(audiences)}`;
    case "exp":
      return typeof value === "number"
        ? `exp is in the past: the token expired at ${timeText(value)}`
        : `exp is ${kind}, and must be a number: a token has to expire`;
    case "nbf":
      return typeof value === "number"
        ? `nbf is in the future: the token is valid from ${timeText(value)} (check the clocks)`
        : `nbf is ${kind}, and must be a number`;
    case "iat":
      return typeof value === "number"
        ? `iat is in the future: the token was issued at ${timeText(value)} (check the clocks)`
        : `iat is ${kind}, and must be a number`;
    default:
      return `${claim} is ${kind}, which is not allowed`;
  }
}

function listed(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ");
}

/** Formats Unix seconds as ISO 8601. If the number is not a valid time, returns the number as text. */
function timeText(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString();
}
