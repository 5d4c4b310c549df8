import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { succeed } from "../support/command-line.ts";
import { launcher } from "../support/server-process.ts";

/** Words of a command line, and what a shell offers for the last one. */
export const cases: [words: string[], offered: string[]][] = [
  [["k"], ["keys"]],
  [
    ["keys", ""],
    ["create", "list", "revoke", "rotate"],
  ],
  [["keys", "create", "--ro"], ["--role"]],
  [
    ["keys", "create", "--role", ""],
    ["administrator", "agent", "customer", "reporter"],
  ],
  [["serve", "--auth", "k"], ["key"]],
  [["serve", "--port", "0", "--base"], ["--base-path"]],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
];

/** A shell that knows the command line under its name. */
export interface CompletingShell {
  /** The file with its script, in which it finds no fault. */
  readonly file: string;
  /** Runs the shell, which must succeed without an error, and returns its output. */
  run(args: readonly string[]): string;
}

/** Sets a shell up in an empty folder. */
export async function completingShell(shell: string, folder: string): Promise<CompletingShell> {
  symlinkSync(launcher, join(folder, "antechamber"));
  const file = join(folder, `completion.${shell}`);
  writeFileSync(file, await succeed(["completion", shell]));
  const run = (args: readonly string[]) => {
    const { error, status, stdout, stderr } = spawnSync(shell, args, {
      encoding: "utf8",
      cwd: folder,
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` },
      timeout: 60_000,
    });
    assert.equal(error, undefined);
    assert.equal(stderr, "");
    assert.equal(status, 0);
    return stdout;
  };
  assert.equal(run(["-n", file]), "");
  return { file, run };
}
