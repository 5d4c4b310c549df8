import { type Command, Option } from "commander";
import { type ConfigInput, type LoadedConfig, loadConfig } from "../config/load.ts";
import { flagOf, type SettingName, settingNames, settingOf, variableOf } from "../config/settings.ts";

/** The settings that a command needs to work on a server's data. */
export const dataSettings: readonly SettingName[] = [
  "dataDir",
  "store",
  "redisPrefix",
  "redisTimeout",
  "redisCaFile",
  "redisCertFile",
  "redisKeyFile",
  "sentinelUsername",
];

/** Adds `--config` and a flag for each of `names` to `command`. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  command.addOption(
    new Option("--config <file>", "configuration file (env: ANTECHAMBER_CONFIG)").helpGroup("Settings:"),
  );
  for (const name of names) {
    if (settingOf(name).isSecret !== true) command.addOption(optionOf(name).helpGroup("Settings:"));
  }
  return command;
}

function optionOf(name: SettingName): Option {
  const { isList, choices, description, placeholder, default: value } = settingOf(name);
  const end = isList ? "; repeatable" : value && `, default: ${value}`;
  const option = new Option(
    `${flagOf(name)} <${placeholder}>`,
    `${description.charAt(0).toLowerCase()}${description.slice(1)} (env: ${variableOf(name)}${end})`,
  );
  // The choices are only for `--help` and completion. loadConfig() checks the values, so that all faults are reported
  // together.
  if (choices !== undefined) option.argChoices = [...choices];
  if (isList === true) {
    option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
  }
  return option;
}

/** Loads the configuration from the flags of `command`, the environment and the configuration file. */
export function loadSettings(command: Command): LoadedConfig {
  return loadConfig({ flags: flagsOf(command), env: process.env, cwd: process.cwd() });
}

function flagsOf(command: Command): ConfigInput["flags"] {
  const given: Record<string, unknown> = command.opts();
  const names = ["config", ...settingNames];
  return Object.fromEntries(names.map((name) => [name, given[name]])) as ConfigInput["flags"];
}
