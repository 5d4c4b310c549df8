import { createConnection } from "node:net";
import { freePort, SERVER_CORE, type Started, start, temporaryFolder } from "../processes.ts";

/** The persistence of a peer's Redis: `memory` stores nothing on disk, `always` calls fsync for every change. */
export type Persistence = "memory" | "always";

/** For each kind of persistence: the suffix of the subject's name, a title, and the failure that the data survive. */
export const persistence = {
  memory: { suffix: "", title: "no AOF", durable: "nothing" },
  always: { suffix: "-aof", title: "appendfsync always", durable: "power cut" },
} as const;

/** Starts an empty Redis on the core for measured processes. */
export async function startRedis(kept: Persistence): Promise<Started & { port: number }> {
  const folder = temporaryFolder();
  const port = await freePort();
  const appendOnly = kept === "always" ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder.path, "--save", ""];
  const redis = await start("redis-server", [...args, ...appendOnly], {
    cores: [SERVER_CORE],
    ready: /Ready to accept connections/,
  });
  await reachable(port);
  const close = async () => {
    await redis.close();
    folder.remove();
  };
  return { ...redis, port, close };
}

/** Waits until a port on the loopback address accepts connections, at most 10 s. */
export async function reachable(port: number): Promise<void> {
  const until = Date.now() + 10_000;
  while (!(await accepts(port))) {
    if (Date.now() > until) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
