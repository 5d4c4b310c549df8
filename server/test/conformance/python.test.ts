// runs: outside

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { createVisitor } from "../../../client/test/middleware/visitor.ts";
import { inFlask, startExampleApplication } from "../support/example-application.ts";
import { serve } from "../support/in-process.ts";
import { inUvicorn, packages, python, startPython } from "./python.ts";
import { conformance, outages } from "./suite.ts";

const applications = new Map([
  ["wsgi", startPython("wsgi")],
  ["asgi", startPython("asgi")],
]);
for (const [name, start] of applications) conformance(name, start);
outages(applications);

test("the examples in Python sign a customer in and out", async () => {
  await using antechamber = await serve();
  const environment = { ANTECHAMBER_URL: antechamber.url, PYTHONPATH: packages };
  const example = { folder: "python", home: "/" };
  await using flask = await startExampleApplication({ ...example, name: "flask", command: inFlask }, environment);
  await using asgi = await startExampleApplication({ ...example, name: "asgi", command: inUvicorn }, environment);
  const visitor = createVisitor(`http://127.0.0.1:${flask.port}`);
  const form = { name: "anna", password: "correct horse" };
  const signedIn = await visitor.visit("/sign-in", { method: "POST", body: new URLSearchParams(form) });
  assert.equal(signedIn.status, 303, signedIn.text);
  const elsewhere = createVisitor(`http://127.0.0.1:${asgi.port}`);
  elsewhere.cookies.set("sessionId", visitor.cookies.get("sessionId") ?? "");
  for (const each of [visitor, elsewhere])
    assert.deepEqual(JSON.parse((await each.visit("/")).text), { customer: "anna" });
  await visitor.visit("/sign-out", { method: "POST" });
  assert.deepEqual(JSON.parse((await elsewhere.visit("/")).text), { customer: null });
});

test("the Python package passes its own tests", async () => {
  await using antechamber = await serve();
  const env = { ...process.env, ANTECHAMBER_URL: antechamber.url };
  const args = ["-B", "-m", "unittest", "discover", "--start-directory", "tests", "--top-level-directory", "."];
  // The result of the tests is on standard error.
  const { stderr } = await promisify(execFile)(python, args, { cwd: packages, env, timeout: 120_000 });
  assert.match(stderr, /Ran \d\d tests in .*\s+OK/);
});
