import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, problemOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { openConnection, type RawConnection, requestText } from "../support/raw-http.ts";
import { acceptedOf, newSession, post, visit } from "../support/records.ts";

/** Maximum length of a body of records in bytes. */
const LONGEST = 8_193_002;
/** How many bodies of maximum length fit into the memory limit. */
const HELD = 8;

test("bodies of records count for the memory limit only once they arrive", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const id = await newSession(api);
  await using open = new AsyncDisposableStack();
  for (let i = 0; i < 2 * HELD; i++) {
    const connection = open.use(await openConnection(server.port));
    connection.send(beginning(id, i % 2 === 0 ? "chunks" : LONGEST));
  }
  assert.equal(acceptedOf(await post(api, id, visit("/short"))), 1);
  const many = Array.from({ length: 1000 }, (_, i) => visit(`/${i}/${"x".repeat(2000)}`));
  assert.equal(acceptedOf(await post(api, id, many)), 1000);
  const inChunks = open.use(await openConnection(server.port));
  const record = JSON.stringify(visit("/in-chunks"));
  const text = `${record.length.toString(16)}\r\n${record}\r\n0\r\n\r\n`;
  inChunks.send(`${beginning(id, "chunks")}${text}`);
  assert.equal((await inChunks.response()).status, 202);
});

test("incomplete bodies of records are buffered up to a limit, and short bodies even beyond it", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const id = await newSession(api);
  await using open = new AsyncDisposableStack();
  const spaces = Buffer.alloc(LONGEST - 1, " ");
  /** Connections whose body lacks only the last byte, until they have a response. */
  const waiting = new Map<RawConnection, Promise<void>>();
  const refused: number[] = [];
  const sendBody = async () => {
    const connection = open.use(await openConnection(server.port));
    connection.send(beginning(id, LONGEST));
    connection.send(spaces);
    const ended = connection.response().then(
      ({ status }) => void refused.push(status),
      () => undefined,
    );
    waiting.set(
      connection,
      ended.finally(() => waiting.delete(connection)),
    );
  };
  for (let i = 0; i <= HELD; i++) await sendBody();
  await Promise.race(waiting.values());
  const many = Array.from({ length: 1000 }, (_, i) => visit(`/${i}/${"x".repeat(3000)}`));
  await eventually(async () => {
    // Of bodies that arrive at the same time, more than necessary may be refused: these are sent again.
    while (waiting.size < HELD) await sendBody();
    problemOf(await post(api, id, many), 503, "unavailable");
  });
  assert.ok(refused.length > 0 && refused.every((status) => status === 503), refused.join());
  assert.match(server.log(), /"code":"unavailable".*fill the memory for incomplete bodies/);
  assert.equal(acceptedOf(await post(api, id, visit("/short"))), 1);
  const ends = [...waiting.values()];
  for (const connection of waiting.keys()) connection.end();
  await Promise.all(ends);
  assert.equal(acceptedOf(await post(api, id, many)), 1000);
});

/** Returns the head of a request that sends records, with a Content-Length or chunked. */
function beginning(id: string, length: number | "chunks"): string {
  const framing = length === "chunks" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  return requestText(`POST /sessions/${id}/requests`, ["Content-Type: application/json", framing]);
}
