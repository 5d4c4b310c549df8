import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually, until } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

async function listenLocally(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

/** The timeout (ms) of a JWKS fetch. */
const FETCH_TIMEOUT = 5000;

test("a start that cannot listen closes everything that it has opened, including a pending JWKS fetch", async () => {
  await using folder = temporaryDirectory();
  const config: Partial<Config> = { dataDir: folder.path };
  const durations: number[] = [];
  await using issuer = createServer((socket) => {
    const began = performance.now();
    // The JWKS server never responds.
    socket
      .resume()
      .on("error", () => undefined)
      .once("close", () => durations.push(performance.now() - began));
  });
  await using taken = createServer();
  const tokens = {
    issuer: "https://login.example/",
    audiences: ["sessions"],
    algorithms: ["RS256"],
    keySetUrl: `http://127.0.0.1:${await listenLocally(issuer)}/keys`,
    claims: { role: "role", customerId: "sub", agentId: "sub" },
    defaultRole: undefined,
  };
  const port = await listenLocally(taken);
  // A busy machine may stand still until the timeout has ended the fetch, but not each time.
  await eventually(async () => {
    durations.length = 0;
    await assert.rejects(serve({ config: { ...config, auth: "jwt", tokens, port } }), /another process/);
    await until("the fetch ends", () => durations.length > 0);
    assert.ok((durations[0] ?? 0) < FETCH_TIMEOUT - 500, "the fetch goes on until its timeout");
  });
  assert.ok(!existsSync(`${folder.path}/control.sock`));
  // A new server can start, because the lock is free again.
  await using server = await serve({ config });
  sessionOf(await createApi(server.url).create());
});
