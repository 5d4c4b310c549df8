import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../server/test/support/eventually.ts";
import { serve } from "../../../server/test/support/in-process.ts";
import { type Fault, startFaultyProxy } from "./faulty-proxy.ts";
import { frameworks } from "./sites/all.ts";
import type { StartSite } from "./sites/site.ts";
import { createVisitor } from "./visitor.ts";

const DEADLINE = 1000;
const VISITS = 30;
/** The calls to Antechamber in a row that fail before the middleware pauses, and the time (ms) of each pause. */
const FAILURES = 3;
const PAUSE_MS = 2000;
const faults: readonly Fault[] = ["refuse", "hang", "unavailable", "foreign"];

for (const [framework, start] of frameworks) {
  // All frameworks at once: each test waits until the middleware retries.
  test(`${framework}: requests continue during an outage, and have their session after it (${faults.join(", ")})`, async () => {
    const outages = await Promise.allSettled(faults.map((one) => checkOutage(start, one)));
    const wrong = outages.flatMap((one, i) =>
      one.status === "rejected" ? [`${faults[i]}: ${String(one.reason)}`] : [],
    );
    assert.deepEqual(wrong, []);
  });
}

async function checkOutage(start: StartSite, fault: Fault): Promise<void> {
  await using antechamber = await serve();
  await using proxy = await startFaultyProxy(antechamber.port);
  const errors: unknown[] = [];
  await using site = await start({
    url: proxy.url,
    deadline: DEADLINE,
    // Each connection is then one for a session.
    record: false,
    onError: (error) => errors.push(error),
  });
  const visitor = createVisitor(site.url);
  // On a busy machine the first request may exceed the deadline.
  const seePage = async () => {
    const page = await visitor.visit("/page");
    assert.notEqual(page.seen, null);
    return page;
  };
  const before = await eventually(seePage, 60_000);
  const cookie = visitor.cookies.get("sessionId");
  errors.length = 0;

  proxy.setFault(fault);
  const connections = proxy.connections();
  const started = performance.now();
  for (let visit = 0; visit < VISITS; visit++) {
    const page = await visitor.visit("/page");
    assert.deepEqual([page.status, page.seen], [200, null]);
    assert.deepEqual(page.headers.getSetCookie(), []);
  }
  // Most requests did not wait for Antechamber. A runtime may try a call on a second connection.
  const opened = proxy.connections() - connections;
  const calls = FAILURES + 1 + (performance.now() - started) / PAUSE_MS;
  assert.ok(opened <= 2 * calls, `${opened} connections for ${calls} calls`);
  // If the machine was so busy that a visit before the outage exceeded the deadline, the middleware first makes its pause.
  await eventually(async () => {
    await visitor.visit("/page");
    assert.ok(errors.length > 0);
  }, 60_000);
  const signedIn = await visitor.visit("/sign-in?customer=somebody", { method: "POST" });
  assert.deepEqual([signedIn.status, signedIn.seen], [200, null]);

  proxy.setFault("pass");
  const after = await eventually(seePage, 60_000);
  assert.equal(after.seen?.sessionId, cookie);
  assert.equal(before.seen?.sessionId, cookie);
}
