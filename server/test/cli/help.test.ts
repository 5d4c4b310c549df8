// runs: once

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { commandNames, run, runHere, succeed } from "../support/command-line.ts";
import { launcher } from "../support/server-process.ts";

test("every command prints its usage, with examples unless it is a group", async () => {
  const names = commandNames();
  assert.ok(names.length > 12, String(names.length));
  for (const words of names) {
    const { code, stdout, stderr } = await runHere([...words, "--help"]);
    const name = ["antechamber", ...words].join(" ");
    assert.equal(code, 0, name);
    assert.equal(stderr, "", name);
    assert.ok(stdout.startsWith(`Usage: ${name} `), stdout);
    const isGroup = stdout.includes("\nCommands:");
    if (words.length === 0 || !isGroup) assert.match(stdout, /\nExamples:\n {2}# /, name);
  }
});

test("the version is the release's", async () => {
  assert.match(await succeed(["--version"]), /^\d+\.\d+\.\d+\n$/);
});

test("a usage error is printed in two lines and ends with 2", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["keyss"], /^antechamber: unknown command 'keyss'\n\(Did you mean keys\?\)/],
    [["help", "kyes"], /^antechamber: unknown command 'kyes' \(did you mean keys\?\)/],
    [["help", "nonsense"], /^antechamber: unknown command 'nonsense'\n/],
    [["keys", "help", "craete"], /unknown command 'craete' \(did you mean create\?\)/],
    [["serve", "--prot", "1"], /^antechamber: unknown option '--prot'/],
    [["keys", "create"], /required option '--role <role>' not specified/],
    [["keys", "create", "--role", "boss"], /Allowed choices are customer, agent/],
    [["keys", "revoke"], /missing required argument 'id'/],
    [["sessions", "get", "a", "b"], /too many arguments/],
    [["completion", "csh"], /Allowed choices are bash, zsh, fish/],
    [[], /^Usage: antechamber/],
    [["keys"], /^Usage: antechamber keys/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runHere(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "", args.join(" "));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
  assert.equal((await run(["serve", "--prot", "1"])).code, 2);
});

test("help with a command's name shows that command's help", async () => {
  for (const [args, usage] of [
    [["help", "keys"], "Usage: antechamber keys "],
    [["keys", "help", "create"], "Usage: antechamber keys create "],
    [["help"], "Usage: antechamber "],
  ] as const) {
    const { code, stdout } = await runHere(args);
    assert.deepEqual([code, stdout.slice(0, usage.length)], [0, usage]);
  }
});

test("shells complete values only for settings with choices", async () => {
  const { stdout } = await runHere(["serve", "--help"]);
  const lines = stdout.replaceAll(/\n {20,}/g, " ").split("\n");
  const choicesOf = (flag: string) =>
    /choices: ([^)]*)/.exec(lines.find((line) => line.includes(`${flag} <`)) ?? "none")?.[1];
  assert.equal(choicesOf("--auth"), '"local", "key", "jwt", "proxy"');
  assert.equal(choicesOf("--cookie-http-only"), '"true", "false"');
  assert.equal(choicesOf("--sentinel-username"), undefined);
});

test("piped output has no colours", async () => {
  const { stdout } = await run(["--help"], { env: { NO_COLOR: "1" } });
  assert.ok(!stdout.includes("\u001B"));
  assert.ok(!(await succeed(["serve", "--help"])).includes("\u001B"));
});

test("a closed pipe is not an error", async () => {
  const child = spawn(launcher, ["serve", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(stderr, "");
  assert.equal(code, 0);
});
