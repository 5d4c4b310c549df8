import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { problemStatus } from "@antechamber/client/protocol";

test("contract.md#refusals lists exactly the codes of the server's refusals, with their statuses", () => {
  const page = readFileSync(new URL("../../../docs/contract.md", import.meta.url), "utf8");
  const [, refusals = ""] = page.split("\n## Refusals\n");
  const rows = [...refusals.matchAll(/^\| (\d{3}) \| `([\w-]+)` \|/gm)];
  const listed = rows.map(([, status, code]) => [code, Number(status)] as const);
  assert.deepEqual(new Map(listed), new Map(Object.entries(problemStatus)));
});
