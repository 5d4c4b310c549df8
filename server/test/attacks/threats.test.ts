// runs: once

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Reads the table of threats in SECURITY.md. */
function threats(): { attack: string; proof: string }[] {
  const [, text = ""] = readFileSync(join(root, "SECURITY.md"), "utf8").split("## Threats");
  const [table = ""] = text.split("\n## ");
  return table
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| attack"))
    .map((line) => {
      const [, attack = "", , proof = ""] = line.split(/(?<!\\) ?\| ?/);
      return { attack, proof };
    });
}

test("every threat in SECURITY.md names a test of its defence, and all named tests exist", () => {
  const rows = threats();
  assert.ok(rows.length > 20, `${rows.length} rows were read`);
  for (const { attack, proof } of rows) {
    const named = [...proof.matchAll(/`((?:server\/|client\/|packages\/http1\/)?test\/[\w/.-]+|[\w-]+\.test\.ts)`/g)];
    assert.ok(named.length > 0, `${attack}: no test is named`);
    for (const [, path = ""] of named.filter(([, name]) => name?.includes("/"))) {
      assert.ok(
        existsSync(join(root, /^(?:packages|client)\//.test(path) ? "" : "server", path)),
        `${attack}: there is no ${path}`,
      );
    }
  }
});
