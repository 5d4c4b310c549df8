import assert from "node:assert/strict";
import { test } from "node:test";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { handleOf } from "../../src/session-id.ts";
import { createTransport } from "../../src/transport.ts";
import { frameworks } from "./sites/all.ts";
import { createVisitor } from "./visitor.ts";

const antechamber = oneServer();

for (const [framework, start] of frameworks) {
  test(`${framework}: a visitor gets one session, in the first response only`, async () => {
    await using site = await start({ url: antechamber.url });
    const visitor = createVisitor(site.url);

    const first = await visitor.visit("/page");
    assert.equal(first.status, 200);
    assert.equal(first.seen?.isNew, true);
    assert.equal(first.seen?.state, "anonymous");
    const { sessionId } = first.seen;
    assert.equal(first.headers.get("gkc-sessionId"), sessionId);
    assert.deepEqual(first.headers.getSetCookie(), [`sessionId=${sessionId}; Path=/; SameSite=Lax; HttpOnly`]);
    assert.equal(first.headers.get("gkc-replaces"), "none");
    assert.equal(first.headers.get("cache-control"), "no-store");

    const second = await visitor.visit("/page");
    assert.deepEqual([second.seen?.sessionId, second.seen?.isNew], [sessionId, false]);
    assert.deepEqual(second.headers.getSetCookie(), []);
    assert.equal(second.headers.get("gkc-sessionId"), null);
    assert.equal(second.headers.get("cache-control"), null);
  });

  test(`${framework}: the cookie is Secure over https`, async () => {
    await using site = await start({ url: antechamber.url });
    const headers = { "x-forwarded-proto": "https" };
    const page = await createVisitor(site.url).visit("/page", { headers });
    assert.match(page.headers.getSetCookie().join(), /; HttpOnly; Secure$/);
  });

  test(`${framework}: the first id of a live session in query, header and cookie is used`, async () => {
    await using site = await start({
      url: antechamber.url,
      sources: ["query", "header", "cookie"],
    });
    const transport = createTransport({ url: antechamber.url });
    const [a, b, c] = await Promise.all([
      transport.create({ customerId: "a" }),
      transport.create({ customerId: "b" }),
      transport.create({ customerId: "c" }),
    ]);
    const dead = "A".repeat(40);
    const look = async (query: string, header: Record<string, string>, cookie: string) => {
      const visitor = createVisitor(site.url);
      visitor.cookies.set("sessionId", cookie);
      const page = await visitor.visit(`/page?x=1${query}`, { headers: header });
      assert.deepEqual(page.headers.getSetCookie(), []);
      return page.seen?.customerId;
    };
    const dashed = { "gkc-sessionId": b.sessionId };
    assert.equal(await look(`&sessionId=${a.sessionId}`, dashed, c.sessionId), "a");
    assert.equal(await look("", dashed, c.sessionId), "b");
    assert.equal(await look("", { gkc_sessionId: b.sessionId }, c.sessionId), "b");
    assert.equal(await look("", {}, c.sessionId), "c");
    assert.equal(await look(`&sessionId=${dead}`, { "gkc-sessionId": "no id" }, c.sessionId), "c");
  });

  test(`${framework}: by default a link cannot choose the session of the person who follows it`, async () => {
    await using site = await start({ url: antechamber.url });
    const planted = await createTransport({ url: antechamber.url }).create();
    const link = `/page?sessionId=${planted.sessionId}`;
    const newcomer = await createVisitor(site.url).visit(link);
    assert.notEqual(newcomer.seen?.sessionId, planted.sessionId);
    const visitor = createVisitor(site.url);
    const before = await visitor.visit("/page");
    assert.equal((await visitor.visit(link)).seen?.sessionId, before.seen?.sessionId);
  });

  test(`${framework}: signing out ends the session, and the next request starts another`, async () => {
    await using site = await start({ url: antechamber.url });
    const visitor = createVisitor(site.url);
    const signedIn = await visitor.visit("/sign-in?customer=jane", { method: "POST" });
    const { sessionId = "" } = signedIn.seen ?? {};
    const signedOut = await visitor.visit("/sign-out", { method: "POST" });
    assert.match(signedOut.text, /"ended":true/);
    assert.equal(signedOut.headers.get("gkc-sessionId"), null);
    assert.match(signedOut.headers.getSetCookie().join(), /^sessionId=; Path=\/; .*Max-Age=0/);
    assert.equal(visitor.cookies.get("sessionId"), "");

    // The record of the sign-out is the last one.
    const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId);
    assert.deepEqual(
      records.map((entry) => (entry.type === "request" ? [entry.path, entry.status] : entry.type)),
      ["created", "associated", "rotated", ["/sign-in", 200], ["/sign-out", null], "ended"],
    );

    // The old id is not accepted, even if a client still sends it.
    visitor.cookies.set("sessionId", sessionId);
    const next = await visitor.visit("/page");
    assert.deepEqual([next.seen?.state, next.seen?.isNew], ["anonymous", true]);
    assert.notEqual(next.seen?.sessionId, sessionId);
  });

  test(`${framework}: identity headers of the visitor are ignored`, async () => {
    await using site = await start({ url: antechamber.url });
    const headers = { "gkc-customerId": "victim", gkc_customerId: "victim", "gkc-agentId": "boss" };
    const page = await createVisitor(site.url).visit("/page", { headers });
    assert.deepEqual([page.seen?.state, page.seen?.customerId], ["anonymous", null]);
  });

  test(`${framework}: an id without a session is replaced by a new one`, async () => {
    await using site = await start({ url: antechamber.url });
    for (const dead of ["0".repeat(40), "00000000-0000-0000-0000-0000000000", "../../health"]) {
      const visitor = createVisitor(site.url);
      visitor.cookies.set("sessionId", dead);
      const page = await visitor.visit("/page");
      assert.equal(page.seen?.isNew, true);
      assert.notEqual(page.seen.sessionId, dead);
      assert.equal(visitor.cookies.get("sessionId"), page.seen.sessionId);
    }
  });

  test(`${framework}: a sign-in identifies the session, in its own request and all later ones`, async () => {
    await using site = await start({ url: antechamber.url });
    const visitor = createVisitor(site.url);
    const before = await visitor.visit("/page");
    const signedIn = await visitor.visit("/sign-in?customer=Zo%C3%AB", { method: "POST" });
    assert.equal(handleOf(signedIn.seen?.sessionId ?? ""), handleOf(before.seen?.sessionId ?? ""));
    assert.deepEqual([signedIn.seen?.state, signedIn.seen?.customerId], ["recognized", "Zoë"]);
    assert.equal((await visitor.visit("/page")).seen?.customerId, "Zoë");
  });

  test(`${framework}: the next person at the same browser gets another session`, async () => {
    await using site = await start({ url: antechamber.url });
    const visitor = createVisitor(site.url);
    const first = await visitor.visit("/sign-in?customer=first", { method: "POST" });
    const second = await visitor.visit("/sign-in?customer=second", { method: "POST" });
    assert.equal(second.seen?.customerId, "second");
    assert.notEqual(second.seen.sessionId, first.seen?.sessionId);
    assert.equal(second.headers.getSetCookie().length, 1);
    assert.equal(second.headers.get("gkc-sessionId"), second.seen.sessionId);
    assert.equal((await visitor.visit("/page")).seen?.sessionId, second.seen.sessionId);

    // If the sign-in is the first request, there is still only one cookie.
    const newcomer = createVisitor(site.url);
    const page = await newcomer.visit("/sign-in?customer=third", { method: "POST" });
    assert.equal(page.headers.getSetCookie().length, 1);
    assert.equal(newcomer.cookies.get("sessionId"), page.seen?.sessionId);
  });

  test(`${framework}: with create: false, new visitors get no session`, async () => {
    await using site = await start({ url: antechamber.url, create: false });
    const visitor = createVisitor(site.url);
    const page = await visitor.visit("/page");
    assert.deepEqual([page.status, page.seen], [200, null]);
    assert.deepEqual(page.headers.getSetCookie(), []);
    visitor.cookies.set("sessionId", "0".repeat(40));
    assert.equal((await visitor.visit("/page")).seen, null);
    const { sessionId } = await createTransport({ url: antechamber.url }).create();
    visitor.cookies.set("sessionId", sessionId);
    assert.equal((await visitor.visit("/page")).seen?.sessionId, sessionId);
  });

  test(`${framework}: ignored paths and preflights get no session, and cookie: false sets no cookie`, async () => {
    await using site = await start({ url: antechamber.url, ignore: ["/health"], cookie: false });
    const visitor = createVisitor(site.url);
    const health = await visitor.visit("/health");
    assert.deepEqual([health.seen, health.headers.get("gkc-sessionId")], [null, null]);
    const page = await visitor.visit("/page");
    assert.equal(page.headers.get("gkc-sessionId"), page.seen?.sessionId);
    assert.deepEqual(page.headers.getSetCookie(), []);
    const preflight = await visitor.visit("/page", {
      method: "OPTIONS",
      headers: { origin: "http://other.example", "access-control-request-method": "POST" },
    });
    assert.equal(preflight.headers.get("gkc-sessionId"), null);
  });

  test(`${framework}: two hundred simultaneous visitors each get their own session`, async () => {
    await using site = await start({ url: antechamber.url, deadline: 60_000 });
    const visits = Array.from({ length: 200 }, async () => {
      const visitor = createVisitor(site.url);
      const first = await visitor.visit("/page");
      const second = await visitor.visit("/page");
      assert.equal(second.seen?.sessionId, first.seen?.sessionId);
      return first.seen?.sessionId;
    });
    const ids = new Set(await Promise.all(visits));
    assert.equal(ids.size, 200);
    assert.ok(!ids.has(undefined));
  });
}
