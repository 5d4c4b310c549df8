import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { launcher } from "../support/server-process.ts";
import { commandNames, run, runHere, succeed } from "./run.ts";

test("every command tells its usage, with examples where it can be run", async () => {
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

test("a fault of usage is told in two lines and ends with 2", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["keyss"], /unknown command 'keyss'\n\(Did you mean keys\?\)/],
    [["serve", "--prot", "1"], /unknown option '--prot'/],
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

test("what is piped holds no colours", async () => {
  const { stdout } = await run(["--help"], { env: { NO_COLOR: "1" } });
  assert.ok(!stdout.includes("\u001B"));
  assert.ok(!(await succeed(["serve", "--help"])).includes("\u001B"));
});

test("a reader that goes away is no fault", async () => {
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
