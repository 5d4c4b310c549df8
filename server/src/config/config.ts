import type { AddressRange } from "../addresses.ts";
import type { Rate } from "../limits/rate.ts";
import type { Lifetimes } from "../session/lifetime.ts";
import type { Role } from "../session/permissions.ts";
import type { BasePath } from "./base-path.ts";
import type { StorePlace } from "./store-place.ts";

/**
 * Who may call: `local` asks for no credential and stays on this machine, `key` asks for a key, `jwt`
 * for a token of another service, and `proxy` believes a proxy that knows its callers.
 */
export type AuthMode = "local" | "key" | "jwt" | "proxy";

/** A Unix socket to listen on. */
export interface SocketConfig {
  /** Absolute. */
  readonly path: string;
  /** Its permission bits. */
  readonly mode: number;
}

/** Which tokens the mode `jwt` accepts, and what it reads from them. */
export interface TokenConfig {
  readonly issuer: string;
  /** A token is for one of them at least. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly keySetUrl: string;
  /** The names of the claims. */
  readonly claims: { readonly role: string; readonly customerId: string; readonly agentId: string };
  /** Of a token without the claim; `undefined`: such a token is refused. */
  readonly defaultRole: Role | undefined;
}

/** The least severe lines that reach the log. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Which requests get a line of their own in the log: those that failed here (5xx), all, or none. */
export type AccessLog = "errors" | "all" | "off";

/** Rates of what callers do, by what is counted (`http/app/rate-limits.ts`); `undefined`: no limit. */
export interface ConfiguredRates {
  readonly creates: Rate | undefined;
  readonly misses: Rate | undefined;
  readonly requests: Rate | undefined;
}

/**
 * A valid configuration; `load.ts` makes it. All durations are in milliseconds. What each member
 * means, its limits and its default stand in `settings.ts`.
 */
export interface Config {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Absolute. */
  readonly dataDir: string;
  /** In addition to the root, which is always served and speaks 8.5.0. */
  readonly basePaths: readonly BasePath[];
  /** In the place of host and port. */
  readonly socket: SocketConfig | undefined;
  readonly auth: AuthMode;
  /** With `auth` `jwt`. */
  readonly tokens: TokenConfig | undefined;
  /** What a proxy shows to be believed, with `auth` `proxy`. */
  readonly proxySecret: string | undefined;
  /** Exact origins as browsers send them, or the one entry "*" for any. */
  readonly corsOrigins: readonly string[];
  /** Whose word on the address of their clients counts; with `auth` `proxy` also on who these are. */
  readonly trustedProxies: readonly AddressRange[];
  readonly perAddress: ConfiguredRates;
  readonly perCredential: ConfiguredRates;
  /** Live sessions that a customer may have at a time; 0: any number. */
  readonly maxSessionsPerCustomer: number;
  readonly lifetimes: Lifetimes;
  /** What `/forward-auth` does without a live session. */
  readonly forwardAuth: "create" | "required";
  /** Where `/forward-auth` looks for a session id, in this order. */
  readonly forwardAuthSources: readonly ("header" | "cookie" | "query")[];
  /** The name of the cookie that `/forward-auth` reads and sets. */
  readonly cookieName: string;
  /** `null`: only the host that set the cookie gets it. */
  readonly cookieDomain: string | null;
  readonly cookieSameSite: "lax" | "strict" | "none";
  /** Whether scripts are kept from the cookie that `/forward-auth` sets. */
  readonly cookieHttpOnly: boolean;
  /** Whole seconds, in milliseconds; `null`: until the browser is closed. */
  readonly cookieMaxAge: number | null;
  /** Query parameters that stay in recorded paths. */
  readonly recordQueryKeys: readonly string[];
  /** Recorded requests that a session keeps. */
  readonly maxRecords: number;
  /** How long timelines are kept after the end of their sessions. */
  readonly retention: number;
  readonly store: StorePlace;
  /** What the names of all keys in Redis begin with. */
  readonly redisPrefix: string;
  /** How long a request waits for Redis before it is refused. */
  readonly redisTimeout: number;
  /** Absolute; `null`: the system's certificates. */
  readonly redisCaFile: string | null;
  /** Who the sentinels are asked as; `null`: as nobody. */
  readonly sentinelUsername: string | null;
  readonly sentinelPassword: string | null;
  /** How many replicas must have a change before it counts. */
  readonly minReplicasAck: number;
  /** Sessions kept in memory for retrieving. */
  readonly cacheSessions: number;
  /** Changes that may wait for the disk; one more is refused with `unavailable`. */
  readonly maxPendingWrites: number;
  /** How long a request waits for the store before it is refused. */
  readonly storeTimeout: number;
  /** How long a stopping server lets admitted requests go on. */
  readonly shutdownTimeout: number;
  readonly logLevel: LogLevel;
  readonly accessLog: AccessLog;
}
