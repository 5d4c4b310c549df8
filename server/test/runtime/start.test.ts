import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

async function listenLocally(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

/** Time (ms) for closing; less than the timeout of the JWKS fetch, so the test fails if only that timeout ends the fetch. */
const CLOSING_MS = 2000;

test("a start that cannot listen closes everything that it has opened, including a pending JWKS fetch", async () => {
  await using folder = temporaryDirectory();
  const config: Partial<Config> = { dataDir: folder.path };
  const fetchEnded = Promise.withResolvers<void>();
  await using issuer = createServer((socket) => {
    // The JWKS server never responds.
    socket
      .resume()
      .on("error", () => undefined)
      .once("close", fetchEnded.resolve);
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
  await assert.rejects(serve({ config: { ...config, auth: "jwt", tokens, port } }), /another process/);
  const late = setTimeout(() => fetchEnded.reject(new Error("the fetch goes on")), CLOSING_MS);
  await fetchEnded.promise;
  clearTimeout(late);
  assert.ok(!existsSync(`${folder.path}/control.sock`));
  // A new server can start, because the lock is free again.
  await using server = await serve({ config });
  sessionOf(await createApi(server.url).create());
});
