// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { settings } from "../../src/config/settings.ts";
import { parseDuration } from "../../src/config/values.ts";
import { commandNames, run } from "../support/command-line.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { deployText, unknownVariables } from "./documents.ts";

const unit = deployText("systemd/antechamber.service");

function valuesOf(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

test("the unit's command and settings exist", async () => {
  const [, command = ""] = valuesOf("ExecStart")[0]?.split(" ") ?? [];
  assert.ok(commandNames().some(([name]) => name === command));
  assert.deepEqual(unknownVariables(unit), []);
  const pairs = valuesOf("Environment").map((pair) => pair.split("=") as [string, string]);
  const { ANTECHAMBER_CONFIG: file, ...env } = Object.fromEntries(pairs);
  assert.ok(file);
  await using folder = temporaryDirectory();
  const { code, stderr } = await run(["config", "check"], { env, cwd: folder.path });
  assert.equal(code, 0, stderr);
});

test("the unit lets the last requests finish, and does not restart after errors that a restart cannot repair", () => {
  const shutdown = parseDuration(settings.shutdownTimeout.default) ?? Number.NaN;
  assert.ok(Number(valuesOf("TimeoutStopSec")[0]) * 1000 > shutdown);
  assert.deepEqual(valuesOf("RestartPreventExitStatus"), [String(exitCodes.usage)]);
});
