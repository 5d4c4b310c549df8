import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Caller, createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** Several service processes that share one store, as behind a load balancer. */
export interface Services extends AsyncDisposable {
  readonly servers: readonly ServerProcess[];
  /** Clients, one for each service. */
  readonly callers: readonly Caller[];
  /** Returns the clients of the services that are still running. */
  running(): readonly Caller[];
  /** Waits until each service is ready, and changes on every node of the store succeed. */
  untilServing(milliseconds?: number): Promise<void>;
  /** Waits until the readiness probe of each service fails. */
  untilNotReady(milliseconds?: number): Promise<void>;
}

/** A time limit for Redis that is kept even if the machine stands still for a moment, so that nothing is refused. */
export const patient = { ANTECHAMBER_REDIS_TIMEOUT: "20s" };

/** Lifetimes that are long enough for no session to expire during a test. */
const LONG_LIVES = { ANTECHAMBER_ANONYMOUS_IDLE: "24h", ANTECHAMBER_RECOGNIZED_IDLE: "24h" };

/** Number of changes that `untilServing` tries: enough to reach every node of a cluster. */
const TRIALS = 24;

/** Starts one service on the store at `url` for each of `runtimes`. */
export async function startServices(
  url: string,
  runtimes: readonly ("bun" | "node")[],
  env: Readonly<Record<string, string>> = {},
): Promise<Services> {
  const settings = { ...LONG_LIVES, ANTECHAMBER_STORE: url, ...env };
  const started = await Promise.allSettled(runtimes.map((runtime) => startServer({ runtime, env: settings })));
  const servers = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const end = () => Promise.all(servers.map((server) => server.end()));
  for (const one of started) {
    if (one.status === "rejected") {
      await end();
      throw one.reason;
    }
  }
  const callers = servers.map((server) => createCaller(server.url, 64));
  const ended = new Set<ServerProcess>();
  for (const server of servers) void server.exited.finally(() => ended.add(server));
  const running = () => callers.filter((_caller, i) => !ended.has(servers[i] as ServerProcess));
  return {
    servers,
    callers,
    running,
    untilServing: (milliseconds = 60_000) =>
      until("every service serves", async () => await all(running(), serves), milliseconds),
    untilNotReady: (milliseconds = 60_000) =>
      until("no service is ready", async () => await all(running(), isNotReady), milliseconds),
    async [Symbol.asyncDispose]() {
      for (const caller of callers) caller[Symbol.dispose]();
      await end();
    },
  };
}

async function all(callers: readonly Caller[], condition: (caller: Caller) => Promise<boolean>): Promise<boolean> {
  assert.ok(callers.length > 0, "no service runs");
  return (await Promise.all(callers.map(condition))).every(Boolean);
}

async function serves(caller: Caller): Promise<boolean> {
  const trials = Array.from({ length: TRIALS }, () => caller.create({ visitId: randomUUID() }));
  const answers = await Promise.all([caller.get("/readyz"), ...trials]);
  return answers.every(({ status }) => status === 200);
}

async function isNotReady(caller: Caller): Promise<boolean> {
  return (await caller.get("/readyz")).status === 503;
}
