// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { candidatesFor } from "../../src/cli/completion.ts";
import { createProgram } from "../../src/cli/program.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { cases, completingShell } from "./completing-shell.ts";

const program = createProgram({ print() {}, printJson() {}, remark() {}, isColoured: false });

function offeredFor(...words: string[]): string[] {
  return candidatesFor(program, words)
    .map(([word]) => word)
    .toSorted();
}

test("commands, flags and their values are offered", () => {
  for (const [words, expected] of cases) assert.deepEqual(offeredFor(...words), expected);
  assert.deepEqual(offeredFor("serve", "--auth=k"), ["--auth=key"]);
  assert.deepEqual(offeredFor("serve", "--auth", "=", "k"), ["key"]);
  assert.deepEqual(offeredFor("serve", "--auth", "="), ["jwt", "key", "local", "proxy"]);
  assert.deepEqual(offeredFor("config", "s"), ["show"]);
  assert.deepEqual(offeredFor("serve", "--port", "8"), []);
  assert.ok(offeredFor("serve", "").includes("--port"));
});

test("for files and folders the completion script lets the shell complete paths", () => {
  assert.deepEqual(offeredFor("backup", "x"), ["<file>"]);
  assert.deepEqual(offeredFor("serve", "--config", "./a"), ["<file>"]);
  assert.deepEqual(offeredFor("serve", "--data-dir=./a"), ["<folder>"]);
});

test("bash completes commands, flags and their values", async () => {
  await using folder = temporaryDirectory();
  const { file, run } = await completingShell("bash", folder.path);
  for (const [words, offered] of cases) {
    const script = `source ${file}; COMP_WORDS=(antechamber "$@"); COMP_CWORD=$#
      _antechamber; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const lines = run(["-c", script, "bash", ...words])
      .trim()
      .split("\n");
    assert.deepEqual(lines.toSorted(), offered, words.join(" "));
  }
});
