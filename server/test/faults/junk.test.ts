// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { sessionOf } from "../support/api.ts";
import { createCaller } from "../support/caller.ts";
import { chunkedBody, malformed, mutated, noise } from "../support/malformed-requests.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { sendRaw, statusesOf } from "../support/raw-http.ts";
import { residentMemory } from "../support/resident-memory.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { long } from "../support/tier.ts";
import { freshIds } from "./load.ts";

const RANDOM_REQUESTS = long ? 20_000 : 600;
const SLOW_CONNECTIONS = long ? 1000 : 100;
const HUGE_BODIES = long ? 20 : 3;
const MEGABYTE = 1024 * 1024;
const GIGABYTE = 1024 * MEGABYTE;
const untilResponse = { timeoutMs: 30_000, untilResponse: true } as const;
const runtimes = ["bun", "node"] as const;

/** Sends valid requests one after the other until `stop` aborts; each must succeed. */
async function serveMeanwhile(server: ServerProcess, stop: AbortSignal): Promise<number> {
  using caller = createCaller(server.url, 1);
  let served = 0;
  while (!stop.aborted) {
    const session = sessionOf(await caller.create({ ...freshIds(), customerId: "customer" }));
    assert.equal(sessionOf(await caller.retrieve(session.sessionId)).sessionId, session.sessionId);
    served++;
    await delay(5);
  }
  return served;
}

/** Runs `attack` against a server, and asserts that the server stays up and serves other clients meanwhile. */
async function underAttack(
  runtime: (typeof runtimes)[number],
  attack: (server: ServerProcess) => Promise<void>,
): Promise<void> {
  await using server = await startServer({ runtime });
  const stop = new AbortController();
  const meanwhile = serveMeanwhile(server, stop.signal);
  meanwhile.catch(() => undefined);
  try {
    await attack(server);
  } finally {
    stop.abort();
  }
  assert.ok((await meanwhile) > 0, "nobody was served meanwhile");
  assert.equal((await server.kill("SIGTERM")).code, 0, server.stderr());
}

function assertNoDefect(received: string, what: string): void {
  for (const status of statusesOf(received)) {
    // 501 (unsupported transfer coding) and 505 (unsupported HTTP version) are correct refusals.
    const isFine = status < 500 || status === 501 || status === 505;
    assert.ok(isFine, `${what} was answered with ${status}:\n${received}`);
  }
}

async function sendRandomly(server: ServerProcess, random: Random): Promise<void> {
  for (let i = 0; i < RANDOM_REQUESTS / 20; i++) {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const bytes = random.next() < 0.7 ? mutated(random) : noise(random);
        const { received } = await sendRaw(server.url, [bytes], {
          timeoutMs: 100,
          untilResponse: true,
        });
        assertNoDefect(received, JSON.stringify(bytes.toString("latin1")));
      }),
    );
  }
}

for (const runtime of runtimes) {
  test(`junk on raw connections leaves the server up and other requests unaffected (${runtime})`, async () => {
    const random = createRandom(runSeed());
    console.log(`FAULTS_SEED=${random.seed}`);
    await underAttack(runtime, async (server) => {
      for (const [what, bytes] of Object.entries(malformed)) {
        const { received } = await sendRaw(server.url, [bytes]);
        assertNoDefect(received, what);
      }
      await sendRandomly(server, random);
    });
  });

  test(`an endless body is cut off and does not fill the memory (${runtime})`, async () => {
    await underAttack(runtime, async (server) => {
      // A client that reads while it sends gets a 413, unless the connection is reset first.
      const statuses: number[] = [];
      for (let i = 0; i < 20 || (statuses.length < 5 && i < 200); i++) {
        const { received, sent } = await sendRaw(server.url, chunkedBody(GIGABYTE), untilResponse);
        statuses.push(...statusesOf(received));
        assert.ok(sent < 64 * MEGABYTE, `the server took ${sent} bytes`);
      }
      assert.ok(statuses.length >= 5, `${statuses.length} were answered`);
      assert.deepEqual([...new Set(statuses)], [413]);
      // A client that never reads keeps sending until the server closes the connection.
      const sendEndlessly = () => sendRaw(server.url, chunkedBody(GIGABYTE), { timeoutMs: 30_000 });
      const before = await steadyMemory(server.pid, sendEndlessly);
      for (let i = 0; i < HUGE_BODIES; i++) {
        await sendEndlessly();
        const now = residentMemory(server.pid);
        assert.ok(now < 1.25 * before, `${now / MEGABYTE} MB, after ${before / MEGABYTE} MB`);
      }
    });
  });
}

/**
 * Repeats an attack until the server's memory stops growing, and returns the maximum in bytes. A runtime's heap grows
 * with the first requests, but stops unless every request leaks memory.
 */
async function steadyMemory(pid: number, attempt: () => Promise<unknown>): Promise<number> {
  let [size, steady] = [residentMemory(pid), 0];
  for (let i = 0; i < 30 && steady < 4; i++) {
    await attempt();
    const next = residentMemory(pid);
    steady = next - size < MEGABYTE ? steady + 1 : 0;
    size = Math.max(size, next);
  }
  return size;
}

// Both runtimes are tested at the same time, since the test mostly waits.
test("a client that sends one byte a second is cut off and delays nobody", async () => {
  await Promise.all(runtimes.map((runtime) => underAttack(runtime, sendSlowly)));
});

async function sendSlowly(server: ServerProcess): Promise<void> {
  const slow = Array.from({ length: SLOW_CONNECTIONS }, async (_, i) => {
    const request = i % 2 === 0 ? "GET /sessions/" : slowBody;
    const { received, closed } = await sendRaw(server.url, trickle(request), { timeoutMs: 150_000 });
    assert.ok(closed, "the connection stayed open");
    assertNoDefect(received, "a slow request");
  });
  await Promise.all(slow);
}

const slowBody =
  "PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";

/** Sends `start` at once, then one byte a second until the connection is closed. */
async function* trickle(start: string): AsyncGenerator<string> {
  yield start;
  for (let second = 0; second < 150; second++) {
    await delay(1000, undefined, { ref: false });
    yield "a";
  }
}
