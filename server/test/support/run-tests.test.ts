// runs: once
// needs: nothing

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readTestFiles } from "../../../scripts/tests/files.mjs";
import { choose, runsOf } from "../../../scripts/tests/runs.mjs";
import { summarize } from "../../../scripts/tests/summary.mjs";
import { temporaryDirectory } from "./temporary-directory.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("a word that matches no test file ends the run with a failure that says so", () => {
  for (const words of [["nosuchthing"], ["bun", "nosuchthing"], ["outside", "http/rules"]]) {
    const args = [join(root, "scripts/run-tests.mjs"), ...words];
    const { status, stdout, stderr } = spawnSync("node", args, { encoding: "utf8" });
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, new RegExp(`no test file .* has "${words.at(-1)}" in its path`));
    assert.match(stderr, /the runs are bun, node, /);
  }
});

test("an unknown option runs no test", () => {
  const args = [join(root, "scripts/run-tests.mjs"), "--help"];
  const { status, stdout, stderr } = spawnSync("node", args, { encoding: "utf8" });
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^usage: npm test/);
});

/** Names of programs, each in two parts: whole names would mean that this file itself needs them. */
const [strace, redis] = ["s".concat("trace"), "redis".concat("-server")];

/** Makes a repository with these test files, and `server/test/start.ts`, which starts a program. */
function writeFiles(folder: string, texts: Readonly<Record<string, string>>): void {
  const start = `// needs: ${strace}\n\nimport assert from 'x';\nspawn("${strace}");\n`;
  const others = ["client", "packages/http1", "examples/help-centre"].map(
    (part) => [`${part}/test/a.test.ts`, ""] as const,
  );
  for (const [name, text] of Object.entries({
    "server/test/start.ts": start,
    ...Object.fromEntries(others),
    ...texts,
  })) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

test("a test needs everything that its imported files need", async () => {
  await using folder = temporaryDirectory();
  writeFiles(folder.path, {
    "server/test/a.test.ts": 'import { b } from "./b.ts";\n',
    "server/test/b.ts": 'import {\n  start,\n} from "./start.ts";\n',
    "server/test/c.test.ts": '// runs: faults\n\nimport type { A } from "./start.ts";\n',
  });
  const files = readTestFiles(folder.path).filter(({ path }) => path.startsWith("./server/"));
  assert.deepEqual(
    files.map(({ path, kind, needs }) => [path, kind, needs.join()]),
    [
      ["./server/test/a.test.ts", "both", strace],
      ["./server/test/c.test.ts", "faults", ""],
    ],
  );
});

test("a test file's declarations must be valid and complete", async () => {
  const wrong: [text: string, message: RegExp][] = [
    ["// runs: sometimes\n\nimport 'x';\n", /"runs: sometimes" is none of both, once, /],
    [`import "x";\nspawn("${redis}");\n`, /add "\/\/ needs: redis-server"/],
    ["// needs: gcc\n\nimport 'x';\n", /declares gcc, and does not use it/],
    ["// needs: luck\n\nimport 'x';\n", /"luck" is nothing that can be needed/],
    ["import 'x';\n// needs: gcc\n", /declarations stand before the first import/],
    ['import { spawn } from "node:child_process";\n', /starts a process: add/],
  ];
  for (const [text, message] of wrong) {
    await using folder = temporaryDirectory();
    writeFiles(folder.path, { "server/test/wrong.test.ts": text });
    assert.throws(() => readTestFiles(folder.path), message);
  }
});

test("only the programs that the chosen files need are checked, and none in test:quick", () => {
  const files = readTestFiles(root);
  const lifetime = choose(runsOf(files, "usual"), ["bun", "session/lifetime"]);
  assert.deepEqual(
    lifetime.map((run) => [run.name, run.files.flatMap(({ needs }) => needs)]),
    [["bun", []]],
  );
  const [quick] = runsOf(files, "quick");
  assert.ok(quick);
  assert.ok(quick.files.length > 80, `${quick.files.length} files`);
  assert.deepEqual(
    quick.files.flatMap(({ quickNeeds }) => quickNeeds),
    [],
  );
});

test("every file is in a run of npm test, or of npm run test:long", () => {
  const files = readTestFiles(root);
  const run = new Set(runsOf(files, "long").flatMap((each) => each.files));
  assert.deepEqual(
    files.filter((file) => !run.has(file)).map(({ path }) => path),
    [],
  );
});

test("the failed tests are named with their file and the first lines of the error", async () => {
  await using folder = temporaryDirectory();
  writeFiles(folder.path, {
    "first.test.ts":
      'import { test } from "node:test";\ntest("good", () => {});\ntest("bad (here)", () => { throw new Error("one\\ntwo"); });\n',
    "second.test.ts": 'import "./missing.ts";\n',
  });
  const paths = ["first", "second"].map((name) => `./${name}.test.ts`);
  const isBun = "Bun" in globalThis;
  const args = isBun ? ["test"] : ["--test", "--test-reporter=spec"];
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const { stdout, stderr } = spawnSync(process.execPath, [...args, ...paths], {
    cwd: folder.path,
    encoding: "utf8",
    env,
  });
  const summary = summarize(isBun ? "bun" : "node", stdout + stderr);
  assert.deepEqual([summary.passed, summary.skipped], [1, 0]);
  assert.ok(summary.failed >= 2);
  const [bad, missing] = summary.failures.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  assert.deepEqual([bad?.name, bad?.file], ["bad (here)", "first.test.ts"]);
  assert.match(bad?.error.join("\n") ?? "", /rror: one\n *two/);
  assert.equal(missing?.file, "second.test.ts");
  assert.match(missing?.error.join("\n") ?? "", /missing\.ts/);
});
