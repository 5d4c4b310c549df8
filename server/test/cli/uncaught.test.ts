// runs: once
// needs: nothing

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const mark = "SecretOfTheCaller";

/** Runs `prepare` and then `failing` in a process with the error handlers of the command line; returns its output. */
function printedBy(failing: string, prepare: string): { text: string; status: number | null } {
  const source = (name: string) => JSON.stringify(new URL(`../../src/cli/${name}`, import.meta.url).href);
  const code = `
    (async () => {
      const { onUncaught, logUncaught } = await import(${source("uncaught.ts")});
      const { exitOf } = await import(${source("exit-codes.ts")});
      onUncaught((error) => process.stderr.write(exitOf(error).message));
      ${prepare}
      const error = Object.assign(new Error("refused '${mark}'"), { command: { args: ["${mark}"] } });
      setTimeout(() => { ${failing} }, 1);
      setTimeout(() => undefined, 60_000);
    })();`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", code], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { text: stdout + stderr, status };
}

test("an uncaught error ends a command or a server, whose output omits the properties of the error", () => {
  for (const failing of ["throw error;", "void Promise.reject(error);"]) {
    for (const prepare of ["", "onUncaught(logUncaught);"]) {
      const { text, status } = printedBy(failing, prepare);
      assert.equal(status, 1, text);
      assert.match(text, /refused '…'/);
      assert.ok(!text.includes(mark), text);
    }
  }
});
