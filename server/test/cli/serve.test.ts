// runs: once
// needs: linux

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run, succeed } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { type ServerProcess, spawnServer, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("serve prints one line on stdout and its log as JSON on stderr", async () => {
  await using server = await startServer();
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  const { code } = await server.kill();
  assert.equal(code, 0);
  assert.equal(server.stdout(), `antechamber listening on ${server.url}\n`);
  const lines = server.stderr().trim().split("\n");
  for (const line of lines) assert.equal(typeof (JSON.parse(line) as { time: unknown }).time, "number");
});

const until = (condition: () => boolean) => eventually(async () => assert.ok(condition()));

/** Sends a request whose body never ends, so that the server waits for it when it stops. */
async function waiting(server: ServerProcess): Promise<Disposable & { readonly socket: Socket }> {
  const { hostname, port } = new URL(server.url);
  const slow = connect(Number(port), hostname);
  slow.on("error", () => {});
  await once(slow, "connect");
  const head = ["POST /sessions/undefined HTTP/1.1", `Host: ${hostname}`, "Content-Length: 9"];
  const request = [...head, "Content-Type: application/json", "", "{"].join("\r\n");
  await new Promise((resolve) => slow.write(request, resolve));
  // When later requests have their responses, the server has admitted the request without an end.
  for (let i = 0; i < 3; i++) await fetch(`${server.url}/healthz`);
  return { socket: slow, [Symbol.dispose]: () => slow.destroy() };
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} twice at once counts as one signal; a later one ends a server that still waits for requests`, async () => {
    await using server = await startServer({ env: { ANTECHAMBER_SHUTDOWN_TIMEOUT: "1m" } });
    using slow = await waiting(server);
    assert.ok(!slow.socket.destroyed);
    const began = performance.now();
    void server.kill(signal);
    await until(() => server.stderr().includes('"stopping"'));
    // npm can pass the signal on as SIGINT. Neither that nor a repetition at once counts as a second signal.
    void server.kill(signal);
    void server.kill("SIGINT");
    let isOver = false;
    const over = server.exited.finally(() => {
      isOver = true;
    });
    await until(() => {
      void server.kill(signal);
      return isOver;
    });
    assert.deepEqual(await over, { code: 1, signal: null });
    assert.ok(performance.now() - began > 1000);
  });
}

test("two signals at once stop a server cleanly", async () => {
  await using server = await startServer();
  void server.kill("SIGINT");
  const exit = await server.kill("SIGINT");
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.match(server.stderr(), /"stopped"/);
});

test("Ctrl-C of npm start in a terminal is a clean stop", async () => {
  await using folder = temporaryDirectory();
  const kept = Object.entries(process.env).filter(([name]) => !/^(ANTECHAMBER_|npm_)/i.test(name));
  const env = {
    ...Object.fromEntries(kept),
    ANTECHAMBER_RUNTIME: process.env.ANTECHAMBER_RUNTIME ?? "bun",
    ANTECHAMBER_PORT: "0",
    ANTECHAMBER_DATA_DIR: folder.path,
    npm_config_cache: folder.path,
    npm_config_update_notifier: "false",
    npm_config_logs_max: "0",
    NODE_DISABLE_COMPILE_CACHE: "1",
  };
  // `script` runs the command in a terminal and types there what it reads from its standard input. The shell in the
  // terminal handles Ctrl-C itself, so that it can show the status of npm.
  const command = "trap : INT; npm start; echo status: $?";
  const args = ["--quiet", "--log-out", "/dev/null", "--command", command];
  const child = spawn("script", args, { cwd: root, env, stdio: ["pipe", "pipe", "inherit"] });
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    shown += chunk;
  });
  try {
    await until(() => shown.includes("antechamber listening on"));
    child.stdin.write("\u0003");
    await once(child, "close");
    assert.match(shown, /"stopped"/);
    // If npm forwards the signal late, it reaches a process that is ending already. Then the status is that of SIGINT.
    assert.match(shown, /status: (0|130)\r?\n/);
    assert.doesNotMatch(shown, /npm error/i);
  } finally {
    child.kill("SIGKILL");
  }
});

test("a second server on the same data ends with status 4 and says why", async () => {
  await using first = await startServer();
  const second = await run(["serve", "--port", "0", "--data-dir", first.dataDir]);
  assert.equal(second.code, 4);
  assert.equal(second.stdout, "");
  assert.ok(second.stderr.includes(first.dataDir), second.stderr);
  assert.doesNotMatch(second.stderr, /\n\s+at /);
  assert.equal((await fetch(`${first.url}/healthz`)).status, 200);
});

for (const runtime of ["bun", "node"] as const) {
  test(`if a server cannot listen, the error names the address and says what to do (${runtime})`, async () => {
    await using first = await startServer();
    await using folder = temporaryDirectory();
    const { port } = new URL(first.url);
    for (const [args, message] of [
      [["--port", port], `127.0.0.1:${port}: another process uses it.*--port.* 0 chooses a free`],
      [["--host", "192.0.2.1"], "192.0.2.1:0: this machine has no such address.*--host"],
      [["--host", "nosuchhost.invalid"], "nosuchhost.invalid:0: no address is known.*--host"],
    ] as const) {
      const place = ["--auth", "key", "--port", "0", "--data-dir", folder.path];
      const env = { ANTECHAMBER_RUNTIME: runtime };
      const second = await run(["serve", ...place, ...args], { env });
      assert.equal(second.code, 1);
      assert.match(second.stderr, new RegExp(`^antechamber: cannot listen on ${message}`, "m"));
      assert.doesNotMatch(second.stderr, /\n\s+at /);
    }
    // The failed server has released its lock on the data.
    await succeed(["keys", "list", "--data-dir", folder.path]);
  });
}

test("a server whose port is in use leaves no new data folder behind", async () => {
  await using directory = temporaryDirectory();
  await using server = await startServer();
  const { port } = new URL(server.url);
  const dataDir = join(directory.path, "made");
  const { code, stderr } = await run(["serve", "--port", port, "--data-dir", dataDir]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`cannot listen on 127.0.0.1:${port}: another process uses it`));
  assert.ok(!existsSync(dataDir));
});

test("only its owner can open the control socket, and a server that stops removes it", async () => {
  await using folder = temporaryDirectory();
  const socket = join(folder.path, "control.sock");
  await using server = await startServer({ dataDir: folder.path });
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  await server.kill();
  assert.ok(!existsSync(socket));
});

test("a server leaves a file or folder that has the control socket's name alone", async () => {
  for (const make of [mkdirSync, (path: string) => writeFileSync(path, "mine")]) {
    await using folder = temporaryDirectory();
    const path = join(folder.path, "control.sock");
    make(path);
    const { code, stderr } = await run(["serve", "--port", "0", "--data-dir", folder.path]);
    assert.equal(code, 1);
    assert.match(stderr, /^antechamber: \S+control\.sock exists and is not a socket, so it was not touched/m);
    assert.ok(existsSync(path));
  }
});

test("the socket that a killed server left does not prevent a start", async () => {
  await using folder = temporaryDirectory();
  const data = ["--data-dir", folder.path];
  {
    await using server = await startServer({ dataDir: folder.path });
    await server.kill("SIGKILL");
  }
  assert.ok(existsSync(join(folder.path, "control.sock")));
  await succeed(["keys", "create", "--role", "reporter", ...data]);
  await using server = await startServer({ dataDir: folder.path });
  assert.match(await succeed(["keys", "list", ...data]), /reporter/);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});

test("commands reach a server whose data folder has a path too long for a socket", async () => {
  await using folder = temporaryDirectory();
  const dataDir = join(folder.path, "a".repeat(60), "b".repeat(60));
  mkdirSync(dataDir, { recursive: true });
  let socket = "";
  {
    await using server = await startServer({ dataDir });
    socket = readFileSync(join(dataDir, "control.path"), "utf8");
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
    await succeed(["keys", "create", "--role", "reporter", "--data-dir", dataDir]);
    await server.kill("SIGKILL");
  }
  // The next server removes the killed server's socket folder.
  await using server = await startServer({ dataDir });
  assert.ok(!existsSync(dirname(socket)));
  assert.match(await succeed(["keys", "list", "--data-dir", dataDir]), /reporter/);
  socket = readFileSync(join(dataDir, "control.path"), "utf8");
  await server.kill();
  assert.ok(!existsSync(dirname(socket)));
});

test("a signal before the server is ready stops it cleanly", async () => {
  const server = spawnServer();
  try {
    while (!existsSync(join(server.dataDir, "lock"))) await new Promise(setImmediate);
    const { code } = await server.kill();
    assert.equal(code, 0, server.stderr());
  } finally {
    await server.end();
  }
});
