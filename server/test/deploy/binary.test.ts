// runs: outside
// needs: strace

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { docsFiles } from "../../src/http/handlers/docs-page.ts";
import { version } from "../../src/runtime/version.ts";
import { eventually } from "../support/eventually.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Binary, buildBinary, root } from "./build.ts";

let binary: Binary;
before(async () => {
  binary = await buildBinary();
});
after(() => binary[Symbol.asyncDispose]());

interface SessionInfo {
  readonly sessionId: string;
  readonly customerId: string | null;
}

async function call(url: string, method: string, customer?: string): Promise<SessionInfo> {
  const headers = customer === undefined ? {} : { gkc_customerId: customer };
  const response = await fetch(url, { method, headers });
  assert.equal(response.status, 200);
  return (await response.json()) as SessionInfo;
}

test("the executable prints its version and checks a configuration, in an empty folder", async () => {
  await using folder = temporaryDirectory();
  assert.equal(await binary.run(["--version"], folder.path), `${version}\n`);
  const checked = await binary.run(["config", "check"], folder.path);
  assert.equal(checked, "The configuration is valid.\n");
  const unsafe = binary.run(["config", "check", "--host", "0.0.0.0"], folder.path);
  await assert.rejects(unsafe, /Set auth to key/);
});

test("the executable serves, stores and backs up sessions without opening a source file", async () => {
  await using folder = temporaryDirectory();
  const trace = join(folder.path, "trace");
  // With -D the started process is the server, not strace, so it receives the signal of the test.
  const files = ["-D", "-f", "--trace=execve,open,openat", "--output", trace];
  await using server = await startServer({
    program: binary.path,
    wrapper: ["strace", ...files],
    dataDir: folder.path,
  });
  const created = await call(`${server.url}/sessions/new`, "PUT");
  const session = `${server.url}/sessions/${created.sessionId}`;
  assert.equal((await call(session, "POST", "customer-1")).customerId, "customer-1");
  assert.equal((await call(session, "GET")).customerId, "customer-1");
  const records = { method: "POST", body: '{"method":"GET","path":"/a"}' };
  const headers = { "Content-Type": "application/json" };
  const recorded = await fetch(`${session}/requests?durable=true`, { ...records, headers });
  assert.equal(recorded.status, 202);

  const data = ["--data-dir", folder.path];
  const backup = join(folder.path, "copy.db");
  await binary.run(["backup", backup, ...data], folder.path);
  const report = await binary.run(["doctor", ...data], folder.path);
  for (const line of [/server +runs on this data/, /recognized +1\n/, /integrity +ok/]) {
    assert.match(report, line);
  }
  await binary.run(["keys", "create", "--role", "reporter", ...data], folder.path);
  const health = ["health", "--port", new URL(server.url).port];
  await eventually(() => binary.run(health, folder.path));
  assert.deepEqual(await server.kill(), { code: 0, signal: null });

  const opened = readFileSync(trace, "utf8");
  assert.ok(opened.includes(binary.path), "the trace shows what was run");
  const ours = opened.split("\n").filter((line) => line.includes(root));
  assert.deepEqual(ours, []);
});

test("the executable contains the Redis scripts, and stores sessions in Redis", async () => {
  await using redis = await startSingleRedis();
  const env = { ANTECHAMBER_STORE: redis.url };
  await using first = await startServer({ program: binary.path, env });
  await using second = await startServer({ program: binary.path, env });
  const { sessionId } = await call(`${first.url}/sessions/new`, "PUT");
  const path = `/sessions/${sessionId}`;
  assert.equal((await call(second.url + path, "POST", "customer-1")).customerId, "customer-1");
  assert.equal((await call(first.url + path, "GET")).sessionId, sessionId);
  assert.equal((await fetch(`${first.url}/readyz`)).status, 200);
  assert.deepEqual(await first.kill(), { code: 0, signal: null });
});

test("the executable contains the API page", async () => {
  await using server = await startServer({ program: binary.path });
  const page = await fetch(`${server.url}/docs`);
  assert.match(await page.text(), /swagger-ui/);
  for (const name of docsFiles) {
    const response = await fetch(`${server.url}/docs/${name}`);
    assert.equal(response.status, 200, name);
    assert.ok((await response.arrayBuffer()).byteLength > 0, name);
  }
});

test("the executable contains the console", async () => {
  await using folder = temporaryDirectory();
  const env = { ANTECHAMBER_CONSOLE: "true" };
  await using server = await startServer({ program: binary.path, dataDir: folder.path, env });
  const page = await (await fetch(`${server.url}/console/search`)).text();
  const addresses = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, address = ""]) => address);
  assert.ok(addresses.length >= 3, page);
  for (const address of addresses) {
    assert.equal((await fetch(`${server.url}/console/${address}`)).status, 200, address);
  }
});
