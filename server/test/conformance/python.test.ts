// runs: outside

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { serve } from "../support/in-process.ts";
import { packages, python, startPython } from "./python.ts";
import { conformance, outages } from "./suite.ts";

const applications = new Map([
  ["wsgi", startPython("wsgi")],
  ["asgi", startPython("asgi")],
]);
for (const [name, start] of applications) conformance(name, start);
outages(applications);

test("the Python package passes its own tests", async () => {
  await using antechamber = await serve();
  const env = { ...process.env, ANTECHAMBER_URL: antechamber.url };
  const args = ["-B", "-m", "unittest", "discover", "--start-directory", "tests", "--top-level-directory", "."];
  // The result of the tests is on standard error.
  const { stderr } = await promisify(execFile)(python, args, { cwd: packages, env, timeout: 120_000 });
  assert.match(stderr, /Ran \d\d tests in .*\s+OK/);
});
