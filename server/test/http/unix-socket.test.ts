import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { serve } from "../support/in-process.ts";
import { askSocket } from "../support/raw-http.ts";
import { spawnServer, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("mode local can serve a Unix socket, which only its owner can open and which the server removes when it stops", async () => {
  await using folder = temporaryDirectory();
  const path = `${folder.path}/http.sock`;
  {
    await using server = await serve({ config: { socket: { path, mode: 0o600 } } });
    assert.equal(server.url, `unix:${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const created = await askSocket(path, "PUT", "/sessions/new");
    assert.equal(created.status, 200, created.body);
    const { sessionId } = JSON.parse(created.body) as { sessionId: string };
    const found = await askSocket(path, "GET", `/sessions/${sessionId}`);
    assert.equal((JSON.parse(found.body) as { sessionId: string }).sessionId, sessionId);
    assert.match(server.log(), /"peer":""/);
    // A web page cannot connect to a socket, but can reach it through a proxy, so Host is checked.
    const strange = await askSocket(path, "GET", "/healthz", { host: "elsewhere.example" });
    assert.equal(strange.status, 400);
  }
  assert.equal(existsSync(path), false);
});

test("the error for a socket that cannot be created says why", async () => {
  await using folder = temporaryDirectory();
  const start = (path: string) => spawnServer({ args: ["--socket", path], env: { ANTECHAMBER_PORT: "" } });
  await using homeless = start(`${folder.path}/none/http.sock`);
  await assert.rejects(homeless.ready, /cannot listen on \S+none\/http\.sock: there is no folder/);
  await using refused = start("/proc/http.sock");
  await assert.rejects(refused.ready, /listen .*\/proc\/http\.sock/);
});

test("a server replaces the socket of a killed server, but not that of a running server, nor a file", async () => {
  await using folder = temporaryDirectory();
  const path = `${folder.path}/http.sock`;
  const args = ["--socket", path, "--socket-mode", "0660"];
  const env = { ANTECHAMBER_PORT: "" };
  {
    await using killed = await startServer({ args, env });
    assert.equal(killed.url, `unix:${path}`);
    await killed.kill("SIGKILL");
  }
  assert.ok(existsSync(path), "a killed server leaves its socket");
  {
    await using next = await startServer({ args, env });
    assert.equal((await askSocket(path, "GET", "/healthz")).status, 200);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    await using second = spawnServer({ args, env });
    await assert.rejects(second.ready, /another server listens on/);
    assert.equal((await askSocket(path, "GET", "/healthz")).status, 200);
    await next.kill();
  }
  assert.equal(existsSync(path), false);
  writeFileSync(path, "mine");
  await using third = spawnServer({ args, env });
  await assert.rejects(third.ready, /is there and is no socket/);
  assert.equal(statSync(path).size, 4);
});
