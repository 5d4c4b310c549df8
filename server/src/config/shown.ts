import { masked } from "./faults.ts";
import type { LoadedConfig } from "./load.ts";
import { type SettingName, settingNames, settingOf, textOf, type Values } from "./settings.ts";
import type { Source } from "./source.ts";

/** A setting with its value in readable form. Secrets are masked, also passwords in URLs. */
export interface ShownSetting {
  readonly name: SettingName;
  /** The value as it would be written in the configuration file; `***` instead of a secret. */
  readonly value: string | number | readonly string[];
  readonly source: Source["kind"];
  /** Name of the source, such as `--port` or `port in antechamber.json`. */
  readonly from: string;
  readonly description: string;
}

/** Returns all settings, in the order of the documentation. */
export function shownSettings({ values, sources }: Pick<LoadedConfig, "values" | "sources">): ShownSetting[] {
  return settingNames.map((name) => ({
    name,
    value: shownValue(name, values[name]),
    source: sources[name].kind,
    from: sources[name].from,
    description: settingOf(name).description,
  }));
}

function shownValue(name: SettingName, value: Values[SettingName]): ShownSetting["value"] {
  if (settingOf(name).isSecret === true) return value === "" ? "" : "***";
  if (typeof value === "number" && settingOf(name).isDuration !== true) return value;
  return typeof value === "object" ? value.map(masked) : masked(textOf(name, value));
}
