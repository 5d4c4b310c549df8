import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../../../server/test/support/in-process.ts";
import { oneServer } from "../../../server/test/support/one-server.ts";
import type { RequestSession } from "../../src/middleware/request-session.ts";
import { createRequestTracker } from "../../src/middleware/request-tracking.ts";
import { ProblemError } from "../../src/problem-error.ts";
import { createTransport, type Fetch } from "../../src/transport.ts";
import { frameworks } from "./sites/all.ts";
import type { Visits } from "./sites/site.ts";
import { createVisitor } from "./visitor.ts";

const antechamber = oneServer();

interface Shown {
  readonly session: { readonly sessionId: string; readonly data?: Visits };
  readonly stored?: boolean;
}
const shown = (text: string) => JSON.parse(text) as Shown;

for (const [framework, start] of frameworks) {
  test(`${framework}: the session comes with its data in one call, and a request changes them`, async () => {
    const calls: string[] = [];
    const fetchCounted: Fetch = (input, init) => {
      const { href } = new URL(input instanceof Request ? input.url : input);
      calls.push(`${init?.method} ${href.replace(/^.*sessions\/[^/?]+/, "")}`);
      return fetch(input, init);
    };
    await using site = await start({ url: antechamber.url, data: true, record: false, fetch: fetchCounted });
    const visitor = createVisitor(site.url);
    assert.deepEqual(shown((await visitor.visit("/page")).text).session.data, {});
    const first = shown((await visitor.visit("/count", { method: "POST" })).text);
    assert.deepEqual([first.stored, first.session.data], [true, { visits: 1 }]);
    calls.length = 0;
    assert.deepEqual(shown((await visitor.visit("/page")).text).session.data, { visits: 1 });
    assert.deepEqual(calls, ["GET ?include=data"]);
    const all = await Promise.all(Array.from({ length: 5 }, () => visitor.visit("/count", { method: "POST" })));
    assert.ok(all.every(({ text }) => shown(text).stored));
    assert.deepEqual(shown((await visitor.visit("/page")).text).session.data, { visits: 6 });
    await visitor.visit("/sign-in?customer=anna", { method: "POST" });
    assert.deepEqual(shown((await visitor.visit("/page")).text).session.data, { visits: 6 }, "after a sign-in");
  });

  test(`${framework}: without the option the session has no data, and stores them all the same`, async () => {
    await using site = await start({ url: antechamber.url });
    const visitor = createVisitor(site.url);
    const { session } = shown((await visitor.visit("/page")).text);
    assert.equal("data" in session, false);
    assert.equal(shown((await visitor.visit("/count", { method: "POST" })).text).stored, true);
    const transport = createTransport({ url: antechamber.url });
    assert.deepEqual((await transport.readData(session.sessionId)).data, { visits: 1 });
  });
}

/** Returns the session of a request with this id, or of a new visitor. */
async function sessionOf(url: string, sessionId = "", options = {}): Promise<RequestSession<Visits>> {
  const tracker = createRequestTracker({ url, deadline: 20_000, record: false, ...options });
  const header = (name: string) => (name === "gkc-sessionid" ? sessionId : undefined);
  const session = await tracker.track({ method: "GET", target: "/", isEncrypted: false, header })?.session;
  assert.ok(session);
  return session;
}

test("data are merged or replaced, conditionally too, and can only be changed by a call", async () => {
  const session = await sessionOf(antechamber.url, "", { data: true });
  assert.equal(await session.update({ visits: 1, last: { by: "a" } }), true);
  assert.equal(await session.update({ last: null }), true);
  assert.deepEqual(session.data, { visits: 1 });
  assert.throws(() => Object.assign(session.data, { visits: 2 }), TypeError);
  assert.equal(await session.replace({ last: { by: "b" } }), true);
  assert.throws(() => Object.assign(session.data.last ?? {}, { by: "c" }), TypeError);
  const refused = (code: string) => (error: unknown) => error instanceof ProblemError && error.code === code;
  await assert.rejects(session.replace({}, { ifMatch: '"other"' }), refused("precondition-failed"));
  await assert.rejects(session.update({ last: { by: "x".repeat(17_000) } }), refused("body-too-large"));
  assert.deepEqual(session.data, { last: { by: "b" } });
  const again = await sessionOf(antechamber.url, session.sessionId, { data: true });
  assert.deepEqual(again.data, { last: { by: "b" } });
});

test("an ended session stores no data, and one that follows it begins without any", async () => {
  const session = await sessionOf(antechamber.url, "", { data: true });
  await session.update({ visits: 1 });
  await session.end();
  const isGone = (error: unknown) => error instanceof ProblemError && error.code === "session-not-found";
  await assert.rejects(session.update({ visits: 2 }), isGone);
  await session.identify({ customerId: "anna" });
  assert.deepEqual(session.data, {});
  assert.equal(await session.update({ visits: 3 }), true);
  assert.deepEqual(session.data, { visits: 3 });
});

test("reading data that were not asked for says which option is missing", async () => {
  const session = await sessionOf(antechamber.url);
  assert.throws(() => session.data, /data: true/);
  assert.equal(await session.update({ visits: 1 }), true);
  assert.deepEqual(session.data, { visits: 1 }, "they are known from then on");
});

test("while Antechamber is down, a change resolves with false", async () => {
  let url = "";
  let session: RequestSession<Visits>;
  {
    await using server = await serve();
    url = server.url;
    session = await sessionOf(url, "", { data: true, onError: () => undefined });
  }
  assert.equal(await session.update({ visits: 1 }), false);
  assert.deepEqual(session.data, {});
});
