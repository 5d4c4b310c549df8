import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { succeed } from "./run.ts";

const folder = temporaryDirectory();
after(() => folder.remove());

/** The script for a shell, in a file that the shell finds nothing wrong with. */
async function scriptFor(shell: string): Promise<string> {
  const file = join(folder.path, `completion.${shell}`);
  writeFileSync(file, await succeed(["completion", shell]));
  assert.equal(output(shell, ["-n", file]), "");
  return file;
}

function output(shell: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(shell, args, {
    encoding: "utf8",
    cwd: folder.path,
    timeout: 20_000,
  });
  assert.equal(error, undefined);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout;
}

const cases: [words: string[], offered: string[]][] = [
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

test("bash completes commands, flags and their values", async () => {
  const file = await scriptFor("bash");
  for (const [words, offered] of cases) {
    const script = `source ${file}; COMP_WORDS=(antechamber "$@"); COMP_CWORD=$#
      _antechamber; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const lines = output("bash", ["-c", script, "bash", ...words])
      .trim()
      .split("\n");
    assert.deepEqual(lines.toSorted(), offered, words.join(" "));
  }
});

test("fish completes commands, flags and their values", async () => {
  const file = await scriptFor("fish");
  for (const [words, offered] of cases) {
    const line = ["antechamber", ...words].join(" ");
    const lines = output("fish", ["-N", "-c", `source ${file}; complete -C '${line}'`]);
    const found = lines
      .trim()
      .split("\n")
      .map((text) => text.replace(/\t.*/, ""));
    assert.deepEqual(found.toSorted(), offered, line);
  }
});

test("zsh completes commands, flags and their values", async () => {
  const inner = join(folder.path, "inner.zsh");
  const driver = join(folder.path, "driver.zsh");
  writeFileSync(inner, zshInner(await scriptFor("zsh")));
  writeFileSync(driver, zshDriver(inner));
  const lines = cases.map(([words]) => ["antechamber", ...words].join(" "));
  const answers = output("zsh", ["-f", driver, ...lines]).split("FINISHED");
  for (const [i, [words, offered]] of cases.entries()) {
    const found = [...(answers[i] ?? "").matchAll(/OFFERED=([a-z-]+)/g)];
    const names = new Set(found.map(([, name = ""]) => name));
    assert.deepEqual([...names].toSorted(), offered, words.join(" "));
  }
});

/** Zsh completes in its line editor alone: this runs in one, and tells what it would offer. */
function zshInner(file: string): string {
  return `PS1= PS2=
stty -echo
autoload -Uz compinit
compinit -u -D
source ${file}
compadd() {
  local -a offered
  builtin compadd -O offered "$@"
  print -rl -- OFFERED=\${^offered}
  builtin compadd "$@"
}
finish() { print -r -- FINISHED }
zle -N finish
bindkey '^I' complete-word
bindkey '^X' finish
# Only now keys reach the editor; before they would wait in the terminal, and be lost at times.
zle-line-init() { print -r -- READY }
zle -N zle-line-init
`;
}

/** Types each argument and a tab into a Zsh on a terminal of its own, and prints what comes back. */
function zshDriver(inner: string): string {
  return `zmodload zsh/zpty
read-until() {
  local text all=
  while zpty -r inner text; do
    all+=$text
    [[ $all == *$1* ]] && break
  done
  print -r -- $all
}
zpty inner zsh -f -i
zpty -w inner "source ${inner}"
read-until READY > /dev/null
for line in "$@"; do
  zpty -w -n inner $'\\C-u'"$line"$'\\t\\C-x'
  read-until FINISHED
done
zpty -d inner
`;
}
