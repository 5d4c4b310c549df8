import { allAnswered, type Measurement, measureWhile, median, round } from "../measure.ts";
import type { Options } from "../options.ts";
import { temporaryFolder } from "../processes.ts";
import type { RequestTemplate } from "../requests.ts";
import { collectTickets, SESSIONS } from "../tickets.ts";
import { cpuSeconds, tree } from "../usage.ts";
import { verify } from "../verify.ts";
import { CONNECTIONS, Exhausted, type Load, type LoadResult, load } from "../wrk.ts";
import type { Store, Topology } from "./store.ts";
import { type RedisSubject, redisSubjects, type Servers } from "./subjects.ts";

/** The measured operations. Retrieving an anonymous session is left out, because no such session is stored. */
const OPERATIONS = ["retrieve", "create-anonymous", "create-with-ids", "associate", "record"] as const;
export type RedisOperation = (typeof OPERATIONS)[number];

/** The result for one operation of one subject on one store in one round. */
export type RedisResult = {
  round: number;
  topology: Topology;
  subject: string;
  operation: RedisOperation;
  /** The measurement of all processes together, including Redis. */
  measurement: Measurement;
  /** CPU seconds per 100,000 requests: of the servers, and of Redis including its replicas. */
  serverCpuPer100k: number;
  redisCpuPer100k: number;
  /** How many commands of each name Redis executed per request. */
  commands: Record<string, number>;
};

/** A record like those that services make of their requests. */
export const record: RequestTemplate = {
  method: "POST",
  path: "/sessions/{ticket}/requests",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    method: "GET",
    path: "/help/articles/10000/reset-a-password",
    status: 200,
    durationMs: 12.5,
    service: "help.example.org",
  }),
};

type Bench = {
  store: Store;
  subject: RedisSubject;
  servers: Servers;
  options: Options;
  folder: string;
};

/** Measures all subjects on the same Redis, emptied before each. Each round begins with a different subject. */
export async function measureStore(
  store: Store,
  roundNumber: number,
  options: Options,
  report: (result: RedisResult) => void,
): Promise<void> {
  const chosen = redisSubjects.filter(({ topologies }) => topologies.includes(store.topology));
  const turn = Math.round(((roundNumber - 1) * chosen.length) / options.rounds);
  for (const subject of [...chosen.slice(turn), ...chosen.slice(0, turn)]) {
    store.reset();
    const servers = await subject.start(store);
    const folder = temporaryFolder();
    try {
      const bench = { store, subject, servers, options, folder: folder.path };
      for (const url of servers.urls) await verify(subject, { url });
      let rate = 0;
      for (const operation of OPERATIONS) {
        if (operation === "record" && subject.group !== "ours") continue;
        const found = await measureOne(bench, operation, rate);
        if (operation === "create-with-ids") rate = found.measurement.perSecond;
        const { topology } = store;
        report({ round: roundNumber, topology, subject: subject.name, operation, ...found });
      }
    } finally {
      await servers.close();
      folder.remove();
    }
  }
}

type Found = Omit<RedisResult, "round" | "topology" | "subject" | "operation">;

async function measureOne(bench: Bench, operation: RedisOperation, rate: number, reserve = 3): Promise<Found> {
  const { store, servers, options } = bench;
  const { seconds, warmUp } = options;
  const loads = await prepare(bench, operation, Math.ceil(reserve * rate * (warmUp + seconds)));
  try {
    const warm = await all(loads.map((one) => ({ ...one, seconds: warmUp })));
    // Also skips the tickets of requests that were still in progress, and so not counted, at the end of the warm-up.
    const used = (index: number) => (warm.each[index]?.requests ?? 0) + 2 * CONNECTIONS;
    const measured = loads.map((one, index) => ({
      ...one,
      seconds,
      first: (one.first ?? 0) + used(index),
    }));
    const before = read(bench);
    const measurement = await measureWhile([...servers.pids, ...store.pids], async () => {
      const { result } = await all(measured);
      return result;
    });
    allAnswered(`${bench.subject.name}, ${operation}`, measurement);
    return { measurement, ...spent(before, read(bench), measurement.requests) };
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error;
    return measureOne(bench, operation, rate, 2 * reserve);
  }
}

/** Returns a load for each server. Together they have as many connections as the one load of other measurements. */
async function prepare(bench: Bench, operation: RedisOperation, fresh: number): Promise<Load[]> {
  const { servers, folder } = bench;
  const connections = Math.floor(CONNECTIONS / servers.urls.length);
  const each = await requestOf(bench, operation, fresh);
  const part = (each.tickets?.count ?? 0) / servers.urls.length;
  return servers.urls.map((url, index) => {
    const first = each.order === "once" ? { first: Math.floor(index * part) } : {};
    return { url, folder, seconds: 1, connections, ...each, ...first };
  });
}

/**
 * Returns the request of an operation, and tickets of sessions that all servers know. If each session can be used only
 * once, creates `fresh` new ones.
 */
async function requestOf(
  { subject, servers, folder }: Bench,
  operation: RedisOperation,
  fresh: number,
): Promise<Pick<Load, "request" | "tickets" | "order">> {
  const { createAnonymous, createWithIds, retrieve, associate } = subject.requests;
  const [url = ""] = servers.urls;
  const tickets = (request: RequestTemplate, count: number) => collectTickets(subject, url, request, folder, count);
  switch (operation) {
    case "create-anonymous":
      return { request: createAnonymous };
    case "create-with-ids":
      return { request: createWithIds };
    case "retrieve":
      return { request: retrieve, tickets: await tickets(createWithIds, SESSIONS) };
    case "record":
      return { request: record, tickets: await tickets(createWithIds, SESSIONS) };
    case "associate": {
      const count = fresh + 4 * CONNECTIONS * servers.urls.length;
      return { request: associate, tickets: await tickets(createAnonymous, count), order: "once" };
    }
  }
}

/** Runs several loads at the same time. Returns the total, and the result of each load. */
async function all(loads: Load[]): Promise<{ result: LoadResult; each: LoadResult[] }> {
  const each = await Promise.all(loads.map((one) => load(one)));
  const sum = (figure: keyof LoadResult) => each.reduce((total, one) => total + one[figure], 0);
  const result = {
    requests: sum("requests"),
    perSecond: sum("perSecond"),
    p50: round(median(each.map(({ p50 }) => p50)), 3),
    p99: Math.max(...each.map(({ p99 }) => p99)),
    max: Math.max(...each.map(({ max }) => max)),
    refused: sum("refused"),
    broken: sum("broken"),
  };
  return { result, each };
}

function read({ store, servers }: Bench) {
  return {
    servers: cpuSeconds(tree(servers.pids)),
    redis: cpuSeconds(store.pids),
    commands: store.commands(),
  };
}

function spent(before: ReturnType<typeof read>, after: ReturnType<typeof read>, requests: number) {
  const per100k = 100_000 / requests;
  const commands: Record<string, number> = {};
  for (const [name, calls] of Object.entries(after.commands)) {
    const each = round((calls - (before.commands[name] ?? 0)) / requests, 2);
    // A count that rounds to 0 is of a command that the processes send by themselves, not for requests.
    if (each > 0) commands[name] = each;
  }
  return {
    serverCpuPer100k: round((after.servers - before.servers) * per100k, 3),
    redisCpuPer100k: round((after.redis - before.redis) * per100k, 3),
    commands,
  };
}
