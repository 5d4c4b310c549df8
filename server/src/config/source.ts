import type { SettingName } from "./settings.ts";

/** The source of a value. */
export interface Source {
  readonly kind: "flag" | "environment" | "file" | "default";
  /** Name of the source in messages: `--port`, `ANTECHAMBER_PORT`, `port in antechamber.json`, `default`. */
  readonly from: string;
}

/** The source of every setting's value. */
export type Sources = Readonly<Record<SettingName, Source>>;
