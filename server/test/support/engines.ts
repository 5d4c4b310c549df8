// needs: redis-server (not in test:quick)

import { after, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { serve, type TestServer, type TestServerOptions } from "./in-process.ts";
import type { SingleRedis } from "./redis/single.ts";
import { quick } from "./tier.ts";

/** What a server of a suite keeps its sessions in. */
export interface Engine {
  readonly name: "SQLite" | "Redis";
  /** A test of which the name says the engine. */
  test(name: string, run: () => Promise<void>): void;
  /** The settings of a server over this engine, which holds nothing as yet. */
  empty(): Promise<Partial<Config>>;
  /** Starts a server over this engine, which holds nothing as yet. */
  serve(options?: TestServerOptions): Promise<TestServer>;
}

/**
 * Runs a file's suite over each engine: a caller is to notice no difference. One real Redis is started
 * for all of it; call this once in a file.
 */
export function onEachEngine(suite: (engine: Engine) => void): void {
  // With the first server that needs it: Node begins the hooks of a file all at once.
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
