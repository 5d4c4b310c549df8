import { freePort } from "../free-ports.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { type RedisNode, startRedis } from "./node.ts";

/** A single Redis server. `await using` ends it and removes its data. */
export interface SingleRedis extends AsyncDisposable {
  readonly url: string;
  readonly node: RedisNode;
}

/** Persistence: none, or a log that is flushed every second, or a log that is flushed at each write. */
export type Persistence = "none" | "everysec" | "always";

/** Settings of a server that stores its data. */
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
