import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, until } from "../../../server/test/support/eventually.ts";
import { serve } from "../../../server/test/support/in-process.ts";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sized } from "../../../server/test/support/tier.ts";
import type { RequestEntry, TimelineEntry } from "../../src/protocol.ts";
import { createTransport } from "../../src/transport.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";
import { frameworks } from "./sites/all.ts";
import { createVisitor } from "./visitor.ts";

const antechamber = oneServer();

/** Number of visitors who make one request each. `server/test/http/provisional.test.ts` has more, without a middleware. */
const ROBOTS = sized(100, 300, 10_000);

/** Waits until a session's timeline has `count` requests, and returns them. */
async function requestsOf(url: string, sessionId = "", count = 1): Promise<RequestEntry[]> {
  const isRequest = (entry: TimelineEntry) => entry.type === "request";
  return await eventually(async () => {
    const { records } = await createTransport({ url }).timeline(sessionId, { limit: 1000 });
    const requests = records.filter(isRequest);
    assert.ok(requests.length >= count, JSON.stringify(requests));
    return requests;
  });
}

const paths = (records: readonly RequestEntry[]) => records.map(({ path }) => path);

for (const [framework, start] of frameworks) {
  test(`${framework}: requests are recorded with their status and duration`, async () => {
    await using site = await start({ url: antechamber.url, service: "shop" });
    const visitor = createVisitor(site.url);
    const before = Date.now();
    await visitor.visit("/page?email=jane@example.org#top");
    assert.equal((await visitor.visit("/fail")).status, 500);

    const records = await requestsOf(antechamber.url, visitor.cookies.get("sessionId"), 2);
    const kept = records.map(({ method, path, status, service, attributes }) => {
      return { method, path, status, service, attributes };
    });
    const expected = { method: "GET", path: "/page", status: 200, service: "shop", attributes: {} };
    assert.deepEqual(kept, [expected, { ...expected, path: "/fail", status: 500 }]);
    for (const { durationMs, startedAt } of records) {
      assert.ok(durationMs !== null && durationMs > 0 && durationMs < 60_000);
      assert.ok(Date.parse(startedAt) >= before - 1 && Date.parse(startedAt) <= Date.now());
    }
    assert.equal(site.delivery.dropped(), 0);
  });

  test(`${framework}: a streamed response is recorded after its last byte`, async () => {
    await using site = await start({ url: antechamber.url });
    const visitor = createVisitor(site.url);
    await visitor.visit("/page");
    const sessionId = visitor.cookies.get("sessionId");

    const streaming = visitor.visit("/stream");
    await until("the request has arrived", () => site.gate.arrivals() === 1);
    const arrived = performance.now();
    await visitor.visit("/page");
    assert.deepEqual(paths(await requestsOf(antechamber.url, sessionId, 2)), ["/page", "/page"]);
    const streamed = performance.now() - arrived;
    site.gate.open();
    assert.equal((await streaming).text, "onetwo");

    const [, , record] = await requestsOf(antechamber.url, sessionId, 3);
    assert.deepEqual([record?.path, record?.status, record?.attributes], ["/stream", 200, {}]);
    assert.ok((record?.durationMs ?? 0) >= streamed - 1, `${record?.durationMs} of ${streamed}`);
  });

  for (const [path, status] of [
    ["/slow", null],
    ["/stream", 200],
  ] as const) {
    test(`${framework}: a request is recorded as aborted when the visitor leaves ${path}`, async () => {
      await using site = await start({ url: antechamber.url });
      const visitor = createVisitor(site.url);
      await visitor.visit("/page");
      const controller = new AbortController();
      const leaving = visitor.visit(path, { signal: controller.signal }).catch(() => "left");
      await until("the request has arrived", () => site.gate.arrivals() === 1);
      controller.abort();
      assert.equal(await leaving, "left");

      const sessionId = visitor.cookies.get("sessionId");
      const [, record] = await requestsOf(antechamber.url, sessionId, 2);
      assert.deepEqual([record?.path, record?.attributes], [path, { aborted: "true" }]);
      assert.ok(record?.status === status || record?.status === null, String(record?.status));
    });
  }

  test(`${framework}: records from before a sign-in stay those of an anonymous visitor`, async () => {
    await using site = await start({ url: antechamber.url, deadline: 20_000 });
    const visitor = createVisitor(site.url);
    for (let visit = 0; visit < 3; visit++) await visitor.visit("/page");
    await visitor.visit("/sign-in?customer=jane", { method: "POST" });
    await visitor.visit("/page");

    const records = await requestsOf(antechamber.url, visitor.cookies.get("sessionId"), 5);
    assert.deepEqual(
      records.map(({ path, customerId, sequence }) => [sequence, path, customerId]),
      [
        [1, "/page", null],
        [2, "/page", null],
        [3, "/page", null],
        [4, "/sign-in", "jane"],
        [5, "/page", "jane"],
      ],
    );
  });

  test(`${framework}: ${ROBOTS} visitors who do not come back are not stored`, async () => {
    await using server = await serve({ config: { logLevel: "info", accessLog: "off" } });
    await using site = await start({ url: server.url, deadline: 20_000 });
    const numbers = Array.from({ length: ROBOTS }, (_, i) => i);
    // In rounds, because the middleware keeps at most 10,000 waiting records.
    for (let from = 0; from < ROBOTS; from += 1000) {
      const round = numbers.slice(from, from + 1000).values();
      const visitInTurn = async () => {
        for (const i of round) assert.equal((await createVisitor(site.url).visit(`/page?${i}`)).status, 200);
      };
      await Promise.all(Array.from({ length: 16 }, visitInTurn));
      await site.delivery.flush();
    }
    await site.delivery.close();
    assert.equal(site.delivery.dropped(), 0);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const dropped = Number(/^antechamber_provisional_records_dropped_total (\d+)/m.exec(text)?.[1]);
    await server.restart();
    const droppedAtStop = Number(/records of (\d+) visitors/.exec(server.log())?.[1]);
    assert.equal(dropped + droppedAtStop, ROBOTS);
    const left = await (await fetch(`${server.url}/sessions`)).json();
    assert.deepEqual(left, { sessions: [], next: null, total: 0 });
  });

  test(`${framework}: the first request of a visitor who comes back is stored, also through another server`, async () => {
    await using one = await start({ url: antechamber.url });
    await using other = await start({ url: antechamber.url });
    const visitor = createVisitor(one.url);
    await visitor.visit("/page");
    await one.delivery.flush();
    const returning = createVisitor(other.url);
    for (const [name, value] of visitor.cookies) returning.cookies.set(name, value);
    assert.equal((await returning.visit("/health")).seen?.isNew, false);
    await other.delivery.flush();
    assert.deepEqual(paths(await requestsOf(antechamber.url, visitor.cookies.get("sessionId"), 2)), [
      "/page",
      "/health",
    ]);
  });

  test(`${framework}: the options record and ignore decide which requests are recorded, and how`, async () => {
    await using site = await start({
      url: antechamber.url,
      ignore: [/^\/heal/],
      record: (record) => record.path !== "/sign-in" && { ...record, path: record.path.replace("page", "masked") },
    });
    const visitor = createVisitor(site.url);
    await visitor.visit("/page");
    await visitor.visit("/health");
    await visitor.visit("/sign-in?customer=jane", { method: "POST" });
    await visitor.visit("/page");
    const records = await requestsOf(antechamber.url, visitor.cookies.get("sessionId"), 2);
    await site.delivery.flush();
    assert.deepEqual(paths(records), ["/masked", "/masked"]);
  });

  test(`${framework}: closing the site delivers the last records`, async () => {
    const visitors = [];
    {
      await using site = await start({ url: antechamber.url, deadline: 20_000 });
      for (let number = 0; number < 20; number++) {
        const visitor = createVisitor(site.url);
        await visitor.visit("/page");
        visitors.push(visitor);
      }
    }
    for (const { cookies } of visitors) {
      const { total } = await createTransport({ url: antechamber.url }).timeline(cookies.get("sessionId") ?? "");
      assert.equal(total, 1);
    }
  });

  test(`${framework}: requests during an outage are recorded after it, once and in order`, async () => {
    await using proxy = await startFaultyProxy(antechamber.port);
    await using site = await start({ url: proxy.url, deadline: 20_000 });
    const visitor = createVisitor(site.url);
    await visitor.visit("/page");
    for (const fault of ["refuse", "unavailable"] as const) {
      proxy.setFault(fault);
      for (const number of [1, 2, 3]) await visitor.visit(`/page/${fault}/${number}`);
      await site.delivery.flush();
    }
    proxy.setFault("pass");
    const records = await requestsOf(antechamber.url, visitor.cookies.get("sessionId"), 7);
    assert.deepEqual(paths(records), [
      "/page",
      ...[1, 2, 3].map((number) => `/page/refuse/${number}`),
      ...[1, 2, 3].map((number) => `/page/unavailable/${number}`),
    ]);
    assert.equal(site.delivery.dropped(), 0);
  });
}
