// The command line of the benchmarks: runs the chosen measurements and writes the results to files.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventSubjects, measureEventCost, measureEvents } from "./events.ts";
import { measureGrowth } from "./growth.ts";
import { currentCommit, describeMachine, machineName, timeCache } from "./machine.ts";
import { measureMiddleware } from "./middleware.ts";
import { measureOperations } from "./operations.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { measureRecordSizes } from "./record-sizes.ts";
import { measureRecords } from "./records.ts";
import { measureLimit } from "./redis/limit.ts";
import { measureStore } from "./redis/measure.ts";
import { measureMemory } from "./redis/memory.ts";
import { startStore, type Topology } from "./redis/store.ts";
import { redisSubjects } from "./redis/subjects.ts";
import { report } from "./report.ts";
import type { OperationResult, Results } from "./results.ts";
import { measureSlowDisk } from "./slow-disk.ts";
import type { Subject } from "./subject.ts";
import { subjects } from "./subjects/all.ts";

const REDIS_SECTIONS = ["single", "cluster", "limit", "memory"].map((part) => `redis-${part}`);
const SECTIONS = ["slow-disk", "records", "middleware", "growth", "events", "redis", ...REDIS_SECTIONS];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) {
    console.log(USAGE);
    return;
  }
  const chosen = choose(options.only);
  checkRedisSubjects(options.redisSubjects);
  const results: Results = {
    started: new Date().toISOString(),
    finished: "",
    commit: currentCommit(),
    machine: describeMachine(),
    options,
    cacheNs: [],
    operations: [],
    slowDisk: [],
    records: [],
    recordSizes: [],
    middleware: [],
    growth: [],
    events: [],
    redis: [],
    redisLimit: [],
    redisMemory: [],
  };
  const wanted = (section: string) => options.only.length === 0 || options.only.includes(section);
  for (let round = 1; round <= options.rounds; round++) {
    results.cacheNs.push(timeCache());
    await measureRound(results, chosen, round);
    if (wanted("slow-disk")) await measureSlowDisks(results, round);
    if (wanted("records")) await measureRecording(results, round);
    if (wanted("middleware")) await measureApplication(results, round);
    if (wanted("events")) await measureEventLog(results, round);
    for (const topology of ["single", "cluster"] as const) {
      if (wanted("redis") || wanted(`redis-${topology}`)) {
        await measureRedis(results, topology, round);
      }
    }
  }
  if (wanted("records")) {
    await measureRecordSizes(options, (result) => {
      results.recordSizes.push(result);
      say(`${result.arrival}: ${result.bytes} bytes a record, ${result.records} records`);
    });
  }
  if (wanted("growth")) {
    await measureGrowth(options, (result) => {
      results.growth.push(result);
      const { sessions, retrieve } = result;
      say(`${sessions} sessions: ${retrieve.perSecond}/s, ${result.bytesPerSession} bytes each`);
    });
  }
  if (wanted("redis") || wanted("redis-limit")) await measureRedisLimit(results);
  if (wanted("redis") || wanted("redis-memory")) await measureRedisMemory(results);
  results.finished = new Date().toISOString();
  save(results, options);
}

function choose(only: string[]): Subject[] {
  const known = [...SECTIONS, ...subjects.flatMap(({ name, group }) => [name, group])];
  const unknown = only.filter((word) => !known.includes(word));
  if (unknown.length > 0) throw new TypeError(`--only: ${unknown.join(", ")} is not known`);
  return subjects.filter(({ name, group }) => only.length === 0 || only.includes(name) || only.includes(group));
}

function checkRedisSubjects(names: string[]): void {
  const unknown = names.filter((name) => !redisSubjects.some((subject) => subject.name === name));
  if (unknown.length > 0) throw new TypeError(`--redis-subjects: ${unknown.join(", ")} is not known`);
}

/** Measures each chosen subject once. Each round begins with a different subject. */
async function measureRound(results: Results, chosen: Subject[], round: number): Promise<void> {
  const turn = Math.round(((round - 1) * chosen.length) / results.options.rounds);
  for (const subject of [...chosen.slice(turn), ...chosen.slice(0, turn)]) {
    await measureOperations(subject, round, results.options, (result) => {
      results.operations.push(result);
      say(line(result));
    });
  }
}

async function measureSlowDisks(results: Results, round: number): Promise<void> {
  for (const runtime of ["bun", "node"] as const) {
    const result = await measureSlowDisk(runtime, round, results.options);
    results.slowDisk.push(result);
    const beside = result.beside.map(({ writers, reads }) => `${reads.perSecond}/s (${writers})`);
    say(`slow disk, ${result.subject}: ${result.alone.perSecond}/s alone, ${beside.join(", ")}`);
  }
}

async function measureRecording(results: Results, round: number): Promise<void> {
  for (const runtime of ["bun", "node"] as const) {
    await measureRecords(runtime, round, results.options, (result) => {
      results.records.push(result);
      const { subject, recording, measurement, recordsPerSecond, drainMs } = result;
      const records = `${recordsPerSecond} records/s, on disk after ${drainMs} ms`;
      say(`${subject} ${recording}: ${measurement.perSecond}/s, ${records}`);
    });
  }
}

async function measureApplication(results: Results, round: number): Promise<void> {
  await measureMiddleware(round, results.options, (result) => {
    results.middleware.push(result);
    const { paced, full, middleware } = result;
    const latency = `p50 ${paced.p50} ms, p99 ${paced.p99} ms`;
    say(`Express ${middleware ? "with" : "without"} middleware: ${latency}, ${full.perSecond}/s`);
  });
}

async function measureEventLog(results: Results, round: number): Promise<void> {
  await measureEventCost(round, results.options, (result) => {
    results.operations.push(result);
    say(line(result));
  });
  await measureEvents(round, results.options, (result) => {
    results.events.push(result);
    const { channel, readers, p50, p99, publishedPerSecond, deliveredPerSecond } = result;
    const rates = `${publishedPerSecond}/s published, ${deliveredPerSecond}/s delivered`;
    say(`${channel} to ${readers}: p50 ${p50} ms, p99 ${p99} ms, ${rates}`);
  });
}

/** Measures all subjects on one Redis or one cluster. Each round starts a new Redis or cluster. */
async function measureRedis(results: Results, topology: Topology, round: number): Promise<void> {
  const store = await startStore(topology);
  try {
    await measureStore(store, round, results.options, (result) => {
      results.redis.push(result);
      const { serverCpuPer100k: own, redisCpuPer100k: redis, warmUp, loadAverage } = result;
      const warm = `${warmUp.isSteady ? "steady" : "not steady"} after ${warmUp.seconds} s, load average ${loadAverage}`;
      say(`${topology}: ${line(result)} (servers ${own}, Redis ${redis}; ${warm})`);
    });
  } finally {
    await store.close();
  }
}

async function measureRedisLimit(results: Results): Promise<void> {
  const store = await startStore("single");
  try {
    await measureLimit(store, results.options.seconds, (result) => {
      results.redisLimit.push(result);
      say(`redis-benchmark, ${result.operation}: ${JSON.stringify(result)}`);
    });
  } finally {
    await store.close();
  }
}

async function measureRedisMemory(results: Results): Promise<void> {
  const store = await startStore("single");
  try {
    for (const subject of ["antechamber-1", "express-session", "nginx-lua"]) {
      const sessions = results.options.quick ? 10_000 : 100_000;
      const result = await measureMemory(store, subject, sessions);
      results.redisMemory.push(result);
      say(`${subject}: ${result.bytesPerSession} bytes a session in Redis`);
    }
  } finally {
    await store.close();
  }
}

type Line = Omit<OperationResult, "operation"> & { operation: string };

function line({ round, subject, operation, measurement }: Line): string {
  const { perSecond, p50, p99, cpuPer100k, disturbed } = measurement;
  const note = disturbed > 0.05 ? `, disturbed ${Math.round(disturbed * 100)} %` : "";
  return `${round} ${subject} ${operation}: ${perSecond}/s, p50 ${p50} ms, p99 ${p99} ms, CPU ${cpuPer100k}${note}`;
}

function save(results: Results, options: Options): void {
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const name = options.name ?? machineName(results.machine);
  const base = join(folder, `${results.started.slice(0, 10)}-${name}${options.quick ? "-quick" : ""}`);
  const page = report(results, [...subjects, ...eventSubjects]);
  writeFileSync(`${base}.json`, `${JSON.stringify(results, undefined, 1)}\n`);
  writeFileSync(`${base}.md`, page);
  console.log(page);
  say(`written to ${base}.json and ${base}.md`);
}

function say(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof TypeError ? error.message : error);
  process.exitCode = error instanceof TypeError ? 64 : 1;
}
