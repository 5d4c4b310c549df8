import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { openConnection, requestText } from "../support/raw-http.ts";

function collect(): void {
  if ("Bun" in globalThis) {
    (globalThis as unknown as { Bun: { gc(wait: boolean): void } }).Bun.gc(true);
    return;
  }
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** Returns the total size in bytes of all buffers that are still in use. */
function buffered(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}

test("a cached response does not keep the memory of other responses alive", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const newcomers = 80;
  const ids: string[] = [];
  for (let i = 0; i <= newcomers; i++) {
    const created = await api.create({ headers: { gkc_customerId: `customer-${i}` } });
    ids.push(sessionOf(created).sessionId);
  }
  const [hot = "", ...cold] = ids;
  await using connection = await openConnection(server.port);
  // The other responses between two cached ones keep these two from sharing a block of the runtime's buffer pool.
  const retrieve = (id: string) => requestText(`GET /sessions/${id}`);
  const round = 160;
  let length = 0;
  const ask = async (id: string) => {
    connection.send(retrieve(hot).repeat(round) + retrieve(id));
    for (let i = 0; i <= round; i++) {
      const { status, body, headers } = await connection.response();
      assert.equal(status, 200);
      length = Math.max(length, body.length + [...headers].join().length);
    }
  };
  await ask(hot);
  const before = buffered();
  for (const id of cold) await ask(id);
  // The runtime may collect a buffer only some time after its last use.
  await eventually(async () => {
    const ofEach = (buffered() - before) / newcomers;
    assert.ok(ofEach < 10 * length, `${ofEach} bytes are held for a response of ${length}`);
  });
});
