import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { SERVER_CORE, start } from "../processes.ts";
import { byCookie } from "../requests.ts";
import { inCookie, type Running, type Subject } from "../subject.ts";
import { type Persistence, persistence, startRedis } from "./redis.ts";

const HERE = import.meta.dirname;

/** Returns the path of the Node or Bun that the server's launcher uses. */
export function runtime(name: "bun" | "node"): string {
  const script = join(HERE, "..", "..", "scripts", "runtime");
  return execFileSync(script, [name], { encoding: "utf8" }).trim();
}

/** The session service of express-session and connect-redis. */
export function expressSession(kept: Persistence): Subject {
  return nodePeer("express-session", "express-session + connect-redis", "express.ts", kept);
}

/** The session service of @fastify/session and connect-redis. */
export function fastifySession(kept: Persistence): Subject {
  return nodePeer("fastify-session", "@fastify/session + connect-redis", "fastify.ts", kept);
}

function nodePeer(name: string, title: string, file: string, kept: Persistence): Subject {
  return {
    name: `${name}${persistence[kept].suffix}`,
    title: `${title}, ${persistence[kept].title}`,
    group: "peers",
    durable: persistence[kept].durable,
    requests: byCookie,
    ticket: inCookie,
    operations: ["retrieve", "create-anonymous", "create-with-ids", "associate"],
    start: () => startNodePeer(join(HERE, "..", "peers", file), kept),
  };
}

async function startNodePeer(file: string, kept: Persistence): Promise<Running> {
  const redis = await startRedis(kept);
  const server = await start(runtime("node"), [file], {
    cores: [SERVER_CORE],
    env: { NODE_ENV: "production", REDIS_URL: `redis://127.0.0.1:${redis.port}` },
    ready: /listening on (http:\S+)/,
  });
  const close = async () => {
    await server.close();
    await redis.close();
  };
  return { url: server.ready, pids: [server.pid, redis.pid], close };
}
