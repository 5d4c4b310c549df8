// runs: once

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { run, succeed, succeedJson } from "../support/command-line.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const folder = temporaryDirectory();
after(() => folder.remove());
const cwd = folder.path;

test("config check accepts a configuration that serve would use", async () => {
  assert.equal(await succeed(["config", "check"], { cwd }), "The configuration is valid.\n");
  assert.deepEqual(await succeedJson(["config", "check", "--port", "0"], { cwd }), {
    valid: true,
    faults: [],
  });
});

test("config check lists every fault, as text and as JSON, and ends with 2", async () => {
  const args = ["config", "check", "--port", "x"];
  const env = { ANTECHAMBER_HOST: "0.0.0.0", ANTECHAMBER_COLOR: "red" };
  const { code, stdout, stderr } = await run(args, { cwd, env });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /has 3 faults:\n {2}ANTECHAMBER_COLOR: .*\n {2}--port: .*\n {2}host \(/);
  const json = await run([...args, "--json"], { cwd, env });
  assert.equal(json.code, 2);
  assert.equal(json.stderr, "");
  const report = JSON.parse(json.stdout) as { valid: boolean; faults: { from: string }[] };
  assert.equal(report.valid, false);
  assert.deepEqual(
    report.faults.map(({ from }) => from),
    ["ANTECHAMBER_COLOR", "--port", "host (ANTECHAMBER_HOST)"],
  );
});

test("serve does not start with a fault in the configuration", async () => {
  const { code, stdout, stderr } = await run(["serve", "--host", "0.0.0.0"], { cwd });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /Set auth to key .* and make keys with antechamber keys create/);
});

test("config show prints each value and its source", async () => {
  const file = join(cwd, "settings.json");
  writeFileSync(file, JSON.stringify({ logLevel: "warn", basePath: ["/a", "/b"] }));
  const args = ["config", "show", "--config", file, "--anonymous-idle", "90m"];
  const env = { ANTECHAMBER_PORT: "0" };
  const shown = await succeedJson<Record<string, unknown>>(args, { cwd, env });
  const fromFile = (name: string) => ({ source: "file", from: `${name} in ${file}` });
  assert.deepEqual(shown["port"], { value: 0, source: "environment", from: "ANTECHAMBER_PORT" });
  assert.deepEqual(shown["logLevel"], { value: "warn", ...fromFile("logLevel") });
  assert.deepEqual(shown["basePath"], { value: ["/a", "/b"], ...fromFile("basePath") });
  assert.deepEqual(shown["anonymousIdle"], {
    value: "90m",
    source: "flag",
    from: "--anonymous-idle",
  });
  assert.deepEqual(shown["host"], { value: "127.0.0.1", source: "default", from: "default" });
  const table = await succeed(args, { cwd, env });
  assert.match(table, /^SETTING +VALUE +FROM\nhost +127\.0\.0\.1 +default\nport +0 +ANTECHAMBER_P/);
});

test("config show and config check print no secret from any source", async () => {
  const secret = "0123456789abcdef".repeat(2);
  const file = join(cwd, "secret.json");
  writeFileSync(file, JSON.stringify({ auth: "proxy", trustedProxies: [], proxySecret: secret }));
  const args = ["--config", file, "--trusted-proxies", "127.0.0.1"];
  const shown = await succeedJson<Record<string, { value: unknown }>>(["config", "show", ...args]);
  assert.equal(shown["proxySecret"]?.value, "***");
  writeFileSync(file, JSON.stringify({ auth: "key", proxySecret: `${secret} ` }));
  for (const auth of ["key", "nothing"]) {
    const { stdout, stderr } = await run(["config", "check", "--config", file, "--auth", auth]);
    assert.match(stdout + stderr, /proxySecret|--auth/);
    assert.ok(!(stdout + stderr).includes(secret));
  }
});

test("the output of config show can be used as a configuration file", async () => {
  const shown = await succeedJson<Record<string, { value: unknown }>>(["config", "show"], { cwd });
  const entries = Object.entries(shown).map(([name, { value }]) => [name, value]);
  const file = join(cwd, "again.json");
  writeFileSync(file, JSON.stringify(Object.fromEntries(entries)));
  assert.equal((await run(["config", "check", "--config", file], { cwd })).code, 0);
});
