import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { openRedisAt } from "../../support/redis/store.ts";

test("a start ends in time if the server or a node accepts connections and never answers", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await Promise.all(
      [`redis://127.0.0.1:${port}`, `redis+cluster://127.0.0.1:${port}`, `redis+sentinel://127.0.0.1:${port}/x`].map(
        async (url) => {
          // On a busy machine even the connection may not be made in time.
          await eventually(() => assert.rejects(openRedisAt(url, { openTimeout: 300 }), /cannot be used: no .*answer/));
        },
      ),
    );
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
});
