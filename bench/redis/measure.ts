import { loadavg } from "node:os";
import { allAnswered, type Measurement, measureWhile, round } from "../measure.ts";
import type { Options } from "../options.ts";
import { temporaryFolder } from "../processes.ts";
import { cpuSeconds, tree } from "../usage.ts";
import { verify } from "../verify.ts";
import { createLoad, OPERATIONS, type RedisOperation, type RunLoad, type Target } from "./loads.ts";
import type { Store, Topology } from "./store.ts";
import { redisSubjects } from "./subjects.ts";
import { type WarmUp, warmUntilSteady } from "./warm-up.ts";

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
  warmUp: WarmUp;
  /** Average number of runnable processes on the machine in the last minute, including those of the benchmark. */
  loadAverage: number;
};

type Bench = Target & { store: Store };

/** Measures all subjects on the same Redis, emptied before each. Each round begins with a different subject. */
export async function measureStore(
  store: Store,
  roundNumber: number,
  options: Options,
  report: (result: RedisResult) => void,
): Promise<void> {
  const { redisSubjects: names } = options;
  const chosen = redisSubjects.filter(
    ({ name, topologies }) => topologies.includes(store.topology) && (names.length === 0 || names.includes(name)),
  );
  const turn = Math.round(((roundNumber - 1) * chosen.length) / options.rounds);
  for (const subject of [...chosen.slice(turn), ...chosen.slice(0, turn)]) {
    store.reset();
    const servers = await subject.start(store);
    const folder = temporaryFolder();
    try {
      const bench = { store, subject, servers, folder: folder.path };
      for (const url of servers.urls) await verify(subject, { url });
      let rate = 0;
      for (const operation of OPERATIONS) {
        if (operation === "record" && subject.group !== "ours") continue;
        const found = await measureOne(bench, await createLoad(bench, operation, rate), operation, options.seconds);
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

/** Warms a subject up with the load of an operation, and then measures it. */
async function measureOne(bench: Bench, run: RunLoad, operation: RedisOperation, seconds: number): Promise<Found> {
  const pids = [...bench.servers.pids, ...bench.store.pids];
  const what = `${bench.subject.name}, ${operation}`;
  const warmUp = await warmUntilSteady(() =>
    run(1, async (send) => {
      const before = cpuSeconds(tree(pids));
      const result = await send();
      allAnswered(what, result);
      return (cpuSeconds(tree(pids)) - before) / result.requests;
    }),
  );
  return run(seconds, async (send) => {
    const before = read(bench);
    const measurement = await measureWhile(pids, send);
    allAnswered(what, measurement);
    const loadAverage = round(loadavg()[0] ?? 0, 1);
    return { measurement, warmUp, loadAverage, ...spent(before, read(bench), measurement.requests) };
  });
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
