// Compares the store for express-session with connect-redis: what a page costs that reads its session, and one that also
// changes it. Prints microseconds of CPU time, as the median of the rounds.
//
//   $(scripts/runtime bun) bench/session-stores.ts [rounds] [requests]
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { LOAD_CORE, SERVER_CORE, type Started, start } from "./processes.ts";
import { startAntechamber } from "./subjects/antechamber.ts";
import { runtime } from "./subjects/node-peers.ts";
import { startRedis } from "./subjects/redis.ts";
import { cpuSeconds, tree } from "./usage.ts";

const [rounds = 3, requests = 10_000] = process.argv.slice(2).map(Number);
const VISITORS = 500;
const CONNECTIONS = 16;
const APPLICATION = join(import.meta.dirname, "peers", "express-session-application.ts");

/** A store of sessions, started for one round. */
interface Store {
  readonly pids: number[];
  readonly env: Record<string, string>;
  close(): Promise<void>;
}

const stores: Record<string, () => Promise<Store>> = {
  "Antechamber (SQLite, fsync)": async () => {
    const { url, pids, close } = await startAntechamber("bun", { core: LOAD_CORE });
    return { pids, env: { SESSIONS_URL: url }, close };
  },
  "connect-redis (no AOF)": () => redis("memory"),
  "connect-redis (appendfsync always)": () => redis("always"),
};

async function redis(kept: "memory" | "always"): Promise<Store> {
  const { pid, port, close } = await startRedis(kept);
  return { pids: [pid], env: { REDIS_URL: `redis://127.0.0.1:${port}` }, close };
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** Sends a request and returns the session's cookie of the response; the given one if there is none. */
function visit(url: string, cookie: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: cookie ? { cookie } : {} }, (response) => {
      const [set = cookie] = response.headers["set-cookie"] ?? [];
      response.resume().on("end", () => resolve(set.split(";")[0] ?? ""));
      if (response.statusCode !== 200) reject(new Error(`${url} responded ${response.statusCode}`));
    }).on("error", reject);
  });
}

async function visitAll(url: string, cookies: string[], count: number): Promise<void> {
  let sent = 0;
  const visitInTurn = async () => {
    while (sent < count) {
      const at = sent++ % cookies.length;
      cookies[at] = await visit(url, cookies[at] ?? "");
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, visitInTurn));
}

/** Microseconds of CPU time for one request. */
interface Cost {
  readonly application: number;
  readonly store: number;
}

async function measure(application: Started, store: Store, path: string, cookies: string[]): Promise<Cost> {
  const url = `${application.ready}${path}`;
  await visitAll(url, cookies, requests / 4);
  const cpu = () => [cpuSeconds([application.pid]), cpuSeconds(tree(store.pids))] as const;
  const before = cpu();
  await visitAll(url, cookies, requests);
  const after = cpu();
  const cost = (at: 0 | 1) => (1e6 * (after[at] - before[at])) / requests;
  return { application: cost(0), store: cost(1) };
}

async function measureStore(name: string): Promise<Record<string, Cost>> {
  const store = await stores[name]?.();
  assert.ok(store);
  try {
    const env = { NODE_ENV: "production", ...store.env };
    const application = await start(runtime("node"), [APPLICATION], {
      cores: [SERVER_CORE],
      env,
      ready: /listening on (http:\S+)/,
    });
    try {
      const cookies = Array.from({ length: VISITORS }, () => "");
      await visitAll(`${application.ready}/sign-in`, cookies, VISITORS);
      assert.ok(cookies.every((cookie) => cookie !== ""));
      return {
        read: await measure(application, store, "/read", cookies),
        "read and change": await measure(application, store, "/page", cookies),
      };
    } finally {
      await application.close();
    }
  } finally {
    await store.close();
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const names = Object.keys(stores);
const results = new Map(names.map((name) => [name, [] as Record<string, Cost>[]]));
for (let round = 0; round < rounds; round++) {
  for (const name of round % 2 === 0 ? names : names.toReversed()) results.get(name)?.push(await measureStore(name));
}
for (const page of ["read", "read and change"]) {
  console.log(`\n${page}: µs of CPU time for a request\n`);
  console.log("| store | application | store | both |\n|---|---|---|---|");
  for (const [name, found] of results) {
    const application = median(found.map((each) => each[page]?.application ?? Number.NaN));
    const store = median(found.map((each) => each[page]?.store ?? Number.NaN));
    console.log(`| ${name} | ${application.toFixed(0)} | ${store.toFixed(0)} | ${(application + store).toFixed(0)} |`);
  }
}
agent.destroy();
