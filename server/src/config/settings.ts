import { isIP } from "node:net";
import { z } from "zod";
import { type AddressRange, parseRange } from "../network/addresses.ts";
import { parseAllowedHosts } from "../network/receivers.ts";
import { type BasePath, parseBasePath, repeatedPaths } from "./base-path.ts";
import {
  count,
  duration,
  type Kind,
  listOf,
  orNull,
  printable,
  rate,
  refusing,
  text,
  trimmed,
  word,
  yesOrNo,
} from "./kinds.ts";
import { type Profile, parseProfile, repeatedProfiles } from "./profiles.ts";
import { allowedStoreUrls, parseStoreUrl, type StoreUrl } from "./store-url.ts";
import {
  faultOfAlgorithm,
  faultOfConsoleUrl,
  faultOfCookieDomain,
  faultOfKeySetUrl,
  faultOfOrigin,
  faultOfTraceUrl,
  formatDuration,
  isHostName,
  parseDuration,
} from "./values.ts";

/** A setting. Its flag, its variable, its name in the file and its row in the documentation follow from its name. */
export interface Setting extends Kind {
  /** The default, in the form in which it would be written in the environment. */
  readonly default: string;
  /** Description for the documentation and `--help`: one sentence without a full stop. */
  readonly description: string;
  /** Set for a secret. It is never shown and has no flag: all users of a machine can read a process's flags. */
  readonly isSecret?: true;
  /** The only `auth` mode in which the setting has an effect. */
  readonly auth?: "jwt" | "proxy";
}

const lifetime = duration("1s", "3650d", ", such as 30m");
const DAY = 24 * 60 * 60 * 1000;
const token = { default: "", auth: "jwt" } as const;

// The kinds of the settings that say whose tokens are believed.
const issuer = { schema: printable, allowed: "text, usually a URL", placeholder: "issuer" } as const satisfies Kind;
const audience = {
  schema: listOf(text),
  allowed: "texts, each once",
  placeholder: "audience",
  isList: true,
} as const satisfies Kind;
const algorithms = {
  schema: listOf(refusing(z.string(), faultOfAlgorithm)),
  allowed: "names such as RS256, ES256 or EdDSA, each once",
  placeholder: "algorithm",
  isList: true,
} as const satisfies Kind;
const keySetUrl = {
  schema: refusing(printable, faultOfKeySetUrl),
  allowed: "an https URL, or http on this machine",
  placeholder: "url",
} as const satisfies Kind;

/** All settings, in the order of the documentation. A setting is declared only here. */
export const settings = {
  host: {
    schema: trimmed
      .transform((name) => name.replace(/^\[(.*)\]$/, "$1"))
      .refine((name) => isIP(name) !== 0 || isHostName(name)),
    allowed: "an IP address or a host name",
    placeholder: "address",
    default: "127.0.0.1",
    description: "Address to listen on; any other than a loopback address needs an auth other than local",
  },
  port: {
    ...count(0, 65_535),
    default: "8080",
    description: "Port to listen on; 0 takes a free one and the ready line names it",
  },
  socket: {
    schema: printable,
    allowed: "the path of a file, at most 100 bytes",
    placeholder: "file",
    isPath: true,
    default: "",
    description: "Unix socket to listen on, instead of host and port",
  },
  socketMode: {
    ...word("mode", ["0600", "0660"]),
    default: "0600",
    description: "Permissions of the socket: only the server's user may connect, or its group too",
  },
  dataDir: {
    schema: text,
    allowed: "a folder",
    placeholder: "folder",
    isPath: true,
    default: "./data",
    description: "Folder of the data, created if it is missing; only one server at a time may use it",
  },
  basePath: {
    schema: listOf(refusing(z.string(), parseBasePath)).superRefine((paths, context) => {
      for (const path of repeatedPaths(paths)) {
        const message = `${path} is given twice; a path has one dialect`;
        context.addIssue({ code: "custom", message });
      }
    }),
    allowed: "paths such as /gks-server/v1 or, with a dialect, /gks-server/v1=8.5.1, each once",
    placeholder: "path",
    parse: (paths: string[]) => paths.map((path) => parseBasePath(path) as BasePath),
    isList: true,
    default: "",
    description:
      "Paths below which the API is served in addition to the root; append = and a dialect for clients of another version: 8.5.0 (the default), 8.5.1, current or v2",
  },
  auth: {
    ...word("mode", ["local", "key", "jwt", "proxy"]),
    default: "local",
    description:
      "Authentication of callers: local needs no credential and listens on loopback or a socket only, key needs an API key (antechamber keys create), jwt a token of an issuer, and proxy trusts the identity that a proxy sends",
  },
  jwtIssuer: {
    ...issuer,
    ...token,
    description: "The value of iss that tokens must have",
  },
  jwtAudience: {
    ...audience,
    ...token,
    description: "Accepted values of aud; a token must have at least one of them",
  },
  jwtAlgorithms: {
    ...algorithms,
    ...token,
    description: "The signature algorithms that are accepted",
  },
  jwtKeySetUrl: {
    ...keySetUrl,
    ...token,
    description: "The URL of the issuer's public keys (a JSON Web Key Set)",
  },
  jwtRoleClaim: {
    schema: text,
    allowed: "the name of a claim",
    placeholder: "claim",
    ...token,
    default: "role",
    description: "The claim with the role: customer, agent, service, reporter or administrator",
  },
  jwtCustomerClaim: {
    schema: text,
    allowed: "the name of a claim, such as sub",
    placeholder: "claim",
    ...token,
    default: "customerId",
    description: "The claim with the customer for whom a token of the role customer acts",
  },
  jwtAgentClaim: {
    schema: text,
    allowed: "the name of a claim, such as sub",
    placeholder: "claim",
    ...token,
    default: "agentId",
    description: "The claim with the agent for whom a token of the role agent acts",
  },
  jwtDefaultRole: {
    ...word("role", ["none", "customer", "agent", "service", "reporter", "administrator"]),
    ...token,
    default: "none",
    description: "The role of a token without the claim; with none it is refused",
  },
  logoutIssuer: {
    ...issuer,
    default: "",
    description:
      "The value of iss that logout tokens must have, which an identity provider sends to /oidc/backchannel-logout; by default jwtIssuer",
  },
  logoutAudience: {
    ...audience,
    default: "",
    description:
      "Accepted values of aud of logout tokens: the client id of each application at the identity provider; by default jwtAudience",
  },
  logoutAlgorithms: {
    ...algorithms,
    default: "",
    description: "The signature algorithms that are accepted for logout tokens; by default jwtAlgorithms",
  },
  logoutKeySetUrl: {
    ...keySetUrl,
    default: "",
    description: "The URL of the public keys that verify logout tokens; by default jwtKeySetUrl",
  },
  proxySecret: {
    schema: trimmed.regex(/^(?:[\x21-\x7e]{32,512})?$/),
    allowed: "32 to 512 visible ASCII characters",
    placeholder: "secret",
    parse: (secret: string) => (secret === "" ? undefined : secret),
    isSecret: true,
    auth: "proxy",
    default: "",
    description: "Secret that the trusted proxy sends in the header antechamber-secret",
  },
  corsOrigins: {
    schema: listOf(refusing(z.string(), faultOfOrigin)).refine(
      (all) => !all.includes("*") || all.length === 1,
      "* allows every origin, so it must be the only entry",
    ),
    allowed: "origins such as https://shop.example, each once, or * alone for any",
    placeholder: "origin",
    isList: true,
    default: "",
    description: "Origins whose pages may call from a browser (CORS)",
  },
  trustedProxies: {
    schema: listOf(
      refusing(z.string(), (range) =>
        parseRange(range) === undefined ? `${range} is no range, or has bits set after its prefix` : undefined,
      ),
    ),
    allowed: "addresses and ranges such as 10.0.0.0/8, each once",
    placeholder: "range",
    parse: (ranges: string[]) => ranges.map((range) => parseRange(range) as AddressRange),
    isList: true,
    default: "",
    description:
      "Proxies whose X-Forwarded-For and Forwarded headers are believed: limits by address and the audit trail then use the client's address; with auth proxy they also identify the caller",
  },
  createsPerAddress: {
    ...rate,
    default: "6000/1m",
    description: "Sessions that one client address may create; one more is answered with 429",
  },
  missesPerAddress: {
    ...rate,
    default: "6000/1m",
    description:
      "New sessions that one client address may get by retrieving one that does not exist, or from /forward-auth",
  },
  requestsPerAddress: {
    ...rate,
    default: "60000/1m",
    description: "Other requests of one client address",
  },
  createsPerCredential: {
    ...rate,
    default: "60000/1m",
    description: "Sessions that may be created with one credential",
  },
  missesPerCredential: {
    ...rate,
    default: "60000/1m",
    description:
      "New sessions that one credential may get by retrieving one that does not exist, or from /forward-auth",
  },
  requestsPerCredential: {
    ...rate,
    default: "600000/1m",
    description: "Other requests with one credential",
  },
  maxSessionsPerCustomer: {
    ...count(0, 10_000),
    allowed: "a whole number of 1 to 10000, or 0 for any number",
    default: "0",
    description: "Live sessions that a customer may have at a time; one more is answered with 429",
  },
  anonymousIdle: {
    ...lifetime,
    default: "30m",
    description: "Time without use after which an anonymous session expires",
  },
  anonymousLifetime: {
    ...lifetime,
    default: "24h",
    description: "Longest life of an anonymous session, however often it is used",
  },
  recognizedIdle: {
    ...lifetime,
    default: "30m",
    description: "Time without use after which a recognized session expires",
  },
  recognizedLifetime: {
    ...lifetime,
    default: "24h",
    description: "Longest life of a recognized session, at least that of an anonymous one",
  },
  rotateOnRecognition: {
    ...word("when", ["asked", "always"]),
    default: "asked",
    description:
      "When an update that brings the first customer, or the first agent of an anonymous session, gives the session a new id: asked only with rotate in its body, always every time; always protects against session fixation and is recommended for new installations",
  },
  rotationGrace: {
    ...duration("0s", "60s"),
    default: "10s",
    description:
      "Time for which an id that was replaced is still answered as the anonymous session that it was, so that requests under way do not get a new session; 0s for none",
  },
  forwardAuth: {
    ...word("mode", ["create", "required"]),
    default: "create",
    description:
      "Response of /forward-auth to a request without a live session: create creates one, required refuses the request with 401",
  },
  forwardAuthSources: {
    schema: listOf(z.string())
      .pipe(z.array(z.enum(["header", "cookie", "query"])))
      .refine((all) => all.length > 0, "none is named"),
    allowed: "header, cookie and query, at least one of them, each once",
    placeholder: "source",
    isList: true,
    default: "header,cookie",
    description:
      "Where /forward-auth looks for a session id, in this order: the header gkc-sessionId, the cookie, the query parameter sessionId; anybody can put the id of their own session into a link, so name query only if clients have no other way",
  },
  cookieName: {
    schema: trimmed.regex(/^[!#$%&'*+\-.^_`|~\dA-Za-z]{1,100}$/),
    allowed: "1 to 100 letters, digits and ! # $ % & ' * + - . ^ _ ` | ~",
    placeholder: "name",
    default: "sessionId",
    description:
      "Name of the cookie that /forward-auth reads and sets; with a prefix such as __Host- it is always Secure",
  },
  cookieDomain: {
    schema: trimmed
      .transform((name) => name.replace(/^\./, "").toLowerCase())
      .pipe(refusing(z.string(), faultOfCookieDomain)),
    allowed: "a domain name such as shop.example",
    placeholder: "domain",
    parse: orNull,
    default: "",
    description:
      "Domain of the cookie that /forward-auth sets: it and all its subdomains get the cookie; without it, only the requested host does",
  },
  cookieSameSite: {
    ...word("which", ["lax", "strict", "none"]),
    default: "lax",
    description:
      "The SameSite attribute of the cookie that /forward-auth sets; with none the cookie is always Secure, since browsers drop it otherwise",
  },
  cookieMaxAge: {
    schema: trimmed.refine((raw) => {
      const milliseconds = parseDuration(raw) ?? 0;
      const isWhole = milliseconds > 0 && milliseconds % 1000 === 0;
      // Browsers limit the lifetime of a cookie to 400 days (RFC 6265bis, section 5.5).
      return raw === "none" || (isWhole && milliseconds <= 400 * DAY);
    }),
    allowed: "none, or a duration in whole seconds, 1s to 400d, up to recognizedLifetime or the longest of profiles",
    placeholder: "duration",
    parse: (raw: string) => parseDuration(raw) ?? null,
    default: "none",
    description:
      "Time for which browsers keep the cookie that /forward-auth sets, from the creation of its session; none: until the browser is closed",
  },
  cookieHttpOnly: {
    ...yesOrNo,
    default: "true",
    description:
      "Whether the cookie that /forward-auth sets is hidden from scripts; false lets the browser client use the same session",
  },
  assertionAudience: {
    schema: printable,
    allowed: "text, usually the URL of the site or the name of the applications",
    placeholder: "audience",
    parse: orNull,
    default: "",
    description:
      "The value of aud in the signed identity (JWT) that /forward-auth adds in the header gkc-assertion; without it there is no such header",
  },
  assertionIssuer: {
    schema: text,
    allowed: "text, usually a URL",
    placeholder: "issuer",
    default: "antechamber",
    description: "The value of iss in the signed identity; it needs assertionAudience",
  },
  webhookAllowedHosts: {
    schema: listOf(
      refusing(z.string(), (host) =>
        parseRange(host) === undefined && !isHostName(host)
          ? `${host} is neither a host name nor an address or range, or has bits set after its prefix`
          : undefined,
      ),
    ),
    allowed: "host names, addresses and ranges such as app.internal or 10.0.0.0/8, each once",
    placeholder: "host",
    parse: parseAllowedHosts,
    isList: true,
    default: "",
    description:
      "Hosts to which webhooks may be sent although their addresses are not public, and by plain http; others need https and a public address",
  },
  storeVisitors: {
    ...word("policy", ["returning", "always"]),
    default: "returning",
    description:
      "When the first request of a new visitor is stored: returning stores it when the visitor comes back within a minute, so that robots leave nothing behind; always stores it at once",
  },
  console: {
    ...word("when", ["local", "true", "false"]),
    schema: z.union([z.boolean().transform(String), trimmed]).pipe(z.enum(["local", "true", "false"])),
    default: "local",
    description:
      "Whether the console, web pages for operators and support agents, is served at /console; local serves it only with auth local",
  },
  consoleUrl: {
    schema: refusing(printable, faultOfConsoleUrl),
    allowed: "an https URL, or http on this machine, such as https://sessions.example/console",
    placeholder: "url",
    parse: (url: string) => (url === "" ? null : url.replace(/\/$/, "")),
    default: "",
    description:
      "Address at which browsers reach the console, for sign-in at an identity provider; with https, its cookies need no X-Forwarded-Proto",
  },
  consoleClientId: {
    schema: printable,
    allowed: "text",
    placeholder: "id",
    parse: orNull,
    ...token,
    description:
      "Client id of the console at the identity provider (jwtIssuer); people then sign in there, and need not paste a token",
  },
  consoleClientSecret: {
    schema: z.string().regex(/^\P{Cc}*$/u),
    allowed: "text without control characters",
    placeholder: "secret",
    parse: orNull,
    isSecret: true,
    ...token,
    description: "Client secret of the console at the identity provider; without it, the console is a public client",
  },
  consoleScopes: {
    schema: listOf(text),
    allowed: "scopes, each once",
    placeholder: "scope",
    isList: true,
    ...token,
    default: "openid",
    description: "Scopes that the console asks the identity provider for, so that the ID token has the role",
  },
  traceUrl: {
    schema: refusing(printable, faultOfTraceUrl),
    allowed: "an http or https URL with {traceId} in it",
    placeholder: "url",
    parse: orNull,
    default: "",
    description: "Address to which the console links the trace of a recorded request, with {traceId} in it",
  },
  auditReads: {
    ...yesOrNo,
    default: "false",
    description:
      "Whether the audit trail records who read which timeline and session data: an entry for each reading by any role except customer; an application that reads data by a session id leaves none",
  },
  recordQueryKeys: {
    schema: listOf(text),
    allowed: "names of query parameters, each once",
    placeholder: "name",
    isList: true,
    default: "",
    description: "Query parameters that are kept in the paths of recorded requests; all others are removed",
  },
  maxRecords: {
    ...count(1, 1_000_000),
    default: "10000",
    description: "Recorded requests that a session keeps; the oldest are removed and counted",
  },
  profiles: {
    schema: listOf(refusing(z.string(), parseProfile)).superRefine((texts, context) => {
      for (const name of repeatedProfiles(texts)) {
        context.addIssue({ code: "custom", message: `the profile ${name} is in it twice` });
      }
    }),
    allowed: "profiles such as remember=30d/90d (a name, the idle time and the lifetime), each name once",
    placeholder: "profile",
    parse: (profiles: string[]) => new Map(profiles.map((profile) => parseProfile(profile) as Profile)),
    isList: true,
    default: "",
    description:
      "Lifetimes that a session can be given by name, such as remember=30d/90d: it expires 30 days after its last use, and 90 days after its creation at the latest",
  },
  retention: {
    ...duration("1s", "3650d", ", such as 14d"),
    default: "14d",
    description: "Time for which the timeline of a session is kept after its end",
  },
  events: {
    ...word("which", ["on", "off"]),
    default: "on",
    description:
      "Whether changes of sessions are published in the event log, from which /events and webhooks read; the same for all processes on one Redis",
  },
  eventRetention: {
    ...duration("1s", "14d", ", such as 24h"),
    default: "24h",
    description: "Time for which events are kept, but no longer than retention",
  },
  store: {
    schema: refusing(trimmed, parseStoreUrl),
    allowed: allowedStoreUrls,
    placeholder: "store",
    parse: (url: string): StoreUrl => parseStoreUrl(url) as StoreUrl,
    default: "sqlite",
    description: "Where the sessions are kept: SQLite in dataDir, or Redis",
  },
  redisPrefix: {
    schema: trimmed.regex(/^[^{}\p{Cc}]{1,32}$/u),
    allowed: "1 to 32 characters, no braces and no control characters",
    placeholder: "text",
    default: "ac:",
    description: "Prefix of all key names in Redis; each service on one Redis needs its own",
  },
  redisTimeout: {
    ...duration("50ms", "1m"),
    default: "2s",
    description: "Total time that a request waits for Redis before it is answered with 503",
  },
  redisCaFile: {
    schema: printable,
    allowed: "a file with certificates (PEM)",
    placeholder: "file",
    parse: orNull,
    isPath: true,
    default: "",
    description: "Certificates to verify Redis with over TLS, instead of the system's",
  },
  sentinelUsername: {
    schema: printable,
    allowed: "text",
    placeholder: "user",
    parse: orNull,
    default: "",
    description: "User name for the sentinels, if they have users of their own (ACL)",
  },
  sentinelPassword: {
    schema: z.string().regex(/^\P{Cc}*$/u),
    allowed: "text without control characters",
    placeholder: "password",
    parse: orNull,
    isSecret: true,
    default: "",
    description: "Password for the sentinels, if they require one; that of Redis is part of store",
  },
  minReplicasAck: {
    ...count(0, 100),
    default: "0",
    description:
      "Replicas of Redis that must confirm a change before it is answered with 200; if they do not in time, the answer is 503 and the outcome unknown",
  },
  cacheSessions: {
    ...count(1, 100_000_000),
    default: "100000",
    description: "Sessions kept in memory for retrieval",
  },
  maxPendingWrites: {
    ...count(1, 10_000_000),
    default: "10000",
    description: "Changes that may wait for the store; one more is answered with 503",
  },
  storeTimeout: {
    ...duration("10ms", "10m"),
    default: "10s",
    description: "Time that a request waits for the disk (SQLite) before it is answered with 503",
  },
  shutdownTimeout: {
    ...duration("10ms", "10m"),
    default: "10s",
    description: "Time for running requests to finish when the server stops",
  },
  logLevel: {
    ...word("level", ["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    default: "info",
    description: "Lowest severity that is logged",
  },
  accessLog: {
    ...word("which", ["errors", "all", "off"]),
    default: "errors",
    description: "Requests that are logged: those answered with 5xx, all, or none",
  },
} as const satisfies Record<string, Setting>;

/** Name of a setting, which is also its member's name in the configuration file. */
export type SettingName = keyof typeof settings;

/** The values of all settings as they were validated; "" for a setting without a value. */
export type Values = { [Name in SettingName]: z.output<(typeof settings)[Name]["schema"]> };

/** The values of all settings in the form that the code uses (`Kind.parse`). */
export type ParsedValues = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends {
    readonly parse: (value: never) => infer Parsed;
  }
    ? Readonly<Parsed>
    : Readonly<Values[Name]>;
};

export const settingNames = Object.keys(settings) as SettingName[];

/** Returns a setting as a `Setting`, the type that has all optional members. */
export function settingOf(name: SettingName): Setting {
  return settings[name];
}

export function parseValues(values: Values): ParsedValues {
  const entries = settingNames.map((name) => {
    const parse = settingOf(name).parse as ((value: unknown) => unknown) | undefined;
    return [name, parse === undefined ? values[name] : parse(values[name])];
  });
  return Object.fromEntries(entries) as ParsedValues;
}

/** Returns a value in the form in which it would be written in the environment. */
export function textOf(name: SettingName, value: Values[SettingName]): string {
  if (settingOf(name).isDuration === true) return formatDuration(value as number);
  return typeof value === "object" ? value.join(",") : String(value);
}

/** Returns the flag of a setting: `dataDir` -> `--data-dir`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Returns the variable of a setting: `dataDir` -> `ANTECHAMBER_DATA_DIR`. */
export function variableOf(name: string): string {
  return `ANTECHAMBER_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
