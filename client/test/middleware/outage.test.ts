import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../server/test/support/eventually.ts";
import { serve } from "../../../server/test/support/in-process.ts";
import { type Condition, openFront } from "./front.ts";
import { frameworks } from "./sites/all.ts";
import type { StartSite } from "./sites/site.ts";
import { createVisitor } from "./visitor.ts";

const DEADLINE = 150;
/** What a busy machine may add to a request, milliseconds. */
const PATIENCE = 1000;
const conditions: readonly Condition[] = ["refuse", "hang", "unavailable"];

for (const [framework, start] of frameworks) {
  // Side by side, since each waits until the middleware tries again.
  test(`${framework}: requests go on while Antechamber is in the states ${conditions.join(", ")}`, async () => {
    const outages = await Promise.allSettled(conditions.map((one) => outage(start, one)));
    const wrong = outages.flatMap((one, i) =>
      one.status === "rejected" ? [`${conditions[i]}: ${String(one.reason)}`] : [],
    );
    assert.deepEqual(wrong, []);
  });
}

async function outage(start: StartSite, condition: Condition): Promise<void> {
  await using antechamber = await serve();
  await using front = await openFront(antechamber.port);
  const errors: unknown[] = [];
  await using site = await start({
    url: front.url,
    deadline: DEADLINE,
    onError: (error) => errors.push(error),
  });
  const visitor = createVisitor(site.url);
  // On a busy machine the deadline may be too short for the first time.
  const seePage = async () => {
    const page = await visitor.visit("/page");
    assert.notEqual(page.seen, null);
    return page;
  };
  const before = await eventually(seePage, 10_000);
  const cookie = visitor.cookies.get("sessionId");
  errors.length = 0;

  front.become(condition);
  const started = performance.now();
  for (let visit = 0; visit < 30; visit++) {
    const page = await visitor.visit("/page");
    assert.deepEqual([page.status, page.seen], [200, null]);
    assert.ok(page.milliseconds < DEADLINE + PATIENCE, `${page.milliseconds} ms`);
    assert.deepEqual(page.headers.getSetCookie(), []);
  }
  // Not every request pays the deadline.
  assert.ok(performance.now() - started < 10 * DEADLINE + PATIENCE);
  assert.ok(errors.length > 0);
  const signedIn = await visitor.visit("/sign-in?customer=somebody", { method: "POST" });
  assert.deepEqual([signedIn.status, signedIn.seen], [200, null]);

  front.become("pass");
  const after = await eventually(seePage, 10_000);
  assert.equal(after.seen?.sessionId, cookie);
  assert.equal(before.seen?.sessionId, cookie);
}
