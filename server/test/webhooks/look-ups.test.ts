// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Lookup, limitLookups } from "../../src/webhooks/look-ups.ts";
import { until } from "../support/eventually.ts";

/** A look-up whose results the test decides. `began` has the hosts in the order in which their look-ups began. */
function controlled() {
  const began: string[] = [];
  const ends = new Map<string, (isFound: boolean) => void>();
  const lookup: Lookup = (host) => {
    began.push(host);
    return new Promise((resolve, reject) => {
      ends.set(host, (isFound) => (isFound ? resolve([host]) : reject(new Error("no address"))));
    });
  };
  return { began, lookup, end: (host: string, isFound = true) => ends.get(host)?.(isFound) };
}

test("look-ups of the same host are shared, also their failure, and a later one is a new one", async () => {
  const { began, lookup, end } = controlled();
  const limited = limitLookups(lookup, 4);
  const both = [limited("a"), limited("a")];
  await turn();
  end("a", false);
  for (const one of both) await assert.rejects(one);
  const again = limited("a");
  await turn();
  end("a");
  assert.deepEqual(await again, ["a"]);
  assert.deepEqual(began, ["a", "a"]);
});

test("no more look-ups run than the threads allow, and the others follow in their order", async () => {
  const { began, lookup, end } = controlled();
  const limited = limitLookups(lookup, 2);
  const all = ["a", "b", "c", "d"].map(limited);
  await turn();
  assert.deepEqual(began, ["a", "b"]);
  end("b");
  await all[1];
  await until("the next one begins", () => began.length === 3);
  assert.equal(began[2], "c");
  for (const host of ["a", "c"]) end(host);
  await until("the last one begins", () => began.length === 4);
  end("d");
  assert.deepEqual(await Promise.all(all), [["a"], ["b"], ["c"], ["d"]]);
});

test("hosts whose name servers do not respond wait for all others, and leave half of the look-ups free", async () => {
  const { began, lookup, end } = controlled();
  let isSlow = true;
  const slowMs = 20;
  const limited = limitLookups(lookup, 2, slowMs);
  const lookUp = async (host: string) => {
    const result = limited(host);
    await turn();
    const startedAt = performance.now();
    await until("the name server has not responded", () => !isSlow || performance.now() - startedAt > 2 * slowMs);
    end(host);
    await result;
  };
  for (const host of ["dead1", "dead2", "dead3"]) await lookUp(host);
  isSlow = false;
  began.length = 0;
  const dead = ["dead1", "dead2", "dead3"].map(limited);
  const usual = ["a", "b"].map(limited);
  await turn();
  assert.deepEqual(began, ["dead1", "a"]);
  end("a");
  await until("the next one begins", () => began.length === 3);
  end("b");
  await Promise.all(usual);
  assert.deepEqual(began, ["dead1", "a", "b"]);
  // A host that responds in time counts like the others again.
  for (const host of ["dead1", "dead2", "dead3"]) {
    await until(`${host} begins`, () => began.includes(host));
    end(host);
  }
  await Promise.all(dead);
});
