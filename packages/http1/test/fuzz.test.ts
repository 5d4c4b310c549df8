import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../src/http-types.ts";
import type { TransportEvents } from "../src/transport.ts";
import { type DeliberateFault, fuzzRound } from "./fuzz/fuzz.ts";
import { createRandom, runSeed } from "./fuzz/random.ts";

const long = Boolean(process.env.ANTECHAMBER_LONG);
/** Rounds of a test run, simultaneous connections in each round, and how long (ms) new rounds are started. */
const ROUNDS = long ? 1_000_000 : 120;
const CONNECTIONS = 25;
const TIME_MS = long ? 5 * 60_000 : 5_000;

/** Runs rounds until one finds a fault; returns the fault with the seed that repeats it. */
async function fuzz(seed: number, fault?: DeliberateFault): Promise<string | undefined> {
  const seeds = createRandom(seed);
  const until = performance.now() + TIME_MS;
  for (let round = 0; round < ROUNDS && performance.now() < until; round++) {
    const ofRound = seeds.between(0, 2 ** 31);
    const [problem] = await fuzzRound(ofRound, CONNECTIONS, fault);
    if (problem !== undefined) return `seed ${ofRound}: ${problem}`;
  }
  return undefined;
}

test("requests in any pieces and order are read and answered as RFC 9112 requires", async () => {
  const seed = runSeed();
  console.log(`FUZZ_SEED=${seed}`);
  const problem = await fuzz(seed);
  if (problem !== undefined) assert.fail(`FUZZ_SEED=${seed}: ${problem}`);
});

/** Possible faults of the server, which the fuzzer has to find. */
const deliberateFaults: readonly [name: string, fault: DeliberateFault][] = [
  [
    "a byte of a piece is lost",
    {
      events: (events, random) =>
        withReceived(events, (bytes) => (random.next() < 0.01 && bytes.length > 1 ? bytes.subarray(1) : bytes)),
    },
  ],
  [
    "a piece is taken twice",
    {
      events: (events, random) =>
        withReceived(events, (bytes) => (random.next() < 0.01 ? Buffer.concat([bytes, bytes]) : bytes)),
    },
  ],
  ["a field has the value that it had in the request before", { request: withStaleField() }],
  [
    "a body is cut off",
    {
      request: (request) =>
        changed(request, {
          body: async (limit: number) => (await request.body(limit))?.subarray(0, 500),
        }),
    },
  ],
];

for (const [name, fault] of deliberateFaults) {
  test(`the fuzzer finds it when ${name}`, async () => {
    const seed = runSeed();
    assert.notEqual(await fuzz(seed, fault), undefined, `FUZZ_SEED=${seed}`);
  });
}

function withReceived(events: TransportEvents, change: (bytes: Buffer) => Buffer): TransportEvents {
  return {
    received: (bytes) => events.received(change(bytes)),
    drained: () => events.drained(),
    ended: () => events.ended(),
    closed: () => events.closed(),
  };
}

function withStaleField(): (request: HttpRequest) => HttpRequest {
  let before: string | null = null;
  return (request) => {
    const value = before;
    before = request.header("accept");
    return changed(request, {
      header: (name: string) => (name === "accept" ? value : request.header(name)),
    });
  };
}

/** The same request with other members. */
function changed(request: HttpRequest, members: Partial<HttpRequest>): HttpRequest {
  return new Proxy(request, {
    get: (target, name) => {
      if (name in members) return members[name as keyof HttpRequest];
      const member = Reflect.get(target, name, target) as unknown;
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}
