// needs: time

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { createApi } from "../support/api.ts";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { residentMemory } from "../support/resident-memory.ts";
import { startServer } from "../support/server-process.ts";
import { sized } from "../support/tier.ts";

const READERS = sized(50, 100, 1000);
/** The number of readers that never read. */
const IDLE = READERS / 10;
const EVENTS = sized(300, 1000, 4000);
const PUBLISHERS = 16;
const MIB = 1024 * 1024;

/** A reader of the stream over a socket of its own. */
interface Reader {
  readonly socket: Socket;
  /** The number of events so far. */
  events(): number;
}

/** Opens a stream. Resolves when the response has begun. With `isIdle`, nothing is read after that. */
async function openReader(url: URL, isIdle: boolean): Promise<Reader> {
  const socket = connect(Number(url.port), url.hostname);
  let events = 0;
  const began = new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.on("data", (bytes: Buffer) => {
      // No event has this text twice, and the names of types and members do not contain it.
      for (let at = bytes.indexOf("\nevent: "); at !== -1; at = bytes.indexOf("\nevent: ", at + 1)) events++;
      if (isIdle) socket.pause();
      resolve();
    });
  });
  socket.write(`GET /events HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
  await began;
  return { socket, events: () => events };
}

/** Creates sessions, each of which is an event. Returns the time (ms) of each request, shortest first. */
async function publish(url: string, count: number): Promise<number[]> {
  using caller = createCaller(url, PUBLISHERS);
  const times: number[] = [];
  let left = count;
  const work = async () => {
    while (left-- > 0) {
      const { status, milliseconds } = await caller.create({ customerId: `c${left}` });
      assert.equal(status, 200);
      times.push(milliseconds);
    }
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, work));
  return times.toSorted((a, b) => a - b);
}

test(`${READERS} readers of events, of which ${IDLE} never read: all others get every event, and memory is bounded`, async () => {
  await using server = await startServer();
  const url = new URL(server.url);
  const alone = await publish(server.url, EVENTS);
  const readers: Reader[] = [];
  try {
    for (let i = 0; i < READERS; i++) readers.push(await openReader(url, i < IDLE));
    const before = residentMemory(server.pid);
    const beside = await publish(server.url, EVENTS);
    const reading = readers.slice(IDLE);
    // A chunk may end within the text that is counted, so a reader may count some less.
    const isComplete = () => reading.every(({ events }) => events() >= EVENTS * 0.98);
    await until("each reader has the events", isComplete, 60_000);
    const grown = residentMemory(server.pid) - before;
    const median = (times: readonly number[]) => times[times.length >> 1] ?? 0;
    const worst = (times: readonly number[]) => times[Math.floor(times.length * 0.99)] ?? 0;
    console.log(
      `create: p50 ${median(alone).toFixed(1)} ms, p99 ${worst(alone).toFixed(1)} ms alone; ` +
        `${median(beside).toFixed(1)}, ${worst(beside).toFixed(1)} ms beside readers; ${Math.round(grown / MIB)} MiB more`,
    );
    // Without a limit, each idle reader would have all of its events in memory, and so would each slow one.
    const bound = 64 + READERS / 10;
    assert.ok(grown < bound * MIB, `${Math.round(grown / MIB)} MiB more`);
    const { status } = await createApi(server.url).call("GET", "/readyz");
    assert.equal(status, 200);
  } finally {
    for (const { socket } of readers) socket.destroy();
  }
});
