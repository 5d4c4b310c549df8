import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../server/test/support/eventually.ts";
import { serve } from "../../../server/test/support/in-process.ts";
import { type Fault, startFaultyProxy } from "./faulty-proxy.ts";
import { frameworks } from "./sites/all.ts";
import type { StartSite } from "./sites/site.ts";
import { createVisitor } from "./visitor.ts";

const DEADLINE = 150;
/** Additional time (ms) that a request may take on a busy machine. */
const TOLERANCE_MS = 3000;
const VISITS = 30;
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
    onError: (error) => errors.push(error),
  });
  const visitor = createVisitor(site.url);
  // On a busy machine the first request may exceed the deadline.
  const seePage = async () => {
    const page = await visitor.visit("/page");
    assert.notEqual(page.seen, null);
    return page;
  };
  const before = await eventually(seePage, 10_000);
  const cookie = visitor.cookies.get("sessionId");
  const calm = await timeOf(async () => {
    for (let visit = 0; visit < VISITS; visit++) await visitor.visit("/page");
  });
  errors.length = 0;

  proxy.setFault(fault);
  const broken = await timeOf(async () => {
    for (let visit = 0; visit < VISITS; visit++) {
      const page = await visitor.visit("/page");
      assert.deepEqual([page.status, page.seen], [200, null]);
      assert.ok(page.milliseconds < DEADLINE + TOLERANCE_MS, `${page.milliseconds} ms`);
      assert.deepEqual(page.headers.getSetCookie(), []);
    }
  });
  // The outage cost less than ten deadlines, so most requests did not wait for Antechamber.
  assert.ok(broken < 3 * calm + 10 * DEADLINE + 1000, `${broken} ms, and ${calm} ms without an outage`);
  // If the machine was so busy that a visit before the outage exceeded the deadline, the middleware first makes its pause.
  await eventually(async () => {
    await visitor.visit("/page");
    assert.ok(errors.length > 0);
  }, 10_000);
  const signedIn = await visitor.visit("/sign-in?customer=somebody", { method: "POST" });
  assert.deepEqual([signedIn.status, signedIn.seen], [200, null]);

  proxy.setFault("pass");
  const after = await eventually(seePage, 10_000);
  assert.equal(after.seen?.sessionId, cookie);
  assert.equal(before.seen?.sessionId, cookie);
}

/** Returns how long (ms) `action` takes. */
async function timeOf(action: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}
