// runs: outside
// needs: fish, zsh

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cases, completingShell } from "../cli/completing-shell.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("fish completes commands, flags and their values", async () => {
  await using folder = temporaryDirectory();
  const { file, run } = await completingShell("fish", folder.path);
  for (const [words, offered] of cases) {
    const line = ["antechamber", ...words].join(" ");
    const lines = run(["-N", "-c", `source ${file}; complete -C '${line}'`]);
    const found = lines
      .trim()
      .split("\n")
      .map((text) => text.replace(/\t.*/, ""));
    assert.deepEqual(found.toSorted(), offered, line);
  }
});

test("zsh completes commands, flags and their values", async () => {
  await using folder = temporaryDirectory();
  const { file, run } = await completingShell("zsh", folder.path);
  const inner = join(folder.path, "inner.zsh");
  const driver = join(folder.path, "driver.zsh");
  writeFileSync(inner, zshInner(file));
  writeFileSync(driver, zshDriver(inner));
  const lines = cases.map(([words]) => ["antechamber", ...words].join(" "));
  const answers = run(["-f", driver, ...lines]).split("FINISHED");
  for (const [i, [words, offered]] of cases.entries()) {
    const found = [...(answers[i] ?? "").matchAll(/OFFERED=([a-z-]+)/g)];
    const names = new Set(found.map(([, name = ""]) => name));
    assert.deepEqual([...names].toSorted(), offered, words.join(" "));
  }
});

/** Returns a script for the inner Zsh, which prints the completions. Zsh completes only in its line editor. */
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

/** Returns a script that types each argument and a tab into the inner Zsh on a terminal, and prints its output. */
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
