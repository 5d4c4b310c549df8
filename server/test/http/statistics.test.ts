// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { StatisticsColumn, StatisticsInfo } from "@antechamber/client/protocol";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { eventually } from "../support/eventually.ts";
import { keyFor, serve as serveAlone, type TestKey, type TestServer } from "../support/in-process.ts";

const MINUTE = 60_000;

onEachEngine(({ name: engine, test, empty, serve }) => {
  let server: TestServer;
  let api: Api;
  before(async () => {
    server = await serve({ frozen: true });
    api = createApi(server.url);
  });
  after(() => server[Symbol.asyncDispose]());

  const read = async (query = ""): Promise<StatisticsInfo> => {
    const { status, text } = await api.call("GET", `/stats${query}`);
    assert.equal(status, 200, text);
    return JSON.parse(text) as StatisticsInfo;
  };
  const timeOf = (time: number) => new Date(time).toISOString();
  /** Begins a new minute, and returns its start. */
  const newMinute = async (): Promise<number> => {
    const next = (Math.floor(server.now() / MINUTE) + 1) * MINUTE;
    server.pass(next - server.now());
    await read();
    return next;
  };
  const last = (column: StatisticsColumn | undefined) => column?.at(-1);
  const record = (members: object) => ({ method: "GET", path: "/", startedAt: timeOf(server.now()), ...members });

  test("statistics count sessions, records, requests and refusals in the minute in which they happen", async () => {
    const since = await newMinute();
    const { sessionId } = sessionOf(await api.create({ json: { visitId: `v${since}` } }));
    sessionOf(await api.update(sessionId, { headers: { gkc_customerId: "customer-4711" } }));
    const other = sessionOf(await api.create({ json: { visitId: `w${since}` } }));
    assert.equal((await api.call("DELETE", `/sessions/${other.sessionId}`)).status, 204);
    problemOf(await api.create({ json: { visitId: `v${since}` } }), 400, "already-exists");
    const records = [
      ...Array.from({ length: 90 }, () => record({ service: "shop", status: 200, durationMs: 10 })),
      ...Array.from({ length: 10 }, () => record({ service: "shop", status: 502, durationMs: 1000 })),
      record({ status: 301 }),
    ];
    const recorded = await api.call("POST", `/sessions/${sessionId}/requests`, { json: records });
    assert.equal(recorded.status, 202, recorded.text);

    await eventually(async () => {
      const { step, times, sessions, records: counted, durations, refusals, requests, latency } = await read();
      assert.equal(step, 60);
      assert.equal(times.at(-1), timeOf(since));
      assert.equal(times.length, 61);
      const ofSessions = { ...sessions, live: [0] };
      const lasts = Object.fromEntries(Object.entries(ofSessions).map(([name, column]) => [name, last(column)]));
      assert.deepEqual(lasts, { created: 2, associated: 1, ended: 1, expired: 0, live: 0 });
      assert.equal(last(sessions.live), 1);
      assert.deepEqual([last(counted.byService["shop"]), last(counted.byService["none"])], [100, 1]);
      assert.deepEqual(
        ["2xx", "3xx", "5xx"].map((status) => last(counted.byStatus[status])),
        [90, 1, 10],
      );
      const { p50, p95 } = durations["shop"] ?? { p50: [], p95: [] };
      assert.ok(Math.abs((last(p50) ?? 0) - 10) < 2, `p50 ${last(p50)}`);
      assert.ok(Math.abs((last(p95) ?? 0) - 1000) < 200, `p95 ${last(p95)}`);
      assert.equal(durations["none"], undefined);
      assert.equal(last(refusals["already-exists"]), 1);
      assert.deepEqual([last(requests["create"]?.["2xx"]), last(requests["create"]?.["4xx"])], [2, 1]);
      assert.ok((last(latency["create"]?.p99) ?? 0) > 0);
    });
  });

  test("a step adds up its minutes, and a minute in which no server ran is null", async () => {
    const first = await newMinute();
    await api.create();
    await newMinute();
    await api.create();
    await newMinute();
    await server.restart(() => server.pass(10 * MINUTE));
    api = createApi(server.url);
    const begin = await newMinute();
    await api.create();

    const range = `?since=${timeOf(first)}&until=${timeOf(begin + MINUTE)}`;
    const { created } = (await read(range)).sessions;
    assert.deepEqual(created.slice(0, 2), [1, 1]);
    assert.deepEqual(created.at(-1), 1);
    assert.ok(created.slice(3, 12).includes(null), JSON.stringify(created));
    const { times, sessions } = await read(`${range}&step=3600`);
    assert.ok(times.length <= 2);
    assert.ok(times.every((time) => Date.parse(time) % (60 * MINUTE) === 0));
    const sum = sessions.created.reduce<number>((total, count) => total + (count ?? 0), 0);
    assert.ok(sum >= 3, "what earlier processes have counted is there after a restart");
  });

  test("a clock that jumps back loses and doubles nothing", async () => {
    const since = await newMinute();
    await api.create();
    server.step(-5 * MINUTE);
    await read();
    await api.create();
    server.step(5 * MINUTE);
    await read();
    await api.create();
    const { sessions } = await read(`?since=${timeOf(since - 5 * MINUTE)}&until=${timeOf(since + MINUTE)}`);
    assert.deepEqual([sessions.created[0] ?? 0, last(sessions.created)], [1, 2]);
    assert.ok(sessions.created.every((count) => (count ?? 0) >= 0));
  });

  if (engine === "Redis") {
    test("processes add up, and what one has counted stays when it ends", async () => {
      const config = await empty();
      await using one = await serveAlone({ config });
      await using two = await serveAlone({ config });
      const created = async (of: TestServer) => {
        const { text } = await createApi(of.url).call("GET", "/stats?step=3600");
        const { sessions } = JSON.parse(text) as StatisticsInfo;
        return sessions.created.reduce<number>((sum, count) => sum + (count ?? 0), 0);
      };
      for (let i = 0; i < 3; i++) await createApi(one.url).create();
      await createApi(two.url).create();
      // The other one may not have stored its count yet.
      assert.ok([3, 4].includes(await created(one)));
      await two.restart();
      assert.equal(await created(one), 4);
      await one.stop();
      assert.equal(await created(two), 4);
    });
  }

  test("a page's visitors cannot push the names of services out of the statistics", async () => {
    const [page, shop, reporter] = [{ role: "customer" }, { role: "service" }, { role: "reporter" }] as const;
    const keys = { page: keyFor(page), shop: keyFor(shop), reporter: keyFor(reporter) };
    await using keyed = await serve({ config: { auth: "key" }, keys: Object.values(keys).map(({ key }) => key) });
    const { call, create } = createApi(keyed.url);
    const { sessionId } = sessionOf(await create({ headers: { authorization: keys.page.bearer } }));
    const send = async ({ bearer }: TestKey, services: readonly string[], query = "") => {
      const json = services.map((service) => ({ method: "GET", path: "/", service }));
      const path = `/sessions/${sessionId}/requests${query}`;
      const sent = await call("POST", path, { headers: { authorization: bearer }, json });
      assert.equal(sent.status, 202, sent.text);
    };
    await send(keys.page, ["first of the page"], "?provisional=true");
    await send(
      keys.page,
      Array.from({ length: 60 }, (_, i) => `of the page ${i}`),
    );
    await send(keys.shop, ["shop"]);
    await send(keys.page, ["shop", "shop"], "?durable=true");
    await eventually(async () => {
      const { text } = await call("GET", "/stats", { headers: { authorization: keys.reporter.bearer } });
      const { byService } = (JSON.parse(text) as StatisticsInfo).records;
      const counts = Object.entries(byService).map(([name, column]) => [
        name,
        column.reduce<number>((sum, n) => sum + (n ?? 0), 0),
      ]);
      assert.deepEqual(Object.fromEntries(counts), { other: 61, shop: 3 });
    });
  });

  test("with a list of services no visitor fills the names, and visitors alone count under the listed ones", async () => {
    const page = keyFor({ role: "customer" });
    const proxy = keyFor({ role: "service" });
    const config = { auth: "key", statisticsServices: ["shop.example", "web"] } as const;
    await using keyed = await serve({ config, keys: [page.key, proxy.key] });
    const { call, create } = createApi(keyed.url);
    const { sessionId } = sessionOf(await create({ headers: { authorization: page.bearer } }));
    // The proxy passes on the host that the visitor has chosen.
    for (const host of [...Array.from({ length: 60 }, (_, i) => `${i}.example`), "shop.example"]) {
      const headers = { authorization: proxy.bearer, cookie: `sessionId=${sessionId}`, "x-forwarded-host": host };
      assert.equal((await call("GET", "/forward-auth", { headers })).status, 200);
    }
    const json = [{ method: "GET", path: "/", service: "web" }];
    await call("POST", `/sessions/${sessionId}/requests`, { headers: { authorization: page.bearer }, json });
    await eventually(async () => {
      const { text } = await call("GET", "/stats", { headers: { authorization: proxy.bearer } });
      const { byService } = (JSON.parse(text) as StatisticsInfo).records;
      const sums = Object.entries(byService).map(([name, column]) => [
        name,
        column.reduce<number>((sum, n) => sum + (n ?? 0), 0),
      ]);
      assert.deepEqual(Object.fromEntries(sums), { other: 60, "shop.example": 1, web: 1 });
    });
  });

  test("invalid requests for statistics are refused with every fault", async () => {
    const faultsOf = async (query: string) => {
      const problem = problemOf(await api.call("GET", `/stats?${query}`), 400, "invalid-request");
      return problem.errors?.map(({ name }) => name);
    };
    assert.deepEqual(await faultsOf("since=yesterday&until=2026-11-30T12:00"), ["since", "until"]);
    assert.deepEqual(await faultsOf("step=60&step=60&steps=1"), ["step", "steps"]);
    for (const step of ["", "90", "0", "1e3", "99999999", "-60"])
      assert.deepEqual(await faultsOf(`step=${step}`), ["step"]);
    assert.deepEqual(await faultsOf(`since=${timeOf(server.now() + MINUTE)}`), ["since"]);
    assert.deepEqual(await faultsOf(`since=2020-01-01T00:00:00Z`), ["since"]);
  });
});
