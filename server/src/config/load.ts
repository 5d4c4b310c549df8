import { resolve } from "node:path";
import leven from "leven";
import { type Config, configOf } from "./config.ts";
import { ConfigError, type ConfigFault, masked, suggestion } from "./faults.ts";
import { type ConfigFile, readConfigFile } from "./file.ts";
import { faultsTogether } from "./requirements.ts";
import { flagOf, type SettingName, settingNames, settingOf, type Values, variableOf } from "./settings.ts";
import type { Source, Sources } from "./source.ts";

/** The sources of a configuration. */
export interface ConfigInput {
  /** Flags by the names of their settings, and the flag `config`. A repeated flag is an array. */
  readonly flags: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder: relative paths refer to it, and the default file is looked for in it. */
  readonly cwd: string;
}

/** A valid configuration, and the source of each value. */
export interface LoadedConfig {
  readonly config: Config;
  readonly values: Values;
  readonly sources: Sources;
}

/** How the variables of settings begin. */
const PREFIX = "ANTECHAMBER_";

/** Variables by which the applications in the documentation get the address of the service and their API key. */
const applicationVariables: readonly string[] = ["ANTECHAMBER_URL", "ANTECHAMBER_KEY", "ANTECHAMBER_ADMIN_KEY"];

/** Variables that begin with ANTECHAMBER_ but do not belong to a setting. */
const otherVariables = ["ANTECHAMBER_CONFIG", "ANTECHAMBER_RUNTIME", "ANTECHAMBER_LONG"];

interface Found extends Source {
  readonly raw: unknown;
  /** Folder to which a relative path refers. */
  readonly folder: string;
}

/**
 * Loads the configuration. Flags take precedence over the environment, the environment over the file, and the file over
 * the defaults. A variable with an empty value counts as not set. Throws a `ConfigError` with all faults.
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

function namedFile(flags: ConfigInput["flags"], env: ConfigInput["env"]): { file: string; from: string } | undefined {
  if (typeof flags.config === "string") return { file: flags.config, from: "--config" };
  const file = env.ANTECHAMBER_CONFIG;
  return file === undefined || file === "" ? undefined : { file, from: "ANTECHAMBER_CONFIG" };
}

function unknownVariables(env: ConfigInput["env"]): ConfigFault[] {
  const known = [...settingNames.map(variableOf), ...otherVariables];
  return Object.keys(env)
    .filter((name) => !known.includes(name) && (name.startsWith(PREFIX) || isMisspelt(name, known)))
    .map((name) => ({ from: name, message: `there is no such setting${hintOf(name, env[name], known)}` }));
}

/** Returns whether a variable without the prefix is almost the name of a setting, such as ANTECHMBER_AUTH. */
function isMisspelt(name: string, known: readonly string[]): boolean {
  return /^a[a-z]+_/i.test(name) && known.some((candidate) => leven(name.toUpperCase(), candidate) <= 2);
}

/** Returns what may be meant by a variable that belongs to no setting. */
function hintOf(name: string, value: unknown, known: readonly string[]): string {
  if (!applicationVariables.includes(name))
    return `${suggestion(name, known, name.startsWith(PREFIX) ? PREFIX : "")}${hintOfLinks(name, value)}`;
  return `: it is for the applications that call the service. Remove it here (unset ${name}, or env -u ${name} antechamber …)`;
}

/** Returns a hint for variables that Kubernetes sets because a Service is named antechamber. */
function hintOfLinks(name: string, value: unknown): string {
  const isLink = /^ANTECHAMBER_(SERVICE_|PORT_\d)/.test(name) || /^tcp:\/\/[\d.:]+$/.test(String(value));
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

/** Returns the validated value. If it is invalid, adds a fault to `faults` and returns `undefined`. */
function read(name: SettingName, found: Found, faults: ConfigFault[]): unknown {
  const setting = settingOf(name);
  const result = setting.schema.safeParse(found.raw);
  if (result.success) {
    if (setting.isPath !== true || result.data === "") return result.data;
    return resolve(found.folder, String(result.data));
  }
  const reasons = result.error.issues
    .filter((issue) => issue.code === "custom" && issue.message !== "Invalid input")
    .map((issue) => masked(issue.message));
  const hint = hintOfLinks("", found.raw);
  const why = reasons.length === 0 ? "" : `: ${[...new Set(reasons)].join(", ")}`;
  const value = setting.isSecret === true ? "the value" : shown(found.raw);
  const what = `${value} is not allowed${why}`;
  faults.push({ from: found.from, message: `${what}; allowed is ${setting.allowed}${hint}` });
  return undefined;
}

/** Formats a value for a message: on one line, shortened if necessary, and without passwords. */
function shown(raw: unknown): string {
  const text = masked(JSON.stringify(raw) ?? String(raw));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
