import type { z } from "zod";
import type { Setting } from "./setting.ts";
import { authenticationSettings } from "./settings/authentication.ts";
import { consoleSettings } from "./settings/console.ts";
import { eventsSettings } from "./settings/events.ts";
import { forwardAuthSettings } from "./settings/forward-auth.ts";
import { limitsSettings } from "./settings/limits.ts";
import { listeningSettings } from "./settings/listening.ts";
import { processSettings } from "./settings/process.ts";
import { recordsSettings } from "./settings/records.ts";
import { sessionsSettings } from "./settings/sessions.ts";
import { storeSettings } from "./settings/store.ts";
import { formatDuration } from "./values.ts";

/** All settings, in the order of the documentation. Each is declared in one of these tables, and only there. */
export const settings = {
  ...listeningSettings,
  ...authenticationSettings,
  ...limitsSettings,
  ...sessionsSettings,
  ...forwardAuthSettings,
  ...recordsSettings,
  ...eventsSettings,
  ...consoleSettings,
  ...storeSettings,
  ...processSettings,
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
