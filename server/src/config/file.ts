import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { safeMessage } from "../logging/safe-error.ts";
import { type ConfigFault, suggestion } from "./faults.ts";
import { placeOfJsonFault } from "./json-fault.ts";
import { settingNames } from "./settings.ts";

/** The file that is read if none is named and it exists. */
const DEFAULT_FILE = "antechamber.json";

/** A configuration file. */
export interface ConfigFile {
  /** The name for messages: as given, or absolute if none was given. */
  readonly name: string;
  /** The folder at which relative paths in the file start. */
  readonly folder: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/**
 * Reads the file `named`, or else the default file in `cwd` if it exists. Returns `undefined` and adds to `faults`
 * if the file cannot be used.
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
    // Some editors begin a file with a byte order mark, which is not part of JSON.
    text = readFileSync(path, "utf8").replace(/^\u{FEFF}/u, "");
    const members: unknown = JSON.parse(text);
    if (typeof members !== "object" || members === null || Array.isArray(members)) {
      faults.push({ from, message: "the file must contain one JSON object" });
      return undefined;
    }
    faults.push(...unknownMembers(members, name));
    return { name, folder: dirname(path), members: { ...members } };
  } catch (error) {
    const message =
      error instanceof SyntaxError
        ? notJson(text)
        : `the file cannot be read: ${safeMessage(error)}`;
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
