// needs: sh

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { differenceOf, withoutKnownDifferences } from "./differential/differences.ts";
import { readingsOf } from "./differential/own-parser.ts";
import type { Reading } from "./differential/reading.ts";
import { createRandom, type Random, runSeed } from "./fuzz/random.ts";
import { randomStream, spoil } from "./fuzz/streams.ts";

const TIME_MS = process.env.ANTECHAMBER_LONG ? 5 * 60_000 : 3_000;
const STREAMS_PER_ROUND = 100;
const MAX_REQUESTS = 4;

/** Starts `node-parser.ts` with Node, on any runtime. */
function startNodeParser() {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const runtime = execFileSync(path("../../../scripts/runtime"), ["node"], { encoding: "utf8" });
  const program = path("differential/node-parser.ts");
  const child = spawn(runtime.trim(), [program], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async readingsOf(streams: readonly string[]): Promise<Reading[]> {
      child.stdin.write(`${JSON.stringify(streams)}\n`);
      const { value } = (await lines.next()) as { value: string };
      return JSON.parse(value) as Reading[];
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => child.once("close", resolve));
      child.stdin.end();
      await closed;
    },
  };
}

function streamOf(random: Random): string {
  const stream = withoutKnownDifferences(randomStream(random, random.between(1, MAX_REQUESTS)));
  return random.next() < 0.4 ? spoil(random, stream) : stream;
}

test("requests are read as Node reads them, except for the intended differences", async () => {
  const seed = runSeed();
  console.log(`FUZZ_SEED=${seed}`);
  const random = createRandom(seed);
  await using node = startNodeParser();
  const until = performance.now() + TIME_MS;
  let agreed = 0;
  let total = 0;
  while (performance.now() < until) {
    const streams = Array.from({ length: STREAMS_PER_ROUND }, () => streamOf(random));
    const [own, others] = await Promise.all([readingsOf(streams), node.readingsOf(streams)]);
    for (const [i, reading] of own.entries()) {
      const stream = streams[i] as string;
      const other = others[i] as Reading;
      const difference = differenceOf(stream, reading, other);
      const shown = { stream, own: reading, node: other };
      assert.notEqual(difference, undefined, `FUZZ_SEED=${seed}: ${JSON.stringify(shown)}`);
      if (difference === "") agreed++;
      total++;
    }
  }
  assert.ok(agreed > total / 2, `only ${agreed} of ${total} streams are read in the same way`);
});

test("a smuggled request does not count as an intended difference", () => {
  const request = { method: "GET", path: "/", query: "", fields: {}, body: "a" };
  const reading = (...requests: Reading["requests"]) => ({ requests, rejection: undefined });
  assert.equal(differenceOf("", reading(request), reading(request)), "");
  assert.equal(differenceOf("", reading(request), reading(request, request)), undefined);
  assert.equal(differenceOf("", reading(request, request), reading(request)), undefined);
  assert.equal(differenceOf("", reading({ ...request, body: "" }), reading(request)), undefined);
});
