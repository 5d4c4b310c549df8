// runs: once

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { run, succeed } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Like `succeed`. Repeats the command, because a server on a busy machine may not respond within its three seconds. */
const succeedInTime = (...command: Parameters<typeof succeed>) => eventually(() => succeed(...command));

test("health succeeds with a running server and fails without one", async () => {
  await using server = await startServer();
  const { port } = new URL(server.url);
  const address = ["--port", port];
  assert.equal(await succeedInTime(["health", ...address]), `${server.url}/healthz answers 200\n`);
  assert.equal(await succeedInTime(["health", "--ready", ...address]), `${server.url}/readyz answers 200\n`);
  await server.kill();
  const { code, stdout, stderr } = await run(["health", ...address]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^antechamber: http:\S+\/healthz does not answer: .+\n$/);
});

test("health reaches a server that listens on every address, without a key", async () => {
  await using server = await startServer({
    env: { ANTECHAMBER_HOST: "0.0.0.0", ANTECHAMBER_AUTH: "key" },
  });
  const { port } = new URL(server.url);
  const env = { ANTECHAMBER_HOST: "0.0.0.0", ANTECHAMBER_AUTH: "key", ANTECHAMBER_PORT: port };
  assert.match(await succeedInTime(["health"], { env }), /127\.0\.0\.1:\d+\/healthz answers 200/);
});

test("health uses the Unix socket if the server listens on one", async () => {
  await using folder = temporaryDirectory();
  const path = `${folder.path}/http.sock`;
  const env = { ANTECHAMBER_SOCKET: path };
  {
    await using server = await startServer({ env: { ...env, ANTECHAMBER_PORT: "" } });
    assert.equal(await succeedInTime(["health"], { env }), `${server.url}/healthz answers 200\n`);
    assert.equal(await succeedInTime(["health", "--ready", "--socket", path]), `unix:${path}/readyz answers 200\n`);
  }
  const { code, stderr } = await run(["health"], { env });
  assert.equal(code, 1);
  assert.match(stderr, /^antechamber: unix:\S+\/healthz does not answer: .+\n$/);
});

test("health does not wait long for a server that does not respond", async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = silent.address() as AddressInfo;
    const { code, stderr } = await run(["health", "--port", String(port)]);
    assert.equal(code, 1);
    assert.match(stderr, /does not answer: no response within 3 s\n$/);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});

test("health fails if the status is not 200", async () => {
  const stopping = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => stopping.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = stopping.address() as AddressInfo;
    await eventually(async () => {
      const { code, stderr } = await run(["health", "--ready", "--port", String(port)]);
      assert.equal(code, 1);
      assert.match(stderr, /\/readyz answers 503\n$/);
    });
  } finally {
    stopping.close();
  }
});
