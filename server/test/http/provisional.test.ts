// runs: once

import assert from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { machineTime } from "../../src/runtime/clock.ts";
import { openStore } from "../../src/runtime/open-store.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { type Engine, onEachEngine } from "../support/engines.ts";
import { until } from "../support/eventually.ts";
import type { TestServer } from "../support/in-process.ts";
import { acceptedOf, newSession, pathsIn, post, requestsOf, visit, visits, wholeTimeline } from "../support/records.ts";
import { MINUTE, SECOND } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { sized } from "../support/tier.ts";

/* contract.md#provisional-records: the first request of a visitor is stored when the visitor comes back. */

/** Number of robots for each way to record a request. */
const ROBOTS = sized(300, 1000, 100_000);

/** Sends a provisional record. */
function first(api: Api, id: string, json: unknown = visit("/first"), headers: Record<string, string> = {}) {
  return api.call("POST", `${requestsOf(id)}?provisional=true`, { json, headers });
}

/** Sends the sub-request of a proxy. Returns the id of the session. */
async function ask(api: Api, path: string, sessionId?: string): Promise<string> {
  const cookie: Record<string, string> = sessionId === undefined ? {} : { cookie: `sessionId=${sessionId}` };
  const answer = await api.call("GET", "/forward-auth", { headers: { "x-forwarded-uri": path, ...cookie } });
  assert.equal(answer.status, 200, answer.text);
  return answer.headers.get("gkc-sessionid") ?? "";
}

/** Returns the value of a metric. */
async function metric(api: Api, name: string): Promise<number> {
  const { text } = await api.call("GET", "/metrics");
  return Number(new RegExp(`^antechamber_${name} (\\d+)`, "m").exec(text)?.[1]);
}

/** Runs a server, and returns the number of sessions, records and responses in its store afterwards. */
async function itemsAfter(engine: Engine, work: (server: TestServer) => Promise<void>): Promise<number> {
  await using directory = temporaryDirectory();
  const config = { ...(await engine.empty()), dataDir: directory.path };
  {
    await using server = await engine.serve({ config: { ...config, logLevel: "info", accessLog: "off" } });
    await work(server);
  }
  const defaults = loadConfig({ flags: {}, env: {}, cwd: directory.path }).config;
  await using store = await openStore({ ...defaults, ...config }, machineTime, unheard).then(closing);
  let items = 0;
  for (let after: string | null | undefined; after !== null; ) {
    const page = await store.exportPage(after ?? null, Date.now());
    items += page.items.filter(({ kind }) => ["session", "records", "answer"].includes(kind)).length;
    after = page.next;
  }
  return items;
}

/** Returns the store with a method that closes it at the end of a block. */
function closing(store: StoreEngine): StoreEngine & AsyncDisposable {
  return { ...store, [Symbol.asyncDispose]: () => store.close() };
}

/** Returns the number of sessions in the log line about dropped records of a server that has stopped. */
function droppedIn(log: string): number {
  return Number(/rovisional records of (\d+) visitors/.exec(log)?.[1] ?? / (\d+) provisional records/.exec(log)?.[1]);
}

onEachEngine((engine) => {
  engine.test(`${ROBOTS} robots leave nothing behind, neither through a proxy nor through a middleware`, async () => {
    const items = await itemsAfter(engine, async (server) => {
      const api = createApi(server.url);
      const numbers = Array.from({ length: ROBOTS }, (_, i) => i).values();
      await inParallel(async () => {
        for (const i of numbers) {
          await ask(api, `/${i}`);
          acceptedOf(await first(api, await newSession(api), visit(`/${i}`), { "idempotency-key": `robot-${i}` }));
        }
      });
      assert.equal(await metric(api, "records_accepted_total"), 2 * ROBOTS);
      assert.equal(await metric(api, "records_lost_total"), 0);
    });
    assert.equal(items, 0);
  });

  engine.test("the six parallel first requests of a browser leave only the session that it uses", async () => {
    const items = await itemsAfter(engine, async (server) => {
      const api = createApi(server.url);
      const paths = ["/", "/a.css", "/b.js", "/c.png", "/d.png", "/favicon.ico"];
      const made = await Promise.all(paths.map((path) => ask(api, path)));
      // The last cookie wins.
      const [id = ""] = made.slice(-1);
      assert.equal(await ask(api, "/next", id), id);
      assert.deepEqual(pathsIn(await wholeTimeline(api, id)), ["/favicon.ico", "/next"]);
    });
    // The session and its records.
    assert.equal(items, 2);
  });

  engine.test("a visitor who comes back has the first request first, whatever the second one is", async () => {
    await using server = await engine.serve();
    const api = createApi(server.url);
    const uses: Record<string, (id: string) => Promise<unknown>> = {
      retrieve: (id) => api.retrieve(id),
      head: (id) => api.call("HEAD", `/sessions/${id}`),
      associate: (id) => api.update(id, { json: { visitId: `v-${id}` } }),
      record: (id) => post(api, id, visit("/second")),
      durable: (id) => api.call("POST", `${requestsOf(id)}?durable=true`, { json: visit("/second") }),
      idempotent: (id) => post(api, id, visit("/second"), { "idempotency-key": id }),
      "forward-auth": (id) => ask(api, "/second", id),
      end: (id) => api.call("DELETE", `/sessions/${id}`),
      provisional: (id) => first(api, id, visit("/second")),
    };
    for (const [name, use] of Object.entries(uses)) {
      for (const begin of [
        async () => await ask(api, "/first"),
        async () => {
          const id = await newSession(api);
          acceptedOf(await first(api, id));
          return id;
        },
      ]) {
        const id = await begin();
        await use(id);
        const records = ["retrieve", "head", "associate", "end"].includes(name) ? 1 : 2;
        const paths = pathsIn(await wholeTimeline(api, id));
        assert.deepEqual(paths, ["/first", "/second"].slice(0, records), name);
      }
    }
    assert.equal(await metric(api, "provisional_records_dropped_total"), 0);
  });

  engine.test("the first request keeps its own time and identity, and comes before the sign-in", async () => {
    await using server = await engine.serve();
    const api = createApi(server.url);
    const id = await newSession(api);
    const startedAt = new Date(server.now() - 1500).toISOString();
    acceptedOf(await first(api, id, { ...visit("/first"), startedAt }));
    sessionOf(await api.update(id, { headers: { gkc_customerId: "anna" } }));
    const found = await wholeTimeline(api, id);
    assert.deepEqual(
      found.map(({ type, customerId }) => [type, customerId]),
      [
        ["created", null],
        ["request", null],
        ["associated", "anna"],
      ],
    );
    assert.equal(found[1]?.type === "request" && found[1].startedAt, startedAt);
  });

  engine.test("after a minute the record is dropped and counted", async () => {
    await using server = await engine.serve({ frozen: true });
    const api = createApi(server.url);
    const [kept, ...others] = [await ask(api, "/a"), await ask(api, "/b"), await newSession(api)];
    acceptedOf(await first(api, others[1] ?? ""));
    server.pass(59 * SECOND);
    await api.retrieve(kept);
    assert.deepEqual(pathsIn(await wholeTimeline(api, kept)), ["/a"]);
    server.pass(2 * SECOND);
    const dropped = async () => (await metric(api, "provisional_records_dropped_total")) === 2;
    await until("the records are dropped", dropped);
    for (const id of others) assert.deepEqual(pathsIn(await wholeTimeline(api, id)), []);
    assert.deepEqual(pathsIn(await wholeTimeline(api, kept)), ["/a"]);
  });

  engine.test("records that are not the first of a new session are stored at once, also with provisional", async () => {
    const items = await itemsAfter(engine, async (server) => {
      const api = createApi(server.url);
      const several = await newSession(api);
      acceptedOf(await first(api, several, visits(2)));
      acceptedOf(await post(api, await newSession(api), visit("/plain")));
      const customer = await newSession(api, { headers: { gkc_customerId: "anna" } });
      acceptedOf(await first(api, customer));
      const old = await newSession(api);
      server.pass(MINUTE);
      acceptedOf(await first(api, old));
      acceptedOf(
        await api.call("POST", `${requestsOf(await newSession(api))}?provisional=false`, { json: visit("/") }),
      );
    });
    assert.equal(items, 5 * 2);
  });

  engine.test("with storeVisitors always every first request is stored at once", async () => {
    const items = await itemsAfter({ ...engine, empty: always(engine) }, async (server) => {
      const api = createApi(server.url);
      await ask(api, "/a");
      acceptedOf(await first(api, await newSession(api)));
    });
    assert.equal(items, 2 * 2);
  });

  engine.test("stopping the server stores nothing that was set aside, and the log says how much", async () => {
    let log = () => "";
    const items = await itemsAfter(engine, async (server) => {
      log = server.log;
      const api = createApi(server.url);
      for (const path of ["/a", "/b", "/c"]) await ask(api, path);
      assert.equal(droppedIn(log()), Number.NaN);
    });
    assert.equal(items, 0);
    assert.equal(droppedIn(log()), 3, log());
  });

  engine.test("a repetition with the same idempotency key is no use of the session", async () => {
    const items = await itemsAfter(engine, async (server) => {
      const api = createApi(server.url);
      const id = await newSession(api);
      const key = { "idempotency-key": "once" };
      const answers = await Promise.all([1, 2, 3, 4].map(() => first(api, id, visit("/first"), key)));
      assert.deepEqual(answers.map(acceptedOf), [1, 1, 1, 1]);
      problemOf(await first(api, id, visit("/other"), key), 422, "idempotency-key-reused");
    });
    assert.equal(items, 0);
  });

  engine.test("a repetition after the visitor has come back records nothing twice", async () => {
    await using server = await engine.serve();
    const api = createApi(server.url);
    const id = await newSession(api);
    const key = { "idempotency-key": "once" };
    acceptedOf(await first(api, id, visit("/first"), key));
    acceptedOf(await post(api, id, visit("/second")));
    acceptedOf(await first(api, id, visit("/first"), key));
    sessionOf(await api.update(id, { headers: { gkc_customerId: "anna" } }));
    acceptedOf(await first(api, id, visit("/first"), key));
    assert.deepEqual(pathsIn(await wholeTimeline(api, id)), ["/first", "/second"]);
  });

  engine.test("a provisional record is refused like any other, and cannot be durable", async () => {
    await using server = await engine.serve();
    const api = createApi(server.url);
    const id = await newSession(api);
    problemOf(await first(api, "A".repeat(40)), 404, "session-not-found");
    problemOf(await first(api, id, { method: "GET" }), 400, "invalid-request");
    const both = await api.call("POST", `${requestsOf(id)}?provisional=true&durable=true`, { json: visit("/") });
    const { errors } = problemOf(both, 400, "invalid-request");
    assert.deepEqual(
      errors?.map(({ in: place, name }) => [place, name]),
      [["query", "provisional"]],
    );
    acceptedOf(await first(api, id));
    await api.call("DELETE", `/sessions/${id}`);
    problemOf(await first(api, id), 404, "session-not-found");
  });

  if (engine.name === "Redis") {
    engine.test("the second request may reach another process", async () => {
      const config = await engine.empty();
      await using one = await engine.serve({ config });
      await using other = await engine.serve({ config });
      const [a, b] = [createApi(one.url), createApi(other.url)];
      const uses: ((id: string) => Promise<unknown>)[] = [
        (id) => ask(b, "/second", id),
        (id) => post(b, id, visit("/second")),
        (id) => retrieveAndRecord(b, id),
      ];
      for (const use of uses) {
        const id = await ask(a, "/first");
        await use(id);
        assert.deepEqual(pathsIn(await wholeTimeline(b, id)), ["/first", "/second"]);
      }
    });

    engine.test("a record outlives the process that has set it aside", async () => {
      const config = await engine.empty();
      await using other = await engine.serve({ config });
      let id = "";
      {
        await using one = await engine.serve({ config });
        id = await ask(createApi(one.url), "/first");
      }
      const api = createApi(other.url);
      await ask(api, "/second", id);
      assert.deepEqual(pathsIn(await wholeTimeline(api, id)), ["/first", "/second"]);
    });
  }
});

/** Runs a function 32 times at once. */
async function inParallel(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: 32 }, work));
}

/** Retrieves a session, and records a request in it. */
async function retrieveAndRecord(api: Api, id: string): Promise<void> {
  sessionOf(await api.retrieve(id));
  acceptedOf(await post(api, id, visit("/second")));
}

/** Returns the settings of an engine with `storeVisitors` always. */
function always({ empty }: Engine): () => Promise<Partial<Config>> {
  return async () => ({ ...(await empty()), storeVisitors: "always" });
}
