import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { safeMessage } from "../logging/safe-error.ts";
import { type ConfigFault, suggestion } from "./faults.ts";
import { placeOfJsonFault } from "./json-fault.ts";
import { settingNames } from "./settings.ts";

/** The file that is read if it exists and no other file is named. */
const DEFAULT_FILE = "antechamber.json";

/** A configuration file. */
export interface ConfigFile {
  /** Name of the file in messages: as it was given, or the absolute path of the default file. */
  readonly name: string;
  /** Folder to which relative paths in the file refer. */
  readonly folder: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/**
 * Reads the file `named`; without it, the default file in `cwd` if it exists. If the file cannot be used, adds a fault
 * to `faults` and returns `undefined`.
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
  let text = "";
  try {
    // Some editors write a byte order mark at the start of a file, which is not allowed in JSON.
    text = readFileSync(path, "utf8").replace(/^\u{FEFF}/u, "");
    const members: unknown = JSON.parse(text);
    if (typeof members !== "object" || members === null || Array.isArray(members)) {
      faults.push({ from, message: "the file must contain one JSON object" });
      return undefined;
    }
    faults.push(...unknownMembers(members, name));
    return { name, folder: dirname(path), members: { ...members } };
  } catch (error) {
    const message = error instanceof SyntaxError ? notJson(text) : `the file cannot be read: ${safeMessage(error)}`;
    faults.push({ from, message });
    return undefined;
  }
}

function notJson(text: string): string {
  if (text.trim() === "") return "the file is empty: it must contain one JSON object, at least {}";
  const { line, column } = placeOfJsonFault(text) ?? { line: 1, column: 1 };
  return `the file is not JSON: look at line ${line}, column ${column}, or just before (no comments, no comma after the last member, double quotes)`;
}

function unknownMembers(members: object, file: string): ConfigFault[] {
  return Object.keys(members)
    .filter((key) => !settingNames.some((name) => name === key))
    .map((key) => ({
      from: `${key} in ${file}`,
      message: `there is no such setting${suggestion(key, settingNames)}`,
    }));
}
