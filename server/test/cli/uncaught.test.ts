import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const mark = "SecretOfTheCaller";

/** What a process prints that fails so, after it has set itself up as the command line does. */
function printedBy(failing: string, prepare: string): { text: string; status: number | null } {
  const source = (name: string) =>
    JSON.stringify(new URL(`../../src/cli/${name}`, import.meta.url).href);
  const code = `
    (async () => {
      const { onUncaught, logUncaught } = await import(${source("uncaught.ts")});
      const { endOf } = await import(${source("exit.ts")});
      onUncaught((error) => process.stderr.write(endOf(error).message));
      ${prepare}
      const error = Object.assign(new Error("refused '${mark}'"), { command: { args: ["${mark}"] } });
      setTimeout(() => { ${failing} }, 1);
      setTimeout(() => undefined, 20_000);
    })();`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", code], {
    encoding: "utf8",
    timeout: 20_000,
  });
  return { text: stdout + stderr, status };
}

test("an error that nobody caught ends a command or a server without its members", () => {
  for (const failing of ["throw error;", "void Promise.reject(error);"]) {
    for (const prepare of ["", "onUncaught(logUncaught);"]) {
      const { text, status } = printedBy(failing, prepare);
      assert.equal(status, 1, text);
      assert.match(text, /refused '…'/);
      assert.ok(!text.includes(mark), text);
    }
  }
});
