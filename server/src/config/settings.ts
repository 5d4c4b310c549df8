import type { z } from "zod";
import type { AuthMode } from "./config.ts";
import { allowedStores } from "./store-place.ts";
import * as values from "./values.ts";

/** One setting: what it is called everywhere follows from its key in `settings`. */
export interface Setting<T = unknown> {
  /** Reads a value, from text or from the file's JSON. */
  readonly schema: z.ZodType<T>;
  /** As it would be written in the environment. */
  readonly default: string;
  /** What may be written, as it ends the sentence "allowed is …". */
  readonly allowed: string;
  /** One sentence for the documentation and `--help`, without a full stop. */
  readonly description: string;
  /** What stands for the value in `--help`. */
  readonly placeholder: string;
  /** A flag that may be repeated, a variable with commas, an array in the file. */
  readonly list?: true;
  /** A path: relative ones in the file start at the file's folder. */
  readonly path?: true;
  /** Milliseconds, written as text with a unit. */
  readonly duration?: true;
  /** Shown to nobody, and no flag: all users of a machine can read those of a process. */
  readonly secret?: true;
  /** The one mode of access in which it has an effect. */
  readonly auth?: AuthMode;
}

const lifetime = {
  schema: values.duration("1s", "3650d"),
  allowed: "a duration of 1s to 3650d, such as 30m",
  placeholder: "duration",
  duration: true,
} as const;

const rate = {
  schema: values.rate,
  allowed: "a number and a time of 1s to 1d, such as 600/1m, or off",
  placeholder: "rate",
} as const;

const token = { default: "", auth: "jwt" } as const;

/** Every setting there is, once. Flags, variables, file keys and documents are made from this. */
export const settings = {
  host: {
    schema: values.host,
    default: "127.0.0.1",
    allowed: "an IP address or a host name",
    placeholder: "address",
    description:
      "Address to listen on; anything but a loopback address needs another auth than local",
  },
  port: {
    schema: values.count(0, 65_535),
    default: "8080",
    allowed: "a whole number of 0 to 65535",
    placeholder: "number",
    description: "Port to listen on; 0 takes a free one and the ready line names it",
  },
  socket: {
    schema: values.optionalText,
    default: "",
    allowed: "the path of a file, at most 100 bytes",
    placeholder: "file",
    path: true,
    description: "Unix socket to listen on, in the place of host and port",
  },
  socketMode: {
    schema: values.word(["0600", "0660"]),
    default: "0600",
    allowed: "0600 or 0660",
    placeholder: "mode",
    description: "Who may connect to the socket: the server's user alone, or its group too",
  },
  dataDir: {
    schema: values.text,
    default: "./data",
    allowed: "a folder",
    placeholder: "folder",
    path: true,
    description: "Folder of the data, made if it is not there; one server at a time uses it",
  },
  basePath: {
    schema: values.basePaths,
    default: "",
    allowed: "paths such as /gks-server/v1 or, with a dialect, /gks-server/v1=8.5.1, each once",
    placeholder: "path",
    list: true,
    description:
      "Paths below which the API is served in addition to the root; append = and a dialect for clients of another version: 8.5.0 (the default), 8.5.1, current or v2",
  },
  auth: {
    schema: values.word(["local", "key", "jwt", "proxy"]),
    default: "local",
    allowed: "local, key, jwt or proxy",
    placeholder: "mode",
    description:
      "Who may call: local asks for no credential and listens on loopback or a socket only, key asks for a key (antechamber keys create), jwt for a token of an issuer, proxy believes a trusted proxy",
  },
  jwtIssuer: {
    ...token,
    schema: values.optionalText,
    allowed: "text, usually a URL",
    placeholder: "issuer",
    description: "The iss that tokens must have",
  },
  jwtAudience: {
    ...token,
    schema: values.list(values.text),
    allowed: "texts, each once",
    placeholder: "audience",
    list: true,
    description: "The aud that tokens must have, one of these at least",
  },
  jwtAlgorithms: {
    ...token,
    schema: values.list(values.signatureAlgorithm),
    allowed: "names such as RS256, ES256 or EdDSA, each once",
    placeholder: "algorithm",
    list: true,
    description: "The signature algorithms that are accepted",
  },
  jwtKeySetUrl: {
    ...token,
    schema: values.keySetUrl,
    allowed: "an https URL, or http on this machine",
    placeholder: "url",
    description: "Where the issuer's public keys are fetched (a JSON Web Key Set)",
  },
  jwtRoleClaim: {
    ...token,
    schema: values.text,
    default: "role",
    allowed: "the name of a claim",
    placeholder: "claim",
    description: "The claim with the role: customer, agent, reporter or administrator",
  },
  jwtCustomerClaim: {
    ...token,
    schema: values.text,
    default: "customerId",
    allowed: "the name of a claim, such as sub",
    placeholder: "claim",
    description: "The claim with the customer that a token of the role customer stands for",
  },
  jwtAgentClaim: {
    ...token,
    schema: values.text,
    default: "agentId",
    allowed: "the name of a claim, such as sub",
    placeholder: "claim",
    description: "The claim with the agent that a token of the role agent stands for",
  },
  jwtDefaultRole: {
    ...token,
    schema: values.word(["none", "customer", "agent", "reporter", "administrator"]),
    default: "none",
    allowed: "none, customer, agent, reporter or administrator",
    placeholder: "role",
    description: "The role of a token without the claim; none refuses it",
  },
  proxySecret: {
    schema: values.headerSecret,
    default: "",
    allowed: "32 to 512 visible ASCII characters",
    placeholder: "secret",
    description: "What the trusted proxy sends in the header antechamber-secret",
    secret: true,
    auth: "proxy",
  },
  corsOrigins: {
    schema: values.list(values.origin).refine((all) => !all.includes("*") || all.length === 1, {
      message: "* stands for every origin, so nothing may stand beside it",
    }),
    default: "",
    allowed: "origins such as https://shop.example, each once, or * alone for any",
    placeholder: "origin",
    list: true,
    description: "Origins whose pages may call from a browser (CORS)",
  },
  trustedProxies: {
    schema: values.list(values.addressRange),
    default: "",
    allowed: "addresses and ranges such as 10.0.0.0/8, each once",
    placeholder: "range",
    list: true,
    description:
      "Proxies whose X-Forwarded-For and Forwarded headers count: limits by address are then for their clients, and the audit trail names these; with auth proxy they also say who calls",
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
      "Sessions that one client address may be given by retrieving, or by /forward-auth, where there was none",
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
      "Sessions that may be given with one credential by retrieving, or by /forward-auth, where there was none",
  },
  requestsPerCredential: {
    ...rate,
    default: "600000/1m",
    description: "Other requests with one credential",
  },
  maxSessionsPerCustomer: {
    schema: values.count(0, 10_000),
    default: "0",
    allowed: "a whole number of 1 to 10000, or 0 for any number",
    placeholder: "number",
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
    description: "Total life of an anonymous session, however much it is used",
  },
  recognizedIdle: {
    ...lifetime,
    default: "30m",
    description: "Time without use after which a recognized session expires",
  },
  recognizedLifetime: {
    ...lifetime,
    default: "24h",
    description: "Total life of a recognized session, at least that of an anonymous one",
  },
  forwardAuth: {
    schema: values.word(["create", "required"]),
    default: "create",
    allowed: "create or required",
    placeholder: "mode",
    description:
      "What /forward-auth answers to a request without a live session: create gives it a new one, required refuses it with 401",
  },
  forwardAuthSources: {
    schema: values.wordList(["header", "cookie", "query"]),
    default: "header,cookie",
    allowed: "header, cookie and query, at least one of them, each once",
    placeholder: "source",
    list: true,
    description:
      "Where /forward-auth looks for a session id, in this order: the header gkc-sessionId, the cookie, the query parameter sessionId; anybody can put the id of their own session into a link, so name query only if clients have no other way",
  },
  cookieName: {
    schema: values.cookieName,
    default: "sessionId",
    allowed: "1 to 100 letters, digits and ! # $ % & ' * + - . ^ _ ` | ~",
    placeholder: "name",
    description:
      "Name of the cookie that /forward-auth reads and sets; with a prefix such as __Host- it is always Secure",
  },
  cookieDomain: {
    schema: values.cookieDomain,
    default: "",
    allowed: "a domain name such as shop.example",
    placeholder: "domain",
    description:
      "Domain of the cookie that /forward-auth sets: it and all its subdomains get the cookie; without it, only the requested host does",
  },
  cookieSameSite: {
    schema: values.word(["lax", "strict", "none"]),
    default: "lax",
    allowed: "lax, strict or none",
    placeholder: "which",
    description:
      "SameSite of the cookie that /forward-auth sets; with none it is always Secure, as browsers drop it otherwise",
  },
  cookieMaxAge: {
    schema: values.cookieMaxAge,
    default: "none",
    allowed: "none, or a duration in whole seconds, 1s to 400d, up to recognizedLifetime",
    placeholder: "duration",
    description:
      "Time for which browsers keep the cookie that /forward-auth sets, from the creation of its session; none: until the browser is closed",
  },
  cookieHttpOnly: {
    schema: values.flag,
    default: "true",
    allowed: "true or false",
    placeholder: "boolean",
    description:
      "Whether scripts are kept from reading the cookie that /forward-auth sets; false lets the browser client use the same session",
  },
  recordQueryKeys: {
    schema: values.list(values.text),
    default: "",
    allowed: "names of query parameters, each once",
    placeholder: "name",
    list: true,
    description: "Query parameters that are kept in the paths of recorded requests; all others go",
  },
  maxRecords: {
    schema: values.count(1, 1_000_000),
    default: "10000",
    allowed: "a whole number of 1 to 1000000",
    placeholder: "number",
    description: "Recorded requests that a session keeps; the oldest are let go and counted",
  },
  retention: {
    schema: values.duration("1s", "3650d"),
    allowed: "a duration of 1s to 3650d, such as 14d",
    placeholder: "duration",
    duration: true,
    default: "14d",
    description: "Time for which the timeline of a session is kept after its end",
  },
  store: {
    schema: values.store,
    default: "sqlite",
    allowed: allowedStores,
    placeholder: "store",
    description: "Where the sessions are kept: SQLite in dataDir, or Redis",
  },
  redisPrefix: {
    schema: values.redisPrefix,
    default: "ac:",
    allowed: "1 to 32 characters, no braces and no control characters",
    placeholder: "text",
    description:
      "What the names of all keys in Redis begin with; each service on one Redis has its own",
  },
  redisTimeout: {
    schema: values.duration("50ms", "1m"),
    default: "2s",
    allowed: "a duration of 50ms to 1m",
    placeholder: "duration",
    duration: true,
    description: "Time a request waits for Redis, in all, before it is answered with 503",
  },
  redisCaFile: {
    schema: values.optionalText,
    default: "",
    allowed: "a file with certificates (PEM)",
    placeholder: "file",
    path: true,
    description: "Certificates that Redis is trusted by over TLS, in the place of the system's",
  },
  sentinelUsername: {
    schema: values.optionalText,
    default: "",
    allowed: "text",
    placeholder: "user",
    description: "Who the sentinels are asked as, where they have users of their own (ACL)",
  },
  sentinelPassword: {
    schema: values.secretText,
    default: "",
    allowed: "text without control characters",
    placeholder: "password",
    description: "Password of the sentinels, where they ask for one; that of Redis stands in store",
    secret: true,
  },
  minReplicasAck: {
    schema: values.count(0, 100),
    default: "0",
    allowed: "a whole number of 0 to 100",
    placeholder: "number",
    description:
      "Replicas of Redis that must have a change before it is answered with 200; where they do not have it in time, the answer is 503 and the outcome unknown",
  },
  cacheSessions: {
    schema: values.count(1, 100_000_000),
    default: "100000",
    allowed: "a whole number of 1 to 100000000",
    placeholder: "number",
    description: "Sessions kept in memory for retrieving",
  },
  maxPendingWrites: {
    schema: values.count(1, 10_000_000),
    default: "10000",
    allowed: "a whole number of 1 to 10000000",
    placeholder: "number",
    description: "Changes that may wait for the store; one more is answered with 503",
  },
  storeTimeout: {
    schema: values.duration("10ms", "10m"),
    default: "10s",
    allowed: "a duration of 10ms to 10m",
    placeholder: "duration",
    duration: true,
    description: "Time a request waits for the disk (SQLite) before it is answered with 503",
  },
  shutdownTimeout: {
    schema: values.duration("10ms", "10m"),
    default: "10s",
    allowed: "a duration of 10ms to 10m",
    placeholder: "duration",
    duration: true,
    description: "Time that admitted requests have left once the server is told to stop",
  },
  logLevel: {
    schema: values.word(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    default: "info",
    allowed: "trace, debug, info, warn, error, fatal or silent",
    placeholder: "level",
    description: "Least severe lines that are logged",
  },
  accessLog: {
    schema: values.word(["errors", "all", "off"]),
    default: "errors",
    allowed: "errors, all or off",
    placeholder: "which",
    description: "Requests that get a line in the log: those answered with 5xx, all, or none",
  },
} as const satisfies Record<string, Setting>;

/** The name of a setting: its key in the file. */
export type SettingName = keyof typeof settings;

/** The value of each setting. */
export type Values = { [Name in SettingName]: z.output<(typeof settings)[Name]["schema"]> };

/** All names, in the order of the documentation. */
export const settingNames = Object.keys(settings) as SettingName[];

/** The definition of a setting, without its value's type. */
export function settingOf(name: SettingName): Setting {
  return settings[name];
}

/** A value as it could be written in the environment. */
export function textOf(name: SettingName, value: Values[SettingName]): string {
  if (settingOf(name).duration === true) return values.formatDuration(value as number);
  return typeof value === "object" ? value.join(",") : String(value);
}

/** `dataDir` -> `--data-dir`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `dataDir` -> `ANTECHAMBER_DATA_DIR`. */
export function variableOf(name: string): string {
  return `ANTECHAMBER_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
