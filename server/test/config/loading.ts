import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { ConfigError } from "../../src/config/faults.ts";
import { type ConfigInput, loadConfig } from "../../src/config/load.ts";

/** A folder that does not exist, and thus has no configuration file. */
export const nowhere = join(tmpdir(), "antechamber-config-nowhere");

const root = mkdtempSync(join(tmpdir(), "antechamber-config-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Creates a folder, with a configuration file if `members` is given. */
export function folder(name: string, members?: unknown): string {
  const path = join(root, name);
  mkdirSync(path);
  if (members !== undefined) {
    const text = typeof members === "string" ? members : JSON.stringify(members);
    writeFileSync(join(path, "antechamber.json"), text);
  }
  return path;
}

/** Loads a configuration from nothing except `input`. */
export function load(input: Partial<ConfigInput>) {
  return loadConfig({ flags: {}, env: {}, cwd: nowhere, ...input });
}

/** Returns the faults in a configuration as lines `from: message`. */
export function faultsOf(input: Partial<ConfigInput>): string[] {
  try {
    load(input);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults.map(({ from, message }) => `${from}: ${message}`);
  }
  return [];
}
