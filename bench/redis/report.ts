import { DISTURBED, median } from "../measure.ts";
import { type Figure, middleFigure, type Results, ratioOf } from "../results.ts";
import { number, table } from "../table.ts";
import { OPERATIONS, type RedisOperation } from "./loads.ts";
import type { RedisResult } from "./measure.ts";
import type { Topology } from "./store.ts";
import { redisSubjects } from "./subjects.ts";

const OURS = "antechamber-1";
const PEER = "fastify-session";

/** Returns, for each round, our requests per second divided by the peer's, on the same Redis. */
export function overPeer(
  all: RedisResult[],
  topology: Topology,
  operation: RedisOperation,
  subject = OURS,
): Figure | undefined {
  return besidePeer(all, { topology, operation, subject }, ratioOfRates);
}

/**
 * Returns our requests per CPU second of the servers divided by the peer's. This ratio matters if Redis runs on
 * machines of its own, as a cluster does.
 */
export function coreOverPeer(
  all: RedisResult[],
  topology: Topology,
  operation: RedisOperation,
  subject = OURS,
): Figure | undefined {
  return besidePeer(all, { topology, operation, subject }, (own, peer) => ({
    value: peer.serverCpuPer100k / own.serverCpuPer100k,
    disturbed: ratioOfRates(own, peer).disturbed,
  }));
}

/** Returns our requests per CPU second of the servers and Redis divided by the peer's. */
function cpuOverPeer(all: RedisResult[], topology: Topology, operation: RedisOperation, subject: string) {
  return besidePeer(all, { topology, operation, subject }, (own, peer) => ({
    value: cpuOf(peer) / cpuOf(own),
    disturbed: ratioOfRates(own, peer).disturbed,
  }));
}

function cpuOf({ serverCpuPer100k, redisCpuPer100k }: RedisResult): number {
  return serverCpuPer100k + redisCpuPer100k;
}

function ratioOfRates(own: RedisResult, peer: RedisResult): Figure {
  return ratioOf(own.measurement, peer.measurement);
}

function besidePeer(
  all: RedisResult[],
  what: Pick<RedisResult, "topology" | "operation" | "subject">,
  compare: (own: RedisResult, peer: RedisResult) => Figure,
): Figure | undefined {
  const of = (name: string) =>
    all.filter((one) => one.topology === what.topology && one.operation === what.operation && one.subject === name);
  const ratios = of(what.subject).flatMap((own) => {
    const peer = of(PEER).find((one) => one.round === own.round);
    return peer ? [compare(own, peer)] : [];
  });
  return middleFigure(ratios);
}

/**
 * Returns the sections about Redis: operations on one Redis and on the cluster, the limit of Redis alone, and memory.
 */
export function redisSections({ redis, redisLimit, redisMemory }: Results): string[] {
  if (redis.length === 0) return [];
  const tables = (["single", "cluster"] as const).flatMap((topology) =>
    OPERATIONS.map((operation) => operationTable(redis, topology, operation)),
  );
  const limit = redisLimit.map(({ operation, commands, perSecond }) => [
    operation,
    String(commands.length),
    commands.map((one) => `${one.name} ${number(one.perSecond, 0)}`).join(", "),
    number(perSecond, 0),
  ]);
  const memory = redisMemory.map(({ subject, sessions, bytesPerSession }) => [
    titleOf(subject),
    number(sessions, 0),
    number(bytesPerSession, 0),
  ]);
  return [
    ...tables,
    limit.length === 0
      ? ""
      : `## Redis alone\n\nWhat the service sends for one request, by \`redis-benchmark\`, one after another.\n\n${table(
          ["", "round trips", "a second", "all of them a second"],
          limit,
        )}`,
    memory.length === 0
      ? ""
      : `## Memory in Redis\n\nSessions with a customer and two visit ids, 32 characters each.\n\n${table(
          ["", "sessions", "bytes a session"],
          memory,
        )}`,
  ];
}

function titleOf(name: string): string {
  return redisSubjects.find((one) => one.name === name)?.title ?? name;
}

function operationTable(all: RedisResult[], topology: Topology, operation: RedisOperation): string {
  const own = all.filter((one) => one.topology === topology && one.operation === operation);
  const rows = redisSubjects.flatMap(({ name, title }) => {
    const rounds = own.filter((one) => one.subject === name);
    if (rounds.length === 0) return [];
    const of = (pick: (result: RedisResult) => number, decimals: number) => number(median(rounds.map(pick)), decimals);
    const commands = Object.entries(rounds[0]?.commands ?? {});
    return [
      [
        title,
        of(({ measurement }) => measurement.perSecond, 0),
        number(overPeer(all, topology, operation, name)?.value, 2),
        number(cpuOverPeer(all, topology, operation, name)?.value, 2),
        number(coreOverPeer(all, topology, operation, name)?.value, 2),
        of(({ measurement }) => measurement.p50, 2),
        of(({ measurement }) => measurement.p99, 2),
        of((one) => one.serverCpuPer100k, 2),
        of((one) => one.redisCpuPer100k, 2),
        `${of((one) => one.warmUp.seconds, 0)}${rounds.every((one) => one.warmUp.isSteady) ? "" : ", not steady"}`,
        commands.map(([command, each]) => `${command} ${each}`).join(", ") || "none",
      ],
    ];
  });
  if (rows.length === 0) return "";
  const disturbed = own.some(({ measurement }) => measurement.disturbed > DISTURBED);
  const columns = [
    ...["", "requests/s", `of ${PEER}`, "by all CPU", "by the servers' CPU", "p50 ms", "p99 ms"],
    ...["CPU s / 100k, servers", "Redis", "warm-up s", "commands a request"],
  ];
  const where = topology === "single" ? "one Redis" : "a cluster of 3 + 3";
  const load = Math.max(...own.map(({ loadAverage }) => loadAverage));
  const note = disturbed ? `\n\nOthers used the machine during some of these (load average up to ${load}).` : "";
  return `## Over ${where}: ${operation}\n\n${table(columns, rows)}${note}`;
}
