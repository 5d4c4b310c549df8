import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { safeMessage } from "../safe-error.ts";
import { type ConfigFault, suggestion } from "./faults.ts";
import { settingNames } from "./settings.ts";

/** The file that is read when none is named, if it is there. */
const DEFAULT_FILE = "antechamber.json";

/** What a configuration file says. */
export interface ConfigFile {
  /** As it was named, for messages; absolute when nobody named it. */
  readonly name: string;
  /** Relative paths in the file start here. */
  readonly folder: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/**
 * Reads the file `named`, or the one in `cwd` when none is. `undefined` when there is none or it
 * cannot be used: what is wrong is then added to `faults`.
 */
export function readConfigFile(
  named: { readonly file: string; readonly from: string } | undefined,
  cwd: string,
  faults: ConfigFault[],
): ConfigFile | undefined {
  const name = named?.file ?? resolve(cwd, DEFAULT_FILE);
  const path = resolve(cwd, name);
  if (named === undefined && !existsSync(path)) return undefined;
  const from = named === undefined ? name : `${named.from} ${name}`;
  try {
    const members: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof members !== "object" || members === null || Array.isArray(members)) {
      faults.push({ from, message: "the file is to hold one JSON object" });
      return undefined;
    }
    faults.push(...unknownMembers(members, name));
    return { name, folder: dirname(path), members: { ...members } };
  } catch (error) {
    const reason = safeMessage(error);
    const what = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    faults.push({ from, message: `the file ${what}: ${reason}` });
    return undefined;
  }
}

function unknownMembers(members: object, file: string): ConfigFault[] {
  return Object.keys(members)
    .filter((key) => !settingNames.some((name) => name === key))
    .map((key) => ({
      from: `${key} in ${file}`,
      message: `there is no such setting${suggestion(key, settingNames)}`,
    }));
}
