import type { JWTPayload } from "jose";
import type { Logger } from "pino";
import { faultOfId } from "../../session/caller-ids.ts";
import { Refusal } from "../../session/errors.ts";
import type { Jwks } from "./jwks.ts";
import { reasonOf, typeName } from "./jwt-rejections.ts";
import { LEEWAY_SECONDS, type VerificationParts, type VerifiedJwt, verifyToken } from "./jwt-verification.ts";

/** The content of a valid logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4). */
export interface LogoutToken {
  /** The customer who signed out: the claim `sub`. */
  readonly customerId: string;
  /** The id of the token. Each token of an issuer has another one. */
  readonly jti: string;
}

/**
 * Verifies a logout token (section 2.6). Refuses with `invalid-request` if it is not valid or has no `sub`, and with
 * `unavailable` if the issuer's keys cannot be fetched.
 */
export type VerifyLogoutToken = (token: string) => Promise<LogoutToken>;

export interface LogoutTokenParts extends VerificationParts {
  readonly jwks: Pick<Jwks, "freshKeys" | "newerThan">;
  /** Logs the reasons for refusing tokens (`jwt-rejections.ts`). */
  readonly log: Pick<Logger, "debug">;
}

/** The member of `events` that makes a token a logout token. */
const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";

/**
 * The types of a logout token, without `application/`. `JWT` is that of issuers that do not declare it; any other type is
 * of another kind of token, such as an access token (RFC 8725, section 3.11).
 */
const TYPES = ["logout+jwt", "jwt"];

/**
 * The refusal of a token that the configured issuer did not make, or not for this service. It is the same for each fault:
 * only the log says which one it is.
 */
const UNTRUSTED =
  "The logout_token is not a valid token of the configured issuer: its signature, algorithm, iss, aud, iat or exp is wrong. The log of the service says why, at level debug.";

/** Creates the verification of the logout tokens of one issuer. */
export function createLogoutTokenVerifier(parts: LogoutTokenParts): VerifyLogoutToken {
  const { config, jwks, log, wallClock } = parts;

  return async (token) => {
    const keys = await jwks.freshKeys();
    const { payload, header } = await verifyToken(token, keys, parts, ["iat", "exp"]).catch((error: unknown) => {
      log.debug({ reason: reasonOf(error, config, "logout") }, "logout token refused");
      throw refusal(UNTRUSTED, error);
    });
    const fault = faultOfType(header.typ) ?? faultOfClaims(payload, wallClock());
    if (fault !== undefined) {
      log.debug({ reason: fault }, "logout token refused");
      throw refusal(`The logout_token is refused: ${fault}.`);
    }
    return { customerId: payload.sub as string, jti: payload.jti as string };
  };
}

/**
 * Returns whether a verified token is a logout token, which must not be accepted for another purpose (RFC 8725, section
 * 3.12): it names a customer, and providers sign it for the same audience if nothing else is configured.
 */
export function isLogoutToken({ header, payload }: Pick<VerifiedJwt, "header" | "payload">): boolean {
  const { events } = payload;
  return typeNameOf(header.typ) === "logout+jwt" || (isObject(events) && Object.hasOwn(events, LOGOUT_EVENT));
}

/** Returns the refusal of a logout token. */
export function refusal(detail: string, cause?: unknown): Refusal {
  return new Refusal({ code: "invalid-request", errors: [{ in: "body", name: "logout_token", detail }] }, cause);
}

function faultOfType(type: string | undefined): string | undefined {
  return TYPES.includes(typeNameOf(type))
    ? undefined
    : "its typ is that of another kind of token, and must be logout+jwt";
}

/** Returns a token's type in lower case, without `application/` (RFC 7515, section 4.1.9). A token without one is a JWT. */
export function typeNameOf(type: unknown): string {
  return typeof type === "string" ? type.toLowerCase().replace(/^application\//, "") : "jwt";
}

/** Returns what is wrong with the claims that only logout tokens have, and with `iat`; `undefined` if nothing is. */
function faultOfClaims(payload: JWTPayload, now: number): string | undefined {
  const { iat = 0, sub, jti, events } = payload;
  if (iat > now / 1000 + LEEWAY_SECONDS) return "its iat is in the future (check the clocks)";
  if (!isObject(events) || !isObject(memberOf(events, LOGOUT_EVENT))) {
    return `its claim events has no object named ${LOGOUT_EVENT}, so it is not a logout token`;
  }
  if (Object.hasOwn(payload, "nonce")) return "it has a nonce, which a logout token must not have";
  if (typeof jti !== "string" || jti === "") return `its jti is ${typeName(jti)}, and must be a text`;
  if (sub === undefined || sub === "") {
    return "it has no sub, which names the customer; sessions cannot be ended by sid alone";
  }
  const faultOfSub = typeof sub === "string" ? faultOfId(sub) : `is ${typeName(sub)}`;
  return faultOfSub === undefined ? undefined : `its sub ${faultOfSub}`;
}

function memberOf(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
