import type { z } from "zod";
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

/** Every setting there is, once. Flags, variables, file keys and documents are made from this. */
export const settings = {
  host: {
    schema: values.host,
    default: "127.0.0.1",
    allowed: "an IP address or a host name",
    placeholder: "address",
    description: "Address to listen on; anything but a loopback address needs auth key",
  },
  port: {
    schema: values.count(0, 65_535),
    default: "8080",
    allowed: "a whole number of 0 to 65535",
    placeholder: "number",
    description: "Port to listen on; 0 takes a free one and the ready line names it",
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
    schema: values.list(values.basePath),
    default: "",
    allowed: "paths such as /gks-server/v1, each once",
    placeholder: "path",
    list: true,
    description: "Paths below which the API is served too, besides the root",
  },
  auth: {
    schema: values.word(["local", "key"]),
    default: "local",
    allowed: "local or key",
    placeholder: "mode",
    description:
      "Who may call: local asks for no credential and listens on loopback only, key asks for a key (antechamber keys create)",
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
      "Proxies whose X-Forwarded-For and Forwarded headers count: limits by address are then for their clients",
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
    schema: values.word(["sqlite"]),
    default: "sqlite",
    allowed: "sqlite",
    placeholder: "engine",
    description: "Engine that keeps the sessions",
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
    description: "Changes that may wait for the disk; one more is answered with 503",
  },
  storeTimeout: {
    schema: values.duration("10ms", "10m"),
    default: "10s",
    allowed: "a duration of 10ms to 10m",
    placeholder: "duration",
    duration: true,
    description: "Time a request waits for the store before it is answered with 503",
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
