import assert from "node:assert/strict";
import { test } from "node:test";
import { keyFor, serve } from "../../../server/test/support/in-process.ts";
import type { SessionsOptions } from "../../src/middleware/options.ts";
import {
  createRequestTracker,
  type RequestTracker,
  type TrackedRequest,
} from "../../src/middleware/request-tracking.ts";
import { createRotations } from "../../src/middleware/rotations.ts";
import { handleOf } from "../../src/session-id.ts";
import { createTransport } from "../../src/transport.ts";
import { assertMembers } from "../assert-members.ts";
import { serveRotating } from "../rotating-service.ts";
import { settle } from "../world.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";
import { frameworks } from "./sites/all.ts";
import { createVisitor } from "./visitor.ts";

// These tests use a service in memory (rotating-service.ts).

const GRACE_MS = 10_000;
const patient: Pick<SessionsOptions, "deadline"> = { deadline: 20_000 };

for (const [framework, start] of frameworks) {
  test(`${framework}: a sign-in gives the session a new id, and the old one opens nothing of it`, async () => {
    await using service = await serveRotating();
    await using site = await start({ url: service.url, ...patient });
    const visitor = createVisitor(site.url);
    const before = await visitor.visit("/page");
    const { sessionId: old = "" } = before.seen ?? {};
    const attacker = createVisitor(site.url);
    attacker.cookies.set("sessionId", old);

    const signedIn = await visitor.visit("/sign-in?customer=jane", { method: "POST" });
    const { sessionId = "" } = signedIn.seen ?? {};
    assert.notEqual(sessionId, old);
    assert.equal(handleOf(sessionId), handleOf(old));
    assert.equal(visitor.cookies.get("sessionId"), sessionId);
    assert.equal(signedIn.headers.get("gkc-sessionId"), sessionId);
    assert.equal(signedIn.headers.get("gkc-replaces"), "none");
    assert.equal(signedIn.headers.get("cache-control"), "no-store");

    const inGrace = await attacker.visit("/page");
    assertMembers(inGrace.seen, { sessionId: old, customerId: null, isNew: false });
    assert.deepEqual(inGrace.headers.getSetCookie(), []);
    service.pass(GRACE_MS);
    const after = await attacker.visit("/page");
    assert.notEqual(handleOf(after.seen?.sessionId ?? ""), handleOf(old));
    assert.equal(after.seen?.customerId, null);

    const next = await visitor.visit("/page");
    assertMembers(next.seen, { sessionId, customerId: "jane", isNew: false });
    assert.deepEqual(next.headers.getSetCookie(), []);
    const again = await visitor.visit("/sign-in?customer=jane", { method: "POST" });
    assert.equal(again.seen?.sessionId, sessionId, "a known customer does not rotate");
    assert.deepEqual(again.headers.getSetCookie(), []);
  });

  test(`${framework}: requests in progress at a sign-in do not fail and do not replace the new cookie`, async () => {
    await using service = await serveRotating();
    await using site = await start({ url: service.url, ...patient });
    const visitor = createVisitor(site.url);
    await visitor.visit("/page");
    const pages = Array.from({ length: 20 }, async (_, number) => {
      // Each parallel request is sent with the old cookie. Some sign the same customer in.
      const parallel = createVisitor(site.url);
      parallel.cookies.set("sessionId", visitor.cookies.get("sessionId") ?? "");
      const isSignIn = number % 4 === 2;
      const path = isSignIn ? "/sign-in?customer=jane" : "/page";
      const page = await parallel.visit(path, isSignIn ? { method: "POST" } : {});
      assert.equal(page.status, 200);
      return { isSignIn, page };
    });
    const slow = visitor.visit("/slow");
    const seen = await Promise.all(pages);
    site.gate.open();
    await slow;
    const cookies = new Set(seen.flatMap(({ page }) => page.headers.getSetCookie()));
    assert.equal(cookies.size, 1, "all sign-ins set the same cookie, and no page sets another");
    for (const { isSignIn, page } of seen) assert.equal(page.headers.getSetCookie().length, isSignIn ? 1 : 0);
    assert.equal(service.sessions.size, 1);
    await site.delivery.flush();
    const [session] = service.sessions.values();
    assert.equal(session?.records.length, 22);
  });

  test(`${framework}: with rotate: false, a sign-in does not change the id`, async () => {
    await using service = await serveRotating();
    await using site = await start({ url: service.url, rotate: false, ...patient });
    const visitor = createVisitor(site.url);
    const before = await visitor.visit("/page");
    const signedIn = await visitor.visit("/sign-in?customer=jane", { method: "POST" });
    assertMembers(signedIn.seen, { sessionId: before.seen?.sessionId, customerId: "jane" });
    assert.deepEqual(signedIn.headers.getSetCookie(), []);
  });

  test(`${framework}: the cookie has the attributes of the option cookie, at a sign-out too`, async () => {
    await using service = await serveRotating();
    const cookie = { name: "__Secure-visit", maxAge: 86_400, sameSite: "None" } as const;
    await using site = await start({ url: service.url, cookie, ...patient });
    const visitor = createVisitor(site.url);
    const set = await visitor.visit("/page");
    const attributes = "SameSite=None; HttpOnly; Secure";
    assert.deepEqual(set.headers.getSetCookie(), [
      `__Secure-visit=${set.seen?.sessionId}; Path=/; Max-Age=86400; ${attributes}`,
    ]);
    const signedOut = await visitor.visit("/sign-out", { method: "POST" });
    const past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert.deepEqual(signedOut.headers.getSetCookie(), [`__Secure-visit=; Path=/; ${attributes}; ${past}`]);
  });
}

function track(tracker: RequestTracker, cookie?: string, header?: string): TrackedRequest {
  const headers: Record<string, string | undefined> = {
    cookie: cookie === undefined ? undefined : `sessionId=${cookie}`,
    "gkc-sessionid": header,
  };
  const request = tracker.track({
    method: "GET",
    target: "/page",
    isEncrypted: false,
    header: (name) => headers[name],
  });
  assert.ok(request !== null);
  return request;
}

/** Tracks a request, and returns it with its session. */
async function open(tracker: RequestTracker, cookie?: string, header?: string) {
  const request = track(tracker, cookie, header);
  const session = await request.session;
  assert.ok(session !== null);
  return { request, session };
}

test("the next request repeats a rotation whose response was lost, also in another process with the same key", async () => {
  await using service = await serveRotating();
  await using proxy = await startFaultyProxy(service.port);
  const key = "ak_of-the-application";
  const tracker = createRequestTracker({ url: proxy.url, key, ...patient, onError: () => undefined });
  const { session } = await open(tracker);
  proxy.setFault("swallow");
  assert.equal(await session.identify({ customerId: "jane" }), false);
  const stored = service.sessions.get(session.handle)?.info;
  assert.notEqual(stored?.sessionId, session.sessionId, "only the response was lost");
  proxy.setFault("pass");
  const others = [tracker, createRequestTracker({ url: service.url, key, ...patient })];
  for (const each of others) {
    const next = await open(each, session.sessionId);
    assert.equal(await next.session.identify({ customerId: "jane" }), true);
    assert.equal(next.session.sessionId, stored?.sessionId);
    assert.match(String(next.request.sessionHeaders().at(-1)), new RegExp(`sessionId=${stored?.sessionId};`));
  }
  // Another process without the key cannot have the new id, so the visitor gets another session.
  const stranger = await open(createRequestTracker({ url: service.url, ...patient }), session.sessionId);
  assert.equal(await stranger.session.identify({ customerId: "jane" }), true);
  assert.notEqual(stranger.session.handle, session.handle);
});

test("of two ids of a session in one request, the new one is used, and a forged newer one does no harm", async () => {
  await using service = await serveRotating();
  const tracker = createRequestTracker({ url: service.url, ...patient });
  const { session } = await open(tracker);
  const { sessionId: old } = session;
  assert.equal(await session.identify({ customerId: "jane" }), true);
  const both = await open(tracker, session.sessionId, old);
  assert.deepEqual([both.session.sessionId, both.session.customerId], [session.sessionId, "jane"]);
  const forged = `${session.handle}_${"A".repeat(15)}`;
  const next = await open(tracker, session.sessionId, forged);
  assert.deepEqual([next.session.sessionId, next.session.customerId], [session.sessionId, "jane"]);
});

test("anyone who signs in as somebody else with an old id gets another session", async () => {
  await using service = await serveRotating();
  const tracker = createRequestTracker({ url: service.url, ...patient });
  const first = await open(tracker);
  const { sessionId: old, handle } = first.session;
  const mallory = await open(tracker, old);
  assert.equal(await first.session.identify({ customerId: "jane" }), true);
  assert.equal(await mallory.session.identify({ customerId: "mallory" }), true);
  assert.notEqual(mallory.session.handle, handle);
  assert.equal(service.sessions.get(handle)?.info.customerId, "jane");
});

test("a visit is not associated by an old id, and no new cookie is set", async () => {
  await using service = await serveRotating();
  const tracker = createRequestTracker({ url: service.url, ...patient });
  const first = await open(tracker);
  const inProgress = await open(tracker, first.session.sessionId);
  assert.equal(await first.session.identify({ customerId: "jane" }), true);
  await assert.rejects(inProgress.session.identify({ visitId: "v" }), { code: "session-not-found" });
  assert.deepEqual(inProgress.request.sessionHeaders(), []);
});

test("a request that is still in progress after the time of grace is recorded in its session", async () => {
  await using service = await serveRotating();
  const lost: number[] = [];
  const onError = (_error: unknown, count: number) => void lost.push(count);
  const tracker = createRequestTracker({ url: service.url, onError, ...patient });
  const first = await open(tracker);
  const long = await open(tracker, first.session.sessionId);
  assert.equal(await first.session.identify({ customerId: "jane" }), true);
  service.pass(GRACE_MS);
  long.request.finish(200, false);
  await settle();
  await tracker.close();
  assert.deepEqual(service.sessions.get(first.session.handle)?.records, ["/page"]);
  assert.deepEqual(lost, []);
});

test("after the response has begun, identify signs nobody in, because the visitor would not get the new id", async () => {
  await using service = await serveRotating();
  const failures: unknown[] = [];
  const onError = (error: unknown) => void failures.push(error);
  const { request, session } = await open(createRequestTracker({ url: service.url, onError, ...patient }));
  const { sessionId } = session;
  const early = session.identify({ visitId: "v" });
  request.sessionHeaders();
  assert.equal(await early, true);
  await assert.rejects(session.identify({ customerId: "jane" }), TypeError);
  assertMembers(service.sessions.get(session.handle)?.info, { sessionId, customerId: null });
  assert.deepEqual(failures, []);

  // Nobody waits for this sign-in, so its new id is lost. But the old one does not open the customer's session.
  const next = await open(createRequestTracker({ url: service.url, onError, ...patient }));
  const { sessionId: old, handle } = next.session;
  const signingIn = next.session.identify({ customerId: "jane" });
  next.request.sessionHeaders();
  assert.equal(await signingIn, true);
  assert.notEqual(service.sessions.get(handle)?.info.sessionId, old);
  assert.match(String(failures), /wait for it/);
});

test("the first customer of an agent's session gives it a new id, an agent who joins a customer's does not", async () => {
  await using service = await serveRotating();
  const { session } = await open(createRequestTracker({ url: service.url, ...patient }));
  await session.identify({ agentId: "7" });
  const { sessionId: ofAgent } = session;
  await session.identify({ customerId: "jane" });
  const { sessionId: ofBoth } = session;
  assert.notEqual(ofBoth, ofAgent);
  await session.identify({ agentId: "7", customerId: "jane" });
  assert.equal(session.sessionId, ofBoth);

  const other = (await open(createRequestTracker({ url: service.url, ...patient }))).session;
  await other.identify({ customerId: "john" });
  const { sessionId } = other;
  await other.identify({ agentId: "7" });
  assertMembers(other, { sessionId, customerId: "john", agentId: "7" });
});

test("a sign-in in progress does not survive a sign-out, whichever id the sign-out has", async () => {
  await using service = await serveRotating();
  let release = () => {};
  const isOpen = new Promise<void>((resolve) => (release = resolve));
  let arrived = () => {};
  const waits = new Promise<void>((resolve) => (arrived = resolve));
  const tracker = createRequestTracker({
    url: service.url,
    ...patient,
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (init?.method === "POST" && typeof init.body === "string" && init.body.includes('"rotate":true')) {
        arrived();
        await isOpen;
      }
      return response;
    },
  });
  const signIn = await open(tracker);
  const { sessionId: old, handle } = signIn.session;
  const signOut = await open(tracker, old);
  const late = await open(tracker, old);
  const signingIn = assert.rejects(signIn.session.identify({ customerId: "jane" }), { code: "session-not-found" });
  await waits;
  assert.equal(await signOut.session.end(), true);
  release();
  await signingIn;
  assert.deepEqual(signIn.request.sessionHeaders(), [], "its cookie does not replace the one that the sign-out sets");
  assert.equal(service.sessions.get(handle)?.isLive, false);
  await assert.rejects(late.session.identify({ customerId: "jane" }), { code: "session-not-found" });

  // A sign-out with the new id also ends the session for requests with the old one.
  const next = await open(tracker);
  const slow = await open(tracker, next.session.sessionId);
  assert.equal(await next.session.identify({ customerId: "jane" }), true);
  const ending = await open(tracker, next.session.sessionId);
  assert.equal(await ending.session.end(), true);
  await assert.rejects(slow.session.identify({ customerId: "jane" }), { code: "session-not-found" });
});

test("a sign-out with an old id does not prevent requests with the new one", async () => {
  await using service = await serveRotating();
  const tracker = createRequestTracker({ url: service.url, ...patient });
  const first = await open(tracker);
  const attacker = await open(tracker, first.session.sessionId);
  assert.equal(await first.session.identify({ customerId: "jane" }), true);
  assert.equal(await attacker.session.end(), true);
  const next = await open(tracker, first.session.sessionId);
  assert.equal(next.session.customerId, "jane");
  assert.equal(await next.session.identify({ visitId: "v" }), true);
  next.request.finish(200, false);
  await settle();
  await tracker.close();
  // Records sent with the old id in the time of grace go to the session too.
  assert.deepEqual(service.sessions.get(next.session.handle)?.records, ["/page", "/page"]);
});

test("the profile and the label are sent when a session is identified and when it is created", async () => {
  await using service = await serveRotating();
  const tracker = createRequestTracker({ url: service.url, ...patient });
  const { session } = await open(tracker);
  const given = { profile: "remember", label: "Firefox on Windows" };
  assert.equal(await session.identify({ customerId: "jane" }, given), true);
  assertMembers(service.sessions.get(session.handle), given);
  const { handle } = session;
  assert.equal(await session.identify({ customerId: "john" }, given), true);
  assert.notEqual(session.handle, handle);
  assertMembers(service.sessions.get(session.handle), given);
});

test("identify rejects for a refusal to come back later", async () => {
  await using service = await serveRotating();
  const code = "too-many-requests";
  const tracker = createRequestTracker({
    url: service.url,
    ...patient,
    fetch: async (input, init) =>
      init?.method === "POST"
        ? Response.json({ type: `urn:antechamber:problem:${code}`, code, detail: code }, { status: 429 })
        : await fetch(input, init),
  });
  const { session } = await open(tracker);
  await assert.rejects(session.identify({ customerId: "jane" }), { code, status: 429 });
});

test("requests for the same rotation share one call, and a failed call is repeated", async (context) => {
  // Every request computes its key first, in a thread of the runtime. The calls wait until all three have theirs.
  let resolve = () => {};
  const allSigned = new Promise<void>((done) => (resolve = done));
  let signatures = 0;
  const { subtle } = crypto;
  const sign = subtle.sign.bind(subtle);
  context.mock.method(subtle, "sign", async (...given: Parameters<typeof sign>) => {
    const signature = await sign(...given);
    if (++signatures === 3) resolve();
    return signature;
  });
  const calls: string[] = [];
  const rotate = createRotations(
    {
      async update(_sessionId, _ids, options) {
        calls.push(options?.idempotencyKey ?? "");
        await allSigned;
        await settle();
        if (calls.length === 1) throw new Error("lost");
        return { sessionId: "next" } as never;
      },
    },
    "secret",
  );
  const results = await Promise.allSettled([1, 2, 3].map(() => rotate("old", { customerId: "jane" }, {})));
  assert.deepEqual(results.map(({ status }) => status).toSorted(), ["fulfilled", "fulfilled", "rejected"]);
  assert.equal(calls.length, 2);
  assert.equal(new Set(calls).size, 1);
  await rotate("old", { customerId: "john" }, {});
  await createRotations(
    { update: async (_a, _b, options) => void calls.push(options?.idempotencyKey ?? "") as never },
    "x",
  )("old", { customerId: "jane" }, {});
  assert.equal(new Set(calls).size, 3, "other ids and another secret have another key");
});

test("the real service accepts the requests of a rotation", async () => {
  const agent = keyFor({ role: "agent" });
  await using antechamber = await serve({ config: { auth: "key" }, keys: [agent.key] });
  const key = agent.bearer.slice("Bearer ".length);
  const tracker = createRequestTracker({ url: antechamber.url, key, ...patient });
  const { request, session } = await open(tracker);
  assert.equal(await session.identify({ customerId: "jane" }, { label: "Firefox" }), true);
  const transport = createTransport({ url: antechamber.url, key });
  const stored = await transport.retrieve(session.sessionId);
  assert.deepEqual([stored.sessionId, stored.customerId], [session.sessionId, "jane"]);
  assert.match(String(request.sessionHeaders().at(-1)), new RegExp(`sessionId=${session.sessionId};`));
  assert.equal(await session.end(), true);
  assert.equal(await transport.end(session.sessionId), false);
});
