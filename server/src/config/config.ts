import type { Rate } from "../limits/rate.ts";
import type { Lifetimes } from "../session/lifetime.ts";
import type { Role } from "../session/permissions.ts";
import { parseValues, type Values } from "./settings.ts";

/** A valid configuration. Durations are in ms, paths are absolute. A missing value is `null` or `undefined`. */
export type Config = Readonly<ReturnType<typeof configOf>>;

export type AuthMode = Config["auth"];

/** A Unix socket to listen on. */
export interface SocketConfig {
  readonly path: string;
  /** Permission bits of the socket file. */
  readonly mode: number;
}

/** An issuer whose tokens are believed, and the requirements for them. */
export interface IssuerConfig {
  readonly issuer: string;
  /** A token must name at least one of these audiences. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly keySetUrl: string;
}

/** Requirements for the tokens that the mode `jwt` accepts, and the names of their claims. */
export interface TokenConfig extends IssuerConfig {
  /** The names of the claims. */
  readonly claims: { readonly role: string; readonly customerId: string; readonly agentId: string };
  /** Role of a token that has no role claim; `undefined` if such a token is refused. */
  readonly defaultRole: Role | undefined;
}

/** Rate limits for each action that is counted (`http/rate-limits.ts`); `undefined` if there is no limit. */
export interface ConfiguredRates {
  readonly creates: Rate | undefined;
  readonly misses: Rate | undefined;
  readonly requests: Rate | undefined;
}

/** Combines the settings into a `Config`. A setting that the code does not name becomes a member under its own name. */
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
    logoutIssuer,
    logoutAudience,
    logoutAlgorithms,
    logoutKeySetUrl,
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
    profiles,
    console,
    consoleClientId,
    consoleClientSecret,
    consoleScopes,
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
  const logout: IssuerConfig = {
    issuer: logoutIssuer || jwtIssuer,
    audiences: logoutAudience.length > 0 ? logoutAudience : jwtAudience,
    algorithms: logoutAlgorithms.length > 0 ? logoutAlgorithms : jwtAlgorithms,
    keySetUrl: logoutKeySetUrl || jwtKeySetUrl,
  };
  const unixSocket: SocketConfig = { path: socket, mode: Number.parseInt(socketMode, 8) };
  return {
    ...others,
    /** Whether the console is served. */
    console: console === "local" ? others.auth === "local" : console === "true",
    /** The client of the console at the identity provider; `undefined` if people do not sign in there. */
    consoleClient:
      others.auth === "jwt" && consoleClientId !== null
        ? { id: consoleClientId, secret: consoleClientSecret, scopes: consoleScopes }
        : undefined,
    /** Base paths. The API is also always served at the root, in the dialect 8.5.0. */
    basePaths: basePath,
    /** If set, the server listens on this socket instead of host and port. */
    socket: socket === "" ? undefined : unixSocket,
    /** Set only if `auth` is `jwt`. */
    tokens: others.auth === "jwt" ? tokens : undefined,
    /** The identity provider that may end sessions (contract.md#back-channel-logout); `undefined` if there is none. */
    logout: logout.issuer === "" ? undefined : logout,
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
      profiles,
    } as Lifetimes,
  };
}
