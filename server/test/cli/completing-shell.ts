import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { succeed } from "../support/command-line.ts";
import { launcher } from "../support/server-process.ts";

/** The words of a command line, and the completions that a shell offers for the last one. */
export const cases: [words: string[], offered: string[]][] = [
  [["k"], ["keys"]],
  [
    ["keys", ""],
    ["create", "list", "revoke", "rotate"],
  ],
  [["keys", "create", "--ro"], ["--role"]],
  [
    ["keys", "create", "--role", ""],
    ["administrator", "agent", "customer", "reporter", "service"],
  ],
  [["serve", "--auth", "k"], ["key"]],
  [["serve", "--port", "0", "--base"], ["--base-path"]],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
];

/** A shell with the completion script of `antechamber`. */
export interface CompletingShell {
  /** The file with the completion script. The shell has checked its syntax. */
  readonly file: string;
  /** Runs the shell and returns its output; throws if it fails or prints an error. */
  run(args: readonly string[]): string;
}

/** Writes the completion script into an empty folder and checks its syntax. */
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
