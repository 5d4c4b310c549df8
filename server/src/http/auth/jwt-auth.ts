import {
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import type { Logger } from "pino";
import type { TokenConfig } from "../../config/config.ts";
import type { WallClock } from "../../runtime/clock.ts";
import { faultOfId, MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { Refusal } from "../../session/errors.ts";
import { type Principal, type Role, roles } from "../../session/permissions.ts";
import type { Authenticate } from "./api-key-auth.ts";
import type { Jwks, VerificationKeys } from "./jwks.ts";
import { ClaimError, reasonOf, reasonOfNoToken, typeName } from "./jwt-rejections.ts";

/** What the mode `jwt` works with. */
export interface JwtAuthParts {
  readonly config: TokenConfig;
  readonly keySet: Jwks;
  readonly wallClock: WallClock;
  /** Hears why a token was refused, in words that contain nothing of it. */
  readonly log: Pick<Logger, "debug">;
}

/** Clocks of different machines may be so far apart, in seconds. */
const LEEWAY_SECONDS = 30;
/** Verified tokens that are remembered: so many, of so many characters in all. */
const MAX_TOKENS = 10_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;

const BEARER = /^Bearer +([\w-]{1,4096}\.[\w-]{1,8192}\.[\w-]{1,2048})$/i;

/** A token that was found good. */
interface Known {
  readonly principal: Principal;
  /** Start and end of its validity, Unix ms. The start matters too, since the wall clock may step back. */
  readonly from: number;
  readonly until: number;
}

/**
 * Mode `jwt` (contract.md#mode-jwt): `Authorization: Bearer <token>`. Caches a verified token until it expires or
 * the issuer's keys change, so that its signature is not checked at each request.
 */
export function createJwtAuth(parts: JwtAuthParts): Authenticate {
  const { keySet, wallClock } = parts;
  const known = new Map<string, Known>();
  let characters = 0;
  /** Those that verified what is known. */
  let keysOfKnown: VerificationKeys | undefined;

  function recall(header: string): Principal | undefined {
    keySet.refresh();
    if (keysOfKnown !== keySet.current) return undefined;
    const entry = known.get(header);
    if (entry === undefined) return undefined;
    const now = wallClock();
    return entry.from <= now && now < entry.until ? entry.principal : undefined;
  }

  function remember(header: string, entry: Known, keys: VerificationKeys): void {
    // While this one was verified the issuer may have withdrawn its key.
    if (keys !== keySet.current) return;
    if (keysOfKnown !== keys) {
      known.clear();
      characters = 0;
      keysOfKnown = keys;
    }
    if (!known.has(header)) characters += header.length;
    known.set(header, entry);
    for (const [oldest] of known) {
      if (known.size <= MAX_TOKENS && characters <= MAX_CHARACTERS) return;
      known.delete(oldest);
      characters -= oldest.length;
    }
  }

  async function verify(header: string): Promise<Principal> {
    const token = BEARER.exec(header)?.[1];
    if (token === undefined) {
      parts.log.debug({ reason: reasonOfNoToken(header, parts.config) }, "token refused");
      throw new Refusal({ code: "invalid-credential" });
    }
    const keys = await keySet.keys();
    try {
      const { payload, provenBy } = await payloadOf(token, keys, parts);
      const principal = principalOf(payload, parts.config);
      const { nbf = 0, exp = 0 } = payload;
      remember(header, { principal, from: nbf * 1000, until: exp * 1000 }, provenBy);
      return principal;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      parts.log.debug({ reason: reasonOf(error, parts.config) }, "token refused");
      throw new Refusal({ code: "invalid-credential" }, error);
    }
  }

  return (request) => {
    const header = request.header("authorization");
    if (header === null || header === "") throw new Refusal({ code: "credential-required" });
    return recall(header) ?? verify(header);
  };
}

/** The claims of a token that is good. Rejects with an error of jose's, or a `TypeError`. */
async function payloadOf(
  token: string,
  keys: VerificationKeys,
  { config, keySet, wallClock }: JwtAuthParts,
): Promise<{ readonly payload: JWTPayload; readonly provenBy: VerificationKeys }> {
  const options: JWTVerifyOptions = {
    issuer: config.issuer,
    audience: [...config.audiences],
    algorithms: [...config.algorithms],
    requiredClaims: ["exp"],
    clockTolerance: LEEWAY_SECONDS,
    currentDate: new Date(wallClock()),
  };
  try {
    return { payload: await verifyWith(token, keys.find, options), provenBy: keys };
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    // The issuer may have a new key since.
    const newer = await keySet.newerThan(keys);
    if (newer === undefined) throw error;
    return { payload: await verifyWith(token, newer.find, options), provenBy: newer };
  }
}

/** A token need not name its key (RFC 7515, section 4.1.4): then each that fits is tried. */
async function verifyWith(
  token: string,
  keys: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (mismatch) {
        if (!(mismatch instanceof errors.JWSSignatureVerificationFailed)) throw mismatch;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Returns the caller that the claims describe. Throws `ClaimError` if they do not describe one. */
function principalOf(payload: JWTPayload, { claims, defaultRole }: TokenConfig): Principal {
  const role = roleOf(claims.role, memberOf(payload, claims.role), defaultRole);
  const id = (name: string) => idOf(name, memberOf(payload, name));
  return {
    role,
    customerId: role === "customer" ? id(claims.customerId) : null,
    agentId: role === "agent" ? id(claims.agentId) : null,
  };
}

function memberOf(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

/** A role, or a list of names of which one is a role: issuers have others besides. */
function roleOf(name: string, claim: unknown, defaultRole: Role | undefined): Role {
  if (claim === undefined && defaultRole !== undefined) return defaultRole;
  const names: unknown[] = Array.isArray(claim) ? claim : [claim];
  const [role, ...others] = roles.filter((each) => names.includes(each));
  if (role !== undefined && others.length === 0) return role;
  const what =
    others.length > 0 ? "names several roles" : `is ${typeName(claim)} and names no role`;
  const none = claim === undefined ? " (jwtDefaultRole is for tokens without one)" : "";
  throw new ClaimError(
    `the claim ${name} (jwtRoleClaim) ${what}${none}: it must name one of ${roles.join(", ")}`,
  );
}

function idOf(name: string, claim: unknown): string | null {
  if (claim === undefined || claim === null || claim === "") return null;
  const fault = typeof claim === "string" ? faultOfId(claim) : `is ${typeName(claim)}`;
  if (typeof claim === "string" && fault === undefined) return claim;
  throw new ClaimError(
    `the claim ${name} ${fault}: it must be a text of 1 to ${MAX_ID_CHARACTERS} characters without control characters`,
  );
}
