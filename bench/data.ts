import { allAnswered, type Measurement, measureWhile, median, round } from "./measure.ts";
import { temporaryFolder } from "./processes.ts";
import { startStore } from "./redis/store.ts";
import { byPath, type RequestTemplate } from "./requests.ts";
import { send } from "./send.ts";
import { inBody, type Running } from "./subject.ts";
import { startAntechamber } from "./subjects/antechamber.ts";
import { collectTickets, SESSIONS } from "./tickets.ts";
import { type Load, load } from "./wrk.ts";

/*
 * Measures session data beside the operations that are most like them, in short windows that take turns, so that the load
 * of other programs falls on both: retrieving with data of 1 KB beside retrieving, and merging 1 KB beside associating.
 * Prints CPU time, because throughput depends on what else runs. Usage: bench/data.ts [seconds of a window] [rounds]
 */

const [SECONDS = 3, ROUNDS = 5] = process.argv.slice(2).map(Number);
/** Number of sessions that are made for a window in which each is associated once. */
const MAX_ASSOCIATED = 40_000 * SECONDS;
const subject = { name: "antechamber-bun", ticket: inBody };
const json = { "content-type": "application/json" };
/** Data of 1 KB: 30 members, of which one differs in each request. */
const members = Array.from({ length: 30 }, (_, i) => `"member-${i}":"${"x".repeat(18)}"`).join();
const merge: RequestTemplate = {
  method: "PATCH",
  path: "/sessions/{ticket}/data",
  headers: json,
  body: `{"cart":{${members}},"changed":"{unique}"}`,
};
const withData: RequestTemplate = { ...byPath.retrieve, path: "/sessions/{ticket}?include=data" };

type Results = Record<"retrieve" | "with data" | "associate" | "merge", Measurement[]>;

async function measureAll(running: Running, pids: number[]): Promise<Results> {
  const folder = temporaryFolder();
  const results: Results = { retrieve: [], "with data": [], associate: [], merge: [] };
  const { url } = running;
  const common = { url, folder: folder.path, seconds: SECONDS };
  const take = async (name: keyof Results, options: Omit<Load, "url" | "folder" | "seconds">) => {
    const measurement = await measureWhile(pids, () => load({ ...common, ...options }));
    allAnswered(name, measurement);
    results[name].push(measurement);
    return measurement;
  };
  try {
    const tickets = await collectTickets(subject, url, byPath.createWithIds, folder.path, SESSIONS);
    await load({ ...common, request: merge, tickets, order: "once", limit: SESSIONS, seconds: 60 }).catch(
      () => undefined,
    );
    const fresh = await send(url, byPath.createWithIds, "");
    if (!fresh.ok) throw new Error("no session was created");
    for (let i = 0; i < ROUNDS; i++) {
      await take("retrieve", { request: byPath.retrieve, tickets });
      await take("with data", { request: withData, tickets });
      await take("merge", { request: merge, tickets });
      const anonymous = await collectTickets(subject, url, byPath.createAnonymous, folder.path, MAX_ASSOCIATED);
      await take("associate", { request: byPath.associate, tickets: anonymous, order: "once" });
    }
    return results;
  } finally {
    folder.remove();
  }
}

function print(engine: string, results: Results): void {
  const cpu = (name: keyof Results) => median(results[name].map(({ cpuPer100k }) => cpuPer100k));
  const rate = (name: keyof Results) => Math.round(median(results[name].map(({ perSecond }) => perSecond)));
  const names = Object.keys(results) as (keyof Results)[];
  for (const name of names)
    console.log(`${engine}, ${name}: ${round(cpu(name), 2)} CPU s per 100,000, ${rate(name)}/s`);
  console.log(`${engine}, retrieve / with data: ${round(cpu("retrieve") / cpu("with data"), 2)}`);
  console.log(`${engine}, associate / merge: ${round(cpu("associate") / cpu("merge"), 2)}`);
}

const onSqlite = await startAntechamber("bun");
print("SQLite", await measureAll(onSqlite, onSqlite.pids));
await onSqlite.close();
const store = await startStore("single");
const onRedis = await startAntechamber("bun", { env: { ANTECHAMBER_STORE: store.url } });
print("Redis", await measureAll(onRedis, [...onRedis.pids, ...store.pids]));
await onRedis.close();
await store.close();
