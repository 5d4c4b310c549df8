import { temporaryDirectory } from "../temporary-directory.ts";
import { type RedisNode, startRedis } from "./node.ts";
import { freePort } from "./ports.ts";

/** One Redis server, alone. `await using` ends it and removes its data. */
export interface SingleRedis extends AsyncDisposable {
  readonly url: string;
  readonly node: RedisNode;
}

/** How what was written is kept: not at all, or in a log of which every second is flushed, or each write. */
export type Persistence = "none" | "everysec" | "always";

/** The settings of a server that keeps what was written. */
export function persistenceSettings(persistence: Persistence): [name: string, word: string][] {
  return persistence === "none"
    ? []
    : [
        ["appendonly", "yes"],
        ["appendfsync", persistence],
      ];
}

/** Starts a server. */
export async function startSingleRedis(persistence: Persistence = "none"): Promise<SingleRedis> {
  const directory = temporaryDirectory();
  try {
    const node = await startRedis({
      host: "127.0.0.1",
      port: await freePort(),
      dir: directory.path,
      settings: persistenceSettings(persistence),
    });
    return {
      url: `redis://127.0.0.1:${node.port}`,
      node,
      async [Symbol.asyncDispose]() {
        await node[Symbol.asyncDispose]();
        directory.remove();
      },
    };
  } catch (error) {
    directory.remove();
    throw error;
  }
}
