import { join } from "node:path";
import { SERVER_CORE, start, temporaryFolder } from "../processes.ts";
import { byPath } from "../requests.ts";
import { inBody, type Running, type Subject } from "../subject.ts";

const LAUNCHER = join(import.meta.dirname, "..", "..", "server", "bin", "antechamber");

/** Our service on one of its two runtimes. */
export function antechamber(runtime: "bun" | "node"): Subject {
  return {
    name: `antechamber-${runtime}`,
    title: `Antechamber on ${runtime === "bun" ? "Bun" : "Node"}`,
    group: "ours",
    durable: "power cut",
    requests: byPath,
    ticket: inBody,
    operations: [
      "retrieve",
      "retrieve-anonymous",
      "retrieve-by-fetch",
      "create-anonymous",
      "create-with-ids",
      "associate",
      "associate-rotate",
    ],
    start: () => startAntechamber(runtime),
  };
}

type StartOptions = { dataDir?: string; env?: Record<string, string>; core?: number };

/**
 * Starts our service with its default settings, except for the port and the data folder (by default a new one, which is
 * deleted at the end). `core` is its CPU core.
 */
export async function startAntechamber(
  runtime: "bun" | "node",
  { dataDir, env = {}, core = SERVER_CORE }: StartOptions = {},
): Promise<Running> {
  const folder = dataDir ? undefined : temporaryFolder();
  const began = performance.now();
  const server = await start(LAUNCHER, ["serve"], {
    cores: [core],
    env: {
      ANTECHAMBER_RUNTIME: runtime,
      ANTECHAMBER_PORT: "0",
      ANTECHAMBER_DATA_DIR: dataDir ?? folder?.path ?? "",
      ...env,
    },
    ready: /antechamber listening on (http:\S+)/,
  });
  const startedInMs = Math.round(performance.now() - began);
  const close = async () => {
    await server.close();
    folder?.remove();
  };
  return { url: server.ready, pids: [server.pid], startedInMs, close };
}
