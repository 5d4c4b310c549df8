// runs: once
// needs: nothing

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../../scripts/run-tests.mjs", import.meta.url));

test("a word that matches no test file ends the run with a failure that says so", () => {
  for (const words of [["nosuchthing"], ["bun", "nosuchthing"], ["outside", "http/rules"]]) {
    const { status, stdout, stderr } = spawnSync("node", [script, ...words], { encoding: "utf8" });
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, new RegExp(`no test file .* has "${words.at(-1)}" in its path`));
    assert.match(stderr, /the runs are bun, node, /);
  }
});
