import { resolve } from "node:path";
import { type AddressRange, parseRange } from "../addresses.ts";
import { type BasePath, parseBasePath } from "./base-path.ts";
import type { Config, SocketConfig, TokenConfig } from "./config.ts";
import { ConfigError, type ConfigFault, masked, suggestion } from "./faults.ts";
import { type ConfigFile, readConfigFile } from "./file.ts";
import { faultsTogether } from "./requirements.ts";
import {
  flagOf,
  type Setting,
  type SettingName,
  settingNames,
  settingOf,
  type Values,
  variableOf,
} from "./settings.ts";
import { parseStorePlace, type StorePlace } from "./store-place.ts";
import { parseDuration, parseRate } from "./values.ts";

/** Where a configuration is read from. */
export interface ConfigInput {
  /** Flags by the names of their settings, and `config`; repeatable ones as arrays. */
  readonly flags: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here; the default file is looked for here. */
  readonly cwd: string;
}

/** Where a value was found. */
export interface Source {
  readonly kind: "flag" | "environment" | "file" | "default";
  /** `--port`, `ANTECHAMBER_PORT`, `port in antechamber.json`, `default`. */
  readonly from: string;
}

/** A valid configuration and where each value of it comes from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly values: Values;
  readonly sources: Readonly<Record<SettingName, Source>>;
}

/** Variables that begin like settings and are something else. */
const otherVariables = ["ANTECHAMBER_CONFIG", "ANTECHAMBER_RUNTIME", "ANTECHAMBER_LONG"];

interface Found extends Source {
  readonly raw: unknown;
  /** Where a relative path starts. */
  readonly folder: string;
}

/**
 * Reads the configuration: flags before environment before file before default. Throws a
 * `ConfigError` that names every fault at once. An empty variable counts as not set.
 */
export function loadConfig({ flags, env, cwd }: ConfigInput): LoadedConfig {
  const faults: ConfigFault[] = unknownVariables(env);
  const file = readConfigFile(namedFile(flags, env), cwd, faults);
  const values: Partial<Record<SettingName, unknown>> = {};
  const sources: Partial<Record<SettingName, Source>> = {};
  for (const name of settingNames) {
    const found = find(name, { flags, env, cwd }, file);
    values[name] = read(name, found, faults);
    sources[name] = { kind: found.kind, from: found.from };
  }
  const found = sources as Record<SettingName, Source>;
  faults.push(...faultsTogether(values as Partial<Values>, found));
  if (faults.length > 0) throw new ConfigError(faults);
  return { config: configOf(values as Values), values: values as Values, sources: found };
}

function namedFile(
  flags: ConfigInput["flags"],
  env: ConfigInput["env"],
): { file: string; from: string } | undefined {
  if (typeof flags.config === "string") return { file: flags.config, from: "--config" };
  const file = env.ANTECHAMBER_CONFIG;
  return file === undefined || file === "" ? undefined : { file, from: "ANTECHAMBER_CONFIG" };
}

function unknownVariables(env: ConfigInput["env"]): ConfigFault[] {
  const known = [...settingNames.map(variableOf), ...otherVariables];
  return Object.keys(env)
    .filter((name) => name.startsWith("ANTECHAMBER_") && !known.includes(name))
    .map((name) => ({
      from: name,
      message: `there is no such setting${suggestion(name, known)}${hintOfLinks(name, env[name])}`,
    }));
}

/** Kubernetes sets variables of its own for a Service that is called antechamber. */
function hintOfLinks(name: string, value: unknown): string {
  const isLink =
    /^ANTECHAMBER_(SERVICE_|PORT_\d)/.test(name) || /^tcp:\/\/[\d.:]+$/.test(String(value));
  return isLink ? ", and Kubernetes made it: set enableServiceLinks: false in the pod" : "";
}

function find(name: SettingName, input: ConfigInput, file: ConfigFile | undefined): Found {
  const { flags, env, cwd } = input;
  if (flags[name] !== undefined) {
    return { kind: "flag", from: flagOf(name), raw: flags[name], folder: cwd };
  }
  const variable = variableOf(name);
  if (env[variable] !== undefined && env[variable] !== "") {
    return { kind: "environment", from: variable, raw: env[variable], folder: cwd };
  }
  if (file !== undefined && Object.hasOwn(file.members, name)) {
    const from = `${name} in ${file.name}`;
    return { kind: "file", from, raw: file.members[name], folder: file.folder };
  }
  return { kind: "default", from: "default", raw: settingOf(name).default, folder: cwd };
}

/** The value, or `undefined` with its fault added to `faults`. */
function read(name: SettingName, found: Found, faults: ConfigFault[]): unknown {
  const setting: Setting = settingOf(name);
  const result = setting.schema.safeParse(found.raw);
  if (result.success) {
    if (setting.path !== true || result.data === "") return result.data;
    return resolve(found.folder, String(result.data));
  }
  const reasons = result.error.issues
    .filter((issue) => issue.code === "custom" && issue.message !== "Invalid input")
    .map((issue) => masked(issue.message));
  const hint = hintOfLinks("", found.raw);
  const why = reasons.length === 0 ? "" : `: ${[...new Set(reasons)].join(", ")}`;
  const value = setting.secret === true ? "what it says" : shown(found.raw);
  const what = `${value} is not allowed${why}`;
  faults.push({ from: found.from, message: `${what}; allowed is ${setting.allowed}${hint}` });
  return undefined;
}

/** A value as a message repeats it: on one line, not too long, without passwords. */
function shown(raw: unknown): string {
  const text = masked(JSON.stringify(raw) ?? String(raw));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function configOf(values: Values): Config {
  return {
    host: values.host,
    port: values.port,
    dataDir: values.dataDir,
    basePaths: values.basePath.map((text) => parseBasePath(text) as BasePath),
    socket: socketOf(values),
    auth: values.auth,
    tokens: values.auth === "jwt" ? tokensOf(values) : undefined,
    proxySecret: values.proxySecret === "" ? undefined : values.proxySecret,
    trustedProxies: values.trustedProxies.map((text) => parseRange(text) as AddressRange),
    corsOrigins: values.corsOrigins,
    perAddress: {
      creates: parseRate(values.createsPerAddress),
      misses: parseRate(values.missesPerAddress),
      requests: parseRate(values.requestsPerAddress),
    },
    perCredential: {
      creates: parseRate(values.createsPerCredential),
      misses: parseRate(values.missesPerCredential),
      requests: parseRate(values.requestsPerCredential),
    },
    maxSessionsPerCustomer: values.maxSessionsPerCustomer,
    lifetimes: {
      anonymous: { idle: values.anonymousIdle, total: values.anonymousLifetime },
      recognized: { idle: values.recognizedIdle, total: values.recognizedLifetime },
    },
    forwardAuth: values.forwardAuth,
    forwardAuthSources: values.forwardAuthSources,
    cookieName: values.cookieName,
    cookieDomain: values.cookieDomain === "" ? null : values.cookieDomain,
    cookieSameSite: values.cookieSameSite,
    cookieHttpOnly: values.cookieHttpOnly,
    cookieMaxAge:
      values.cookieMaxAge === "none" ? null : (parseDuration(values.cookieMaxAge) ?? null),
    recordQueryKeys: values.recordQueryKeys,
    maxRecords: values.maxRecords,
    retention: values.retention,
    store: parseStorePlace(values.store) as StorePlace,
    redisPrefix: values.redisPrefix,
    redisTimeout: values.redisTimeout,
    redisCaFile: values.redisCaFile === "" ? null : values.redisCaFile,
    sentinelUsername: values.sentinelUsername === "" ? null : values.sentinelUsername,
    sentinelPassword: values.sentinelPassword === "" ? null : values.sentinelPassword,
    minReplicasAck: values.minReplicasAck,
    cacheSessions: values.cacheSessions,
    maxPendingWrites: values.maxPendingWrites,
    storeTimeout: values.storeTimeout,
    shutdownTimeout: values.shutdownTimeout,
    logLevel: values.logLevel,
    accessLog: values.accessLog,
  };
}

function socketOf({ socket, socketMode }: Values): SocketConfig | undefined {
  return socket === "" ? undefined : { path: socket, mode: Number.parseInt(socketMode, 8) };
}

function tokensOf(values: Values): TokenConfig {
  const { jwtDefaultRole } = values;
  return {
    issuer: values.jwtIssuer,
    audiences: values.jwtAudience,
    algorithms: values.jwtAlgorithms,
    keySetUrl: values.jwtKeySetUrl,
    claims: {
      role: values.jwtRoleClaim,
      customerId: values.jwtCustomerClaim,
      agentId: values.jwtAgentClaim,
    },
    defaultRole: jwtDefaultRole === "none" ? undefined : jwtDefaultRole,
  };
}
