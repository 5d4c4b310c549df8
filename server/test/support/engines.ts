// needs: redis-server (not in test:quick)

import { after, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { serve, type TestServer, type TestServerOptions } from "./in-process.ts";
import type { SingleRedis } from "./redis/single.ts";
import { quick } from "./tier.ts";

/** Store engine of the servers of a suite. */
export interface Engine {
  readonly name: "SQLite" | "Redis";
  /** Registers a test whose name includes the engine. */
  test(name: string, run: () => Promise<void>): void;
  /** Returns the settings of a server over an empty store of this engine. */
  empty(): Promise<Partial<Config>>;
  /** Starts a server over an empty store of this engine. */
  serve(options?: TestServerOptions): Promise<TestServer>;
}

/**
 * Runs the tests of a file with each engine, because callers must notice no difference. Call it once in a file: it
 * starts one real Redis for all of its tests.
 */
export function onEachEngine(suite: (engine: Engine) => void): void {
  // Started by the first server that needs it, not by a hook: all hooks of a file run at once, so others may need it.
  let redis: Promise<SingleRedis> | undefined;
  let servers = 0;
  suite(engine("SQLite", async () => ({ store: { engine: "sqlite" } })));
  if (quick) return;
  suite(
    engine("Redis", async () => {
      redis ??= import("./redis/single.ts").then(({ startSingleRedis }) => startSingleRedis());
      const store = parseStoreUrl((await redis).url) as StoreUrl;
      return { store, redisPrefix: `s${servers++}:` };
    }),
  );
  after(async () => (await redis)?.[Symbol.asyncDispose]());
}

function engine(name: Engine["name"], empty: Engine["empty"]): Engine {
  return {
    name,
    empty,
    test: (what, run) => void test(`${name}: ${what}`, run),
    async serve({ config, ...more } = {}) {
      return await serve({ ...more, config: { ...(await empty()), ...config } });
    },
  };
}
