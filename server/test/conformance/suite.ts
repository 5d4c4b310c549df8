import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestEntry, TimelineEntry } from "@antechamber/client/protocol";
import { createTransport } from "@antechamber/client/transport";
import { type Fault, startFaultyProxy } from "../../../client/test/middleware/faulty-proxy.ts";
import { createVisitor, type Page, type Visitor } from "../../../client/test/middleware/visitor.ts";
import { eventually } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";

/** The options of a middleware that the suite sets; all can be written as JSON. Times are in milliseconds. */
export interface Options {
  readonly url: string;
  readonly service?: string;
  readonly deadline?: number;
  readonly sources?: readonly ("query" | "header" | "cookie")[];
  readonly cookie?: false | { readonly name: string; readonly maxAge: number; readonly sameSite: "None" };
  readonly ignore?: readonly string[];
  readonly data?: boolean;
}

/**
 * A small web application with the middleware under test:
 *
 *     GET  /page, /page/…, /health  the session, as `{ "session": … }`; with `asserted`, the names of identity headers
 *     POST /sign-in                 identifies the customer that the query `customer` names
 *     POST /count                   counts a visit in the session's data
 *     POST /sign-out                ends the session
 *     GET  /fail                    a handler that throws
 *     GET  /stream                  "one" and "two", streamed
 */
export interface Application extends AsyncDisposable {
  readonly url: string;
}

export type StartApplication = (options: Options) => Promise<Application>;

/** The ways in which a middleware differs, with good reason. */
export interface Traits {
  /** Whether the application can see identity headers of the visitor. They never change the session. */
  readonly passesIdentityHeaders?: boolean;
  /** Whether the framework takes every request for one over https. */
  readonly isAlwaysSecure?: boolean;
}

const DEADLINE_MS = 1000;
const OUTAGE_VISITS = 40;
/** A request that no framework takes for a form of another site. */
const post: RequestInit = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
const dead = "A".repeat(40);

/** Registers the tests that every middleware passes, against a real service over HTTP. */
export function conformance(name: string, start: StartApplication, traits: Traits = {}): void {
  const usual = (antechamber: TestServer) => start({ url: antechamber.url, service: "shop", deadline: 20_000 });

  test(`${name}: sessions begin, are found again, signed in, recorded and ended`, async () => {
    await using antechamber = await serve();
    await using site = await usual(antechamber);
    const visitor = createVisitor(site.url);
    await checkFirstVisit(visitor, traits);
    await checkLinks(site, antechamber);
    await checkDeadIds(site);
    await checkIdentityHeaders(site, traits);
    await checkSignIn(site, antechamber, visitor);
    await checkNextPerson(site);
    await checkRecords(site, antechamber);
    await checkSignOut(site, antechamber);
    await checkParallelSignIns(site);
  });

  test(`${name}: the options data, sources, cookie and ignore`, async () => {
    await using antechamber = await serve();
    const cookie = { name: "__Secure-visit", maxAge: 86_400, sameSite: "None" } as const;
    const sources = ["query", "header", "cookie"] as const;
    await using site = await start({
      url: antechamber.url,
      deadline: 20_000,
      data: true,
      sources,
      cookie,
      ignore: ["/health"],
    });
    await checkSources(site, antechamber, cookie.name);
    await checkData(site);
    const visitor = createVisitor(site.url);
    const page = await visitor.visit("/page");
    const expected = { name: cookie.name, path: "/", "max-age": "86400", samesite: "none", httponly: "", secure: "" };
    assert.deepEqual(attributesOf(onlyCookie(page)), { ...expected, value: page.seen?.sessionId });
    assertCleared(await visitor.visit("/sign-out", post), cookie.name);

    const health = await createVisitor(site.url).visit("/health");
    assert.deepEqual([health.status, health.seen, health.headers.get("gkc-sessionId")], [200, null, null]);
    const headers = { origin: "http://other.example", "access-control-request-method": "POST" };
    const preflight = await visitor.visit("/page", { method: "OPTIONS", headers });
    assert.equal(preflight.headers.get("gkc-sessionId"), null);
  });
}

/**
 * Registers the test that requests continue during an outage. It runs for all middleware at once, because it waits until
 * the middleware tries again.
 */
export function outages(applications: ReadonlyMap<string, StartApplication>): void {
  test(`requests continue during an outage, and have their session and their records after it`, async () => {
    const results = await Promise.allSettled([...applications.values()].map(checkOutage));
    const wrong = results.flatMap((one, i) =>
      one.status === "rejected" ? [`${[...applications.keys()][i]}: ${String(one.reason)}`] : [],
    );
    assert.deepEqual(wrong, []);
  });
}

async function checkOutage(start: StartApplication): Promise<void> {
  await using antechamber = await serve();
  await using proxy = await startFaultyProxy(antechamber.port);
  await using site = await start({ url: proxy.url, deadline: DEADLINE_MS });
  const visitor = createVisitor(site.url);
  // On a busy machine the first request may exceed the deadline.
  const seePage = async () => {
    const page = await visitor.visit("/page");
    assert.notEqual(page.seen, null);
    return page;
  };
  const before = await eventually(seePage, 60_000);
  const paths: string[] = [];
  for (const fault of ["hang", "refuse"] as const satisfies readonly Fault[]) {
    proxy.setFault(fault);
    const connections = proxy.connections();
    const started = performance.now();
    for (let visit = 0; visit < OUTAGE_VISITS; visit++) {
      const path = `/page/${fault}/${visit}`;
      paths.push(path);
      const page = await visitor.visit(path);
      assert.deepEqual([page.status, page.seen, page.headers.getSetCookie()], [200, null, []]);
    }
    // Most requests did not wait for the deadline: after three failures the middleware pauses for two seconds each time.
    // Beside these calls, those with records are repeated each second.
    const calls = proxy.connections() - connections;
    const seconds = (performance.now() - started) / 1000;
    assert.ok(calls <= 2 * (4 + seconds / 2) + seconds + 1, `${fault}: ${calls} calls in ${seconds} s`);
  }
  const signedIn = await visitor.visit("/sign-in?customer=somebody", post);
  assert.deepEqual([signedIn.status, signedIn.seen], [200, null]);
  proxy.setFault("pass");
  const after = await eventually(seePage, 60_000);
  assert.equal(after.seen?.sessionId, before.seen?.sessionId);
  const recorded = await eventually(async () => {
    const requests = await requestsOf(antechamber, visitor.cookies.get("sessionId"));
    const during = requests.map(({ path }) => path).filter((path) => /refuse|hang/.test(path));
    assert.ok(during.length >= paths.length, String(during));
    return during;
  }, 60_000);
  // The order may differ by one: a server with threads may make the record of a request after that of the next one,
  // because the response has left already.
  assert.deepEqual(recorded.toSorted(), paths.toSorted(), "each once");
}

async function checkFirstVisit(visitor: Visitor, { isAlwaysSecure = false }: Traits): Promise<void> {
  const first = await visitor.visit("/page");
  assert.equal(first.status, 200, first.text);
  const { sessionId = "", state, isNew, customerId } = first.seen ?? {};
  assert.deepEqual({ state, isNew, customerId }, { state: "anonymous", isNew: true, customerId: null });
  const secure = isAlwaysSecure ? { secure: "" } : {};
  const expected = { name: "sessionId", value: sessionId, path: "/", samesite: "lax", httponly: "", ...secure };
  assert.deepEqual(attributesOf(onlyCookie(first)), expected);
  assert.equal(first.headers.get("gkc-sessionId"), sessionId);
  assert.equal(first.headers.get("gkc-replaces"), "none");
  assert.match(first.headers.get("cache-control") ?? "", /no-store/);

  const second = await visitor.visit("/page");
  assert.deepEqual([second.seen?.sessionId, second.seen?.isNew], [sessionId, false]);
  assert.deepEqual(second.headers.getSetCookie(), []);
  assert.equal(second.headers.get("gkc-sessionId"), null);

  const overTls = await createVisitorOf(visitor).visit("/page", { headers: { "x-forwarded-proto": "https" } });
  assert.equal(attributesOf(onlyCookie(overTls))["secure"], "");
}

/** By default a link cannot choose the session of the person who follows it. */
async function checkLinks(site: Application, antechamber: TestServer): Promise<void> {
  const planted = await createTransport({ url: antechamber.url }).create();
  const page = await createVisitor(site.url).visit(`/page?sessionId=${planted.sessionId}`);
  assert.notEqual(page.seen?.sessionId, planted.sessionId);
}

async function checkDeadIds(site: Application): Promise<void> {
  for (const id of ["0".repeat(40), "../../health"]) {
    const visitor = createVisitor(site.url);
    visitor.cookies.set("sessionId", id);
    const page = await visitor.visit("/page");
    assert.equal(page.seen?.isNew, true);
    assert.equal(visitor.cookies.get("sessionId"), page.seen.sessionId);
  }
}

async function checkIdentityHeaders(site: Application, { passesIdentityHeaders = false }: Traits): Promise<void> {
  const headers = { "gkc-customerId": "victim", gkc_customerId: "victim", "gkc-agentId": "boss", gkc_visitId: "v" };
  const page = await createVisitor(site.url).visit("/page", { headers });
  assert.deepEqual([page.seen?.state, page.seen?.customerId], ["anonymous", null]);
  if (!passesIdentityHeaders) assert.deepEqual((JSON.parse(page.text) as { asserted: unknown }).asserted, []);
}

async function checkSignIn(site: Application, antechamber: TestServer, visitor: Visitor): Promise<void> {
  const old = visitor.cookies.get("sessionId") ?? "";
  const signedIn = await visitor.visit("/sign-in?customer=Zo%C3%AB", post);
  const { sessionId = "" } = signedIn.seen ?? {};
  assert.deepEqual([signedIn.seen?.state, signedIn.seen?.customerId], ["recognized", "Zoë"], signedIn.text);
  assert.notEqual(sessionId, old);
  assert.equal(sessionId.slice(0, 24), old.slice(0, 24));
  assert.equal(attributesOf(onlyCookie(signedIn))["value"], sessionId);
  assert.equal(signedIn.headers.get("gkc-sessionId"), sessionId);
  assert.match(signedIn.headers.get("cache-control") ?? "", /no-store/);
  assert.equal((await visitor.visit("/page")).seen?.customerId, "Zoë");

  // The old id opens nothing of the customer's, also right after the sign-in.
  const thief = createVisitor(site.url);
  thief.cookies.set("sessionId", old);
  assert.notEqual((await thief.visit("/page")).seen?.customerId, "Zoë");
  const again = await visitor.visit("/sign-in?customer=Zo%C3%AB", post);
  assert.deepEqual([again.seen?.sessionId, again.headers.getSetCookie()], [sessionId, []]);
  const stored = await createTransport({ url: antechamber.url }).retrieve(sessionId);
  assert.equal(stored.customerId, "Zoë");
}

async function checkNextPerson(site: Application): Promise<void> {
  const visitor = createVisitor(site.url);
  const first = await visitor.visit("/sign-in?customer=first", post);
  // The session is new, and gets another id in the same request.
  assert.equal(visitor.cookies.get("sessionId"), first.seen?.sessionId);
  assert.equal(first.headers.get("gkc-sessionId"), first.seen?.sessionId);
  const second = await visitor.visit("/sign-in?customer=second", post);
  assert.equal(second.seen?.customerId, "second", second.text);
  assert.notEqual(second.seen.sessionId.slice(0, 24), first.seen?.sessionId.slice(0, 24));
  assert.equal(visitor.cookies.get("sessionId"), second.seen.sessionId);
  assert.equal((await visitor.visit("/page")).seen?.sessionId, second.seen.sessionId);
}

async function checkRecords(site: Application, antechamber: TestServer): Promise<void> {
  const visitor = createVisitor(site.url);
  const since = Date.now();
  await visitor.visit("/page?email=jane@example.org");
  assert.equal((await visitor.visit("/fail")).status, 500);
  assert.equal((await visitor.visit("/stream")).text, "onetwo");
  await visitor.visit("/page/%C3%A9%20/x");
  const requests = await eventually(async () => {
    const found = await requestsOf(antechamber, visitor.cookies.get("sessionId"));
    assert.ok(found.length >= 4, JSON.stringify(found));
    return found;
  }, 60_000);
  assert.deepEqual(
    requests.map(({ method, path, status, service, attributes }) => [method, path, status, service, attributes]),
    [
      ["GET", "/page", 200, "shop", {}],
      ["GET", "/fail", 500, "shop", {}],
      ["GET", "/stream", 200, "shop", {}],
      ["GET", "/page/%C3%A9%20/x", 200, "shop", {}],
    ],
  );
  for (const { durationMs, startedAt } of requests) {
    assert.ok(durationMs !== null && durationMs > 0 && durationMs < 60_000);
    assert.ok(Date.parse(startedAt) >= since - 1 && Date.parse(startedAt) <= Date.now());
  }
}

async function checkSignOut(site: Application, antechamber: TestServer): Promise<void> {
  const visitor = createVisitor(site.url);
  const signedIn = await visitor.visit("/sign-in?customer=jane", post);
  const { sessionId = "" } = signedIn.seen ?? {};
  const signedOut = await visitor.visit("/sign-out", post);
  assert.match(signedOut.text, /"ended": ?true/);
  assert.equal(signedOut.headers.get("gkc-sessionId"), null);
  assertCleared(signedOut, "sessionId");
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
}

/** Requests in progress at a sign-in do not fail, and do not replace the new cookie. */
async function checkParallelSignIns(site: Application): Promise<void> {
  const first = createVisitor(site.url);
  await first.visit("/page");
  const pages = Array.from({ length: 12 }, async (_, number) => {
    const visitor = createVisitor(site.url);
    visitor.cookies.set("sessionId", first.cookies.get("sessionId") ?? "");
    const isSignIn = number % 4 === 2;
    const page = await visitor.visit(isSignIn ? "/sign-in?customer=jane" : "/page", isSignIn ? post : {});
    assert.equal(page.status, 200, page.text);
    assert.equal(page.headers.getSetCookie().length, isSignIn ? 1 : 0, page.text);
    return page.headers.getSetCookie();
  });
  const values = (await Promise.all(pages)).flat().map((cookie) => attributesOf(cookie)["value"]);
  assert.equal(new Set(values).size, 1, "all sign-ins set the same id");
}

/** The data come with the session. No concurrent change is lost. A sign-in keeps the data, a sign-out removes them. */
async function checkData(site: Application): Promise<void> {
  const dataIn = ({ text }: Page) => (JSON.parse(text) as { session: { data: unknown } }).session.data;
  const visitor = createVisitor(site.url);
  assert.deepEqual(dataIn(await visitor.visit("/page")), {});
  const first = await visitor.visit("/count", post);
  assert.match(first.text, /"stored": ?true/);
  assert.deepEqual(dataIn(first), { visits: 1 });
  await Promise.all(Array.from({ length: 4 }, () => visitor.visit("/count", post)));
  assert.deepEqual(dataIn(await visitor.visit("/page")), { visits: 5 });
  assert.deepEqual(dataIn(await visitor.visit("/sign-in?customer=counted", post)), { visits: 5 });
  assert.deepEqual(dataIn(await visitor.visit("/page")), { visits: 5 });
  await visitor.visit("/sign-out", post);
  assert.deepEqual(dataIn(await visitor.visit("/page")), {});
}

async function checkSources(site: Application, antechamber: TestServer, cookieName: string): Promise<void> {
  const transport = createTransport({ url: antechamber.url });
  const customers = ["a", "b", "c"].map((customerId) => transport.create({ customerId }));
  const [a, b, c] = (await Promise.all(customers)).map(({ sessionId }) => sessionId);
  assert.ok(a && b && c);
  const look = async (query: string, headers: Record<string, string>, cookie: string) => {
    const visitor = createVisitor(site.url);
    visitor.cookies.set(cookieName, cookie);
    const page = await visitor.visit(`/page?x=1${query}`, { headers });
    assert.deepEqual(page.headers.getSetCookie(), []);
    return page.seen?.customerId;
  };
  assert.equal(await look(`&sessionId=${a}`, { "gkc-sessionId": b }, c), "a");
  assert.equal(await look("", { "gkc-sessionId": b }, c), "b");
  assert.equal(await look("", {}, c), "c");
  assert.equal(await look(`&sessionId=${dead}`, { "gkc-sessionId": "no id" }, c), "c");
}

async function requestsOf(antechamber: TestServer, sessionId = ""): Promise<RequestEntry[]> {
  const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId, { limit: 1000 });
  return records.filter((entry: TimelineEntry) => entry.type === "request");
}

function onlyCookie(page: Page): string {
  const cookies = page.headers.getSetCookie();
  assert.equal(cookies.length, 1, JSON.stringify(cookies));
  return cookies[0] ?? "";
}

function assertCleared(page: Page, name: string): void {
  const cookie = attributesOf(onlyCookie(page));
  assert.deepEqual([cookie["name"], cookie["value"], cookie["path"], cookie["max-age"]], [name, "", "/", "0"]);
}

/** Returns the name, the value and the attributes of a cookie, without `Expires`. */
function attributesOf(cookie: string): Record<string, string> {
  const [pair = "", ...attributes] = cookie.split("; ");
  const entries = attributes.map((each) => each.toLowerCase().split("=", 2)).filter(([name]) => name !== "expires");
  const [name = "", value = ""] = pair.split("=", 2);
  return { name, value, ...Object.fromEntries(entries.map(([key = "", of = ""]) => [key, of])) };
}

function createVisitorOf({ site }: Visitor): Visitor {
  return createVisitor(site);
}
