import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import { createIdIssuer } from "../../src/session/id.ts";
import { keyFor, serve } from "../support/in-process.ts";
import { openConnection, type RawConnection, requestText } from "../support/raw-http.ts";

/*
 * That a foreign session answers with the bytes of an unknown one is proven in test/http/keys.test.ts;
 * here, that it answers in the same time.
 */

const SAMPLES = process.env.ANTECHAMBER_LONG ? 20_000 : 2000;
/** What nobody can tell over a network, in milliseconds. */
const DIFFERENCE = 0.05;

const alice = keyFor({ role: "customer", customerId: "alice" });
const bob = keyFor({ role: "customer", customerId: "bob" });

async function timed(connection: RawConnection, line: string): Promise<number> {
  const request = requestText(line, [`Authorization: ${bob.bearer}`]);
  const startedAt = performance.now();
  connection.send(request);
  await connection.response({ head: line.startsWith("HEAD") });
  return performance.now() - startedAt;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

test(`a foreign session is not told from an unknown id by the time of ${SAMPLES} answers`, async () => {
  const config = { auth: "key", logLevel: "silent" } as const;
  await using server = await serve({ config, keys: [alice.key, bob.key] });
  await using connection = await openConnection(server.port);
  const customer = ["gkc_customerId: alice", `Authorization: ${alice.bearer}`];
  connection.send(requestText("PUT /sessions/new", customer));
  const foreign = (JSON.parse((await connection.response()).body) as SessionInfo).sessionId;
  const forged = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]).issue(server.now());
  for (const method of ["GET", "HEAD"]) {
    const times: Record<"foreign" | "unknown", number[]> = { foreign: [], unknown: [] };
    for (let i = 0; i < SAMPLES; i++) {
      // In turns, so that what slows the machine slows both.
      const [first, second] = i % 2 === 0 ? [foreign, forged.id] : [forged.id, foreign];
      for (const id of [first, second]) {
        const time = await timed(connection, `${method} /sessions/${id}`);
        times[id === foreign ? "foreign" : "unknown"].push(time);
      }
    }
    const difference = Math.abs(median(times.foreign) - median(times.unknown));
    console.log(`${method}: medians differ by ${(difference * 1000).toFixed(1)} µs`);
    assert.ok(difference < DIFFERENCE, `${method}: ${difference} ms`);
  }
});
