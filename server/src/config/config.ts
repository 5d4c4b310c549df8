import type { Rate } from "../limits/rate.ts";
import type { Lifetimes } from "../session/lifetime.ts";
import type { Role } from "../session/permissions.ts";
import { parseValues, type Values } from "./settings.ts";

/**
 * A valid configuration: each setting under its own name, except for those that form a group. Durations are
 * in milliseconds, paths absolute; `null` and `undefined` stand for a setting without a value.
 */
export type Config = Readonly<ReturnType<typeof configOf>>;

/** The authentication mode. */
export type AuthMode = Config["auth"];

/** A Unix socket to listen on. */
export interface SocketConfig {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
}

/** The tokens that the mode `jwt` accepts, and how it reads them. */
export interface TokenConfig {
  readonly issuer: string;
  /** A token must be for at least one of them. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly keySetUrl: string;
  /** The names of the claims. */
  readonly claims: { readonly role: string; readonly customerId: string; readonly agentId: string };
  /** The role of a token without the claim; `undefined`: such a token is refused. */
  readonly defaultRole: Role | undefined;
}

/** Rates of what callers do, by what is counted (`http/rate-limits.ts`); `undefined`: no limit. */
export interface ConfiguredRates {
  readonly creates: Rate | undefined;
  readonly misses: Rate | undefined;
  readonly requests: Rate | undefined;
}

/** Converts the settings' values. A setting that is not named here becomes a member of its own. */
export function configOf(values: Values) {
  const {
    basePath,
    socket,
    socketMode,
    jwtIssuer,
    jwtAudience,
    jwtAlgorithms,
    jwtKeySetUrl,
    jwtRoleClaim,
    jwtCustomerClaim,
    jwtAgentClaim,
    jwtDefaultRole,
    createsPerAddress,
    missesPerAddress,
    requestsPerAddress,
    createsPerCredential,
    missesPerCredential,
    requestsPerCredential,
    anonymousIdle,
    anonymousLifetime,
    recognizedIdle,
    recognizedLifetime,
    ...others
  } = parseValues(values);
  const tokens: TokenConfig = {
    issuer: jwtIssuer,
    audiences: jwtAudience,
    algorithms: jwtAlgorithms,
    keySetUrl: jwtKeySetUrl,
    claims: { role: jwtRoleClaim, customerId: jwtCustomerClaim, agentId: jwtAgentClaim },
    defaultRole: jwtDefaultRole === "none" ? undefined : jwtDefaultRole,
  };
  const unixSocket: SocketConfig = { path: socket, mode: Number.parseInt(socketMode, 8) };
  return {
    ...others,
    /** Paths below which the API is served in addition to the root, which speaks 8.5.0. */
    basePaths: basePath,
    /** Replaces host and port. */
    socket: socket === "" ? undefined : unixSocket,
    /** Present if `auth` is `jwt`. */
    tokens: others.auth === "jwt" ? tokens : undefined,
    perAddress: {
      creates: createsPerAddress,
      misses: missesPerAddress,
      requests: requestsPerAddress,
    } satisfies ConfiguredRates,
    perCredential: {
      creates: createsPerCredential,
      misses: missesPerCredential,
      requests: requestsPerCredential,
    } satisfies ConfiguredRates,
    lifetimes: {
      anonymous: { idle: anonymousIdle, total: anonymousLifetime },
      recognized: { idle: recognizedIdle, total: recognizedLifetime },
    } satisfies Lifetimes,
  };
}
