import type { SettingName } from "./settings.ts";

/** The place where a value was found. */
export interface Source {
  readonly kind: "flag" | "environment" | "file" | "default";
  /** `--port`, `ANTECHAMBER_PORT`, `port in antechamber.json`, `default`. */
  readonly from: string;
}

/** The source of every setting's value. */
export type Sources = Readonly<Record<SettingName, Source>>;
