import { join } from "node:path";
import { SERVER_CORE, start } from "../processes.ts";
import { byCookie, byPath } from "../requests.ts";
import { inBody, inCookie, type Running, type Subject } from "../subject.ts";
import { startAntechamber } from "../subjects/antechamber.ts";
import { startLuaOver } from "../subjects/nginx-lua.ts";
import { runtime } from "../subjects/node-peers.ts";
import type { Store, Topology } from "./store.ts";

/** A service that is measured on a Redis which other subjects use before and after it. */
export type RedisSubject = Pick<Subject, "name" | "title" | "group" | "requests" | "ticket"> & {
  topologies: Topology[];
  start: (store: Store) => Promise<Servers>;
};

/** The processes of a subject, one or more. The load is spread evenly over them. */
export type Servers = { urls: string[]; pids: number[]; close: () => Promise<void> };

const PEERS = join(import.meta.dirname, "..", "peers");

/** All subjects that are measured with Redis. */
export const redisSubjects: RedisSubject[] = [
  ours(1),
  ours(2),
  ours(4),
  nodePeer("express-session", "express-session + connect-redis", "express.ts"),
  nodePeer("fastify-session", "@fastify/session + connect-redis", "fastify.ts"),
  {
    name: "nginx-lua",
    title: "nginx + Lua + Redis",
    group: "peers",
    // The Redis client of this subject does not support clusters.
    topologies: ["single"],
    requests: byPath,
    ticket: inBody,
    start: async ({ ports }) => {
      const { url, pids, close } = await startLuaOver(ports[0] ?? 0);
      return { urls: [url], pids, close };
    },
  },
];

function ours(processes: number): RedisSubject {
  return {
    name: `antechamber-${processes}`,
    group: "ours",
    title: `Antechamber, ${processes === 1 ? "one process" : `${processes} processes`}`,
    topologies: ["single", "cluster"],
    requests: byPath,
    ticket: inBody,
    start: ({ url }) =>
      together(
        Array.from({ length: processes }, () => () => startAntechamber("bun", { env: { ANTECHAMBER_STORE: url } })),
      ),
  };
}

/** Starts the processes one after another, because the first one creates data that the others share. */
async function together(starts: (() => Promise<Running>)[]): Promise<Servers> {
  const running: Running[] = [];
  for (const startOne of starts) running.push(await startOne());
  return {
    urls: running.map(({ url }) => url),
    pids: running.flatMap(({ pids }) => pids),
    close: async () => {
      await Promise.all(running.map(({ close }) => close()));
    },
  };
}

function nodePeer(name: string, title: string, file: string): RedisSubject {
  return {
    name,
    title,
    group: "peers",
    topologies: ["single", "cluster"],
    requests: byCookie,
    ticket: inCookie,
    async start({ topology, ports }) {
      const urls = ports.map((port) => `redis://127.0.0.1:${port}`);
      const where =
        topology === "single"
          ? { REDIS_URL: urls[0] ?? "" }
          : {
              REDIS_NODES: urls.join(","),
            };
      const server = await start(runtime("node"), [join(PEERS, file)], {
        cores: [SERVER_CORE],
        env: { NODE_ENV: "production", ...where },
        ready: /listening on (http:\S+)/,
      });
      return { urls: [server.ready], pids: [server.pid], close: server.close };
    },
  };
}
