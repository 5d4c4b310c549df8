import { DISTURBED } from "./measure.ts";
import type { RedisOperation } from "./redis/loads.ts";
import { coreOverPeer, overPeer } from "./redis/report.ts";
import { best, type Figure, middleFigure, type Results, ratio, ratioOf, recordingRatio } from "./results.ts";
import type { Operation } from "./subject.ts";

/** A figure that the service should reach. */
export type Target = {
  what: string;
  /** The required value as a phrase, such as "at least 0.70". */
  target: string;
  /** The figure of this run. It is missing, like `holds`, if the run did not measure it. */
  reached?: number;
  holds?: boolean;
  unit: "" | " ms" | " bytes" | " a second";
  /** Whether other programs disturbed the measurement in every round. Then the figure is not reliable. */
  disturbed: boolean;
};

const OURS = "antechamber-bun";
const LIMITS = ["nginx-return", "nginx-file"];
const NODE_PEERS = ["express-session", "fastify-session"];
const DURABLE_PEERS = ["express-session-aof", "fastify-session-aof", "nginx-lua-aof"];

/** Returns all targets with the figures of this run. */
export function targets(results: Results): Target[] {
  return [
    atLeast("retrieve, of nginx static", 0.7, ofLimit(results, "retrieve")),
    atLeast("retrieve, of the best Node peer", 4, ofBest(results, "retrieve", NODE_PEERS)),
    atLeast("create-anonymous, of nginx static", 0.65, ofLimit(results, "create-anonymous")),
    ...(["create-with-ids", "associate"] as const).map((operation) =>
      atLeast(`${operation}, of the best peer with appendfsync always`, 1.5, ofBest(results, operation, DURABLE_PEERS)),
    ),
    atLeast(
      "associate-rotate, of associate alone",
      0.9,
      ratio(results, [OURS, "associate-rotate"], [OURS, "associate"]),
    ),
    ...slowDiskTargets(results),
    ...recordTargets(results),
    ...growthTargets(results),
    ...redisTargets(results),
  ];
}

/** Returns the faster of the two subjects in which nginx sends a static body. */
export function limitOf(results: Results): string | undefined {
  return best(results, "retrieve", LIMITS);
}

function ofLimit(results: Results, operation: Operation): Figure | undefined {
  const limit = limitOf(results);
  return limit ? ratio(results, [OURS, operation], [limit, "retrieve"]) : undefined;
}

function ofBest(results: Results, operation: Operation, peers: string[]): Figure | undefined {
  const peer = best(results, operation, peers);
  return peer ? ratio(results, [OURS, operation], [peer, operation]) : undefined;
}

function slowDiskTargets(results: Results): Target[] {
  const bounded = results.slowDisk
    .filter((result) => result.subject === OURS)
    .flatMap((result) => {
      const beside = result.beside.find(({ writers }) => writers === "1,000 a second");
      return beside ? [{ alone: result.alone, reads: beside.reads }] : [];
    });
  const p99 = bounded.map(({ reads }) => ({
    value: reads.p99,
    disturbed: reads.disturbed > DISTURBED,
  }));
  const what = "5 ms per fsync, retrieve beside 1,000 creates a second";
  return [
    atLeast(`${what}, of retrieve alone`, 0.8, middleFigure(bounded.map(({ alone, reads }) => ratioOf(reads, alone)))),
    atMost(`${what}, p99`, 5, middleFigure(p99), " ms"),
  ];
}

function recordTargets({ records }: Results): Target[] {
  const stored = records
    .filter(({ subject, recording }) => subject === OURS && recording === "batches")
    .map(({ recordsPerSecond, measurement }) => ({
      value: recordsPerSecond,
      disturbed: measurement.disturbed > DISTURBED,
    }));
  return [
    atLeast("forward-auth, which records, of retrieve", 0.6, recordingRatio(records, OURS, "forward-auth")),
    atLeast("records in batches of 100, on disk", 100_000, middleFigure(stored), " a second"),
  ];
}

function redisTargets({ redis, redisMemory }: Results): Target[] {
  const single = (operation: RedisOperation) => `over one Redis: ${operation}, of @fastify/session on the same`;
  const cluster = (operation: RedisOperation) => `over a cluster: ${operation}, of @fastify/session on the same`;
  const changes = ["create-with-ids", "associate"] as const;
  const speed =
    redis.length === 0
      ? []
      : [
          atLeast(single("retrieve"), 2.3, overPeer(redis, "single", "retrieve")),
          ...changes.map((operation) => atLeast(single(operation), 1.5, overPeer(redis, "single", operation))),
          atLeast(cluster("retrieve"), 2.3, overPeer(redis, "cluster", "retrieve")),
          // Here all processes of the cluster share the servers' core. In a real one they have machines of their own.
          ...changes.flatMap((operation) => [
            atLeast(cluster(operation), 1, overPeer(redis, "cluster", operation)),
            atLeast(`${cluster(operation)}, by the servers' CPU`, 2, coreOverPeer(redis, "cluster", operation)),
          ]),
        ];
  const memory = redisMemory
    .filter(({ subject }) => subject === "antechamber-1")
    .map(({ bytesPerSession }) => ({ value: bytesPerSession, disturbed: false }));
  if (memory.length === 0) return speed;
  return [...speed, atMost("in Redis, a session with three ids", 1000, middleFigure(memory), " bytes")];
}

function growthTargets({ growth }: Results): Target[] {
  const sizes = growth.map((result) => result.sessions);
  const of = (size: number) => growth.filter((result) => result.sessions === size);
  const [smallest, largest] = [of(Math.min(...sizes)), of(Math.max(...sizes))];
  const pairs = largest.flatMap((large) => {
    const small = smallest.find((result) => result.round === large.round);
    return small ? [ratioOf(large.retrieve, small.retrieve)] : [];
  });
  const count = (largest[0]?.sessions ?? 1e7).toLocaleString("en");
  return [
    atLeast(`retrieve over ${count} sessions, of the smallest store`, 0.6, middleFigure(pairs)),
    atMost(
      `on disk, a session of ${count}`,
      300,
      middleFigure(largest.map((result) => ({ value: result.bytesPerSession, disturbed: false }))),
      " bytes",
    ),
  ];
}

function atLeast(what: string, target: number, found: Figure | undefined, unit: Target["unit"] = ""): Target {
  const verdict = found && { reached: found.value, holds: found.value >= target };
  const disturbed = found?.disturbed ?? false;
  return { what, target: `at least ${target.toLocaleString("en")}`, unit, disturbed, ...verdict };
}

function atMost(what: string, target: number, found: Figure | undefined, unit: Target["unit"]): Target {
  const verdict = found && { reached: found.value, holds: found.value <= target };
  return {
    what,
    target: `at most ${target}`,
    unit,
    disturbed: found?.disturbed ?? false,
    ...verdict,
  };
}
