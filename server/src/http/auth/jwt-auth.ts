import type { JWTPayload } from "jose";
import type { Logger } from "pino";
import type { TokenConfig } from "../../config/config.ts";
import type { WallClock } from "../../runtime/clock.ts";
import { faultOfId, MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { Refusal } from "../../session/errors.ts";
import { type Principal, type Role, roles } from "../../session/permissions.ts";
import { faultOfAccessToken } from "./access-token.ts";
import type { Authenticate } from "./api-key-auth.ts";
import type { Jwks, VerificationKeys } from "./jwks.ts";
import { ClaimError, reasonOf, reasonOfNoToken, typeName } from "./jwt-rejections.ts";
import { verifyToken } from "./jwt-verification.ts";
import { TextCache } from "./text-cache.ts";

export interface JwtAuthParts {
  readonly config: TokenConfig;
  readonly jwks: Jwks;
  readonly wallClock: WallClock;
  /** Logs the reasons for refusing tokens (`jwt-rejections.ts`). */
  readonly log: Pick<Logger, "debug">;
}

/** The cache of verified tokens: at most `MAX_TOKENS` entries, with `MAX_CHARACTERS` in their headers together. */
const MAX_TOKENS = 10_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;

const BEARER = /^Bearer +([\w-]{1,4096}\.[\w-]{1,8192}\.[\w-]{1,2048})$/i;

/** The caller that a verified token names, and when the token is valid. */
interface VerifiedToken {
  readonly principal: Principal;
  /** The start of the token's validity, Unix ms. It is checked too, because the wall clock may be set back. */
  readonly from: number;
  /** The end of the token's validity, Unix ms. */
  readonly until: number;
}

/**
 * Creates the authentication of mode `jwt` (contract.md#mode-jwt), in which callers send `Authorization: Bearer
 * <token>`. A verified token is cached until it expires or the issuer's keys change, so that its signature is not
 * checked at each request.
 */
export function createJwtAuth(parts: JwtAuthParts): Authenticate {
  const { jwks, wallClock } = parts;
  const verified = new TextCache<VerifiedToken>(MAX_TOKENS, MAX_CHARACTERS);
  /** The keys with which the cached tokens were verified. */
  let keysOfVerified: VerificationKeys | undefined;

  function cachedPrincipal(header: string): Principal | undefined {
    jwks.refresh();
    if (keysOfVerified !== jwks.current) return undefined;
    const token = verified.get(header);
    if (token === undefined) return undefined;
    const now = wallClock();
    return token.from <= now && now < token.until ? token.principal : undefined;
  }

  function cache(header: string, token: VerifiedToken, keys: VerificationKeys): void {
    // If the keys changed during the verification, this token's key may be withdrawn, so the token is not cached.
    if (keys !== jwks.current) return;
    if (keysOfVerified !== keys) {
      verified.clear();
      keysOfVerified = keys;
    }
    verified.set(header, token);
  }

  async function verify(header: string): Promise<Principal> {
    const token = BEARER.exec(header)?.[1];
    if (token === undefined) {
      parts.log.debug({ reason: reasonOfNoToken(header, parts.config) }, "token refused");
      throw new Refusal({ code: "invalid-credential" });
    }
    const keys = await jwks.keys();
    try {
      const verifiedJwt = await verifyToken(token, keys, parts, ["exp"]);
      const fault = faultOfAccessToken(verifiedJwt);
      if (fault !== undefined) throw new ClaimError(fault);
      const { payload, verifiedWith } = verifiedJwt;
      const principal = principalOf(payload, parts.config);
      const { nbf = 0, exp = 0 } = payload;
      cache(header, { principal, from: nbf * 1000, until: exp * 1000 }, verifiedWith);
      return principal;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      parts.log.debug({ reason: reasonOf(error, parts.config, "jwt") }, "token refused");
      throw new Refusal({ code: "invalid-credential" }, error);
    }
  }

  return (request) => {
    const header = request.header("authorization");
    if (header === null || header === "") throw new Refusal({ code: "credential-required" });
    return cachedPrincipal(header) ?? verify(header);
  };
}

/** Returns the caller that the claims describe. Throws `ClaimError` if they do not describe one. */
export function principalOf(payload: JWTPayload, { claims, defaultRole }: TokenConfig): Principal {
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

/** Returns the role in a claim. The claim may be a list of names; exactly one must be a role of this service. */
function roleOf(name: string, claim: unknown, defaultRole: Role | undefined): Role {
  if (claim === undefined && defaultRole !== undefined) return defaultRole;
  const names: unknown[] = Array.isArray(claim) ? claim : [claim];
  const [role, ...others] = roles.filter((each) => names.includes(each));
  if (role !== undefined && others.length === 0) return role;
  const what = others.length > 0 ? "names several roles" : `is ${typeName(claim)} and names no role`;
  const none = claim === undefined ? " (jwtDefaultRole is for tokens without one)" : "";
  throw new ClaimError(`the claim ${name} (jwtRoleClaim) ${what}${none}: it must name one of ${roles.join(", ")}`);
}

function idOf(name: string, claim: unknown): string | null {
  if (claim === undefined || claim === null || claim === "") return null;
  const fault = typeof claim === "string" ? faultOfId(claim) : `is ${typeName(claim)}`;
  if (typeof claim === "string" && fault === undefined) return claim;
  throw new ClaimError(
    `the claim ${name} ${fault}: it must be a text of 1 to ${MAX_ID_CHARACTERS} characters without control characters`,
  );
}
