import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type HttpRequest, listen, SocketError } from "../src/http1.ts";

const options = { host: "127.0.0.1", port: 0, shutdownTimeout: 1000, onDefect: assert.ifError };
const handle = ({ path }: HttpRequest) => ({ status: 200, headers: {}, body: path });

/** Sends a text and returns everything that the server sends until it closes the connection. */
function exchange(to: NetConnectOpts, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(to).setEncoding("latin1");
    socket.on("data", (part: string) => {
      received += part;
    });
    socket.once("close", () => resolve(received)).once("error", reject);
    socket.write(text);
  });
}

const request = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

test("a server listens on a free port and closes, and a failure to listen has its reason as text", async () => {
  const listener = await listen(handle, options);
  const to = { host: "127.0.0.1", port: listener.port };
  assert.match(await exchange(to, request), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n\/a$/);
  const rejected = await exchange(to, "GET / HTTP/1.1\r\n\r\n");
  assert.match(rejected, /^HTTP\/1\.1 400 [\s\S]*\r\n\r\nHost is missing\.$/);
  await listener.close();
  await assert.rejects(exchange(to, request));
});

test("a server listens on a Unix socket that no other server takes over, and removes it at the end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "http1-"));
  try {
    const socket = { path: join(folder, "http.sock"), mode: 0o600 };
    const listener = await listen(handle, { ...options, socket });
    assert.match(await exchange({ path: socket.path }, request), /^HTTP\/1\.1 200 /);
    await assert.rejects(listen(handle, { ...options, socket }), SocketError);
    await listener.close();
    assert.equal(existsSync(socket.path), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
