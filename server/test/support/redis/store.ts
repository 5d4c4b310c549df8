import { parseStoreUrl, type StoreUrl } from "../../../src/config/store-url.ts";
import type { StoreEngine } from "../../../src/store/ports/engine.ts";
import type { RedisPlace } from "../../../src/store/redis/connection/place.ts";
import type { RedisStoreOptions } from "../../../src/store/redis/options.ts";
import { openRedisStore } from "../../../src/store/redis/redis-store.ts";
import { MAX_RECORDS, RETENTION } from "../../store/contract/world.ts";
import { lifetimes } from "../sessions.ts";
import { unheard } from "../store-events.ts";

type Given = Partial<RedisStoreOptions> & Partial<Pick<RedisPlace, "caFile" | "certFile" | "keyFile">>;

/** Opens the store at a URL of the setting `store`, with the lifetimes and limits of the tests in `contract/`. */
export function openRedisAt(url: string, given: Given = {}): Promise<StoreEngine> {
  return openRedisStore(redisOptions(url, given));
}

/** Returns a function that does the same as `openRedisAt`, and one that closes all stores that it has opened. */
export function collectStores() {
  const opened: StoreEngine[] = [];
  return {
    async open(...options: Parameters<typeof openRedisAt>): Promise<StoreEngine> {
      const store = await openRedisAt(...options);
      opened.push(store);
      return store;
    },
    async closeAll(): Promise<void> {
      await Promise.all(opened.map((store) => store.close()));
    },
  };
}

/** Returns the options with which `openRedisAt` opens the store. */
export function redisOptions(url: string, { caFile, certFile, keyFile, ...more }: Given = {}): RedisStoreOptions {
  const place = parseStoreUrl(url) as Extract<StoreUrl, { engine: "redis" }>;
  return {
    place: { ...place, caFile, certFile, keyFile, sentinelUsername: undefined, sentinelPassword: undefined },
    prefix: "ac:",
    lifetimes,
    events: unheard,
    now: Date.now(),
    wall: Date.now,
    purpose: "command",
    maxRecords: MAX_RECORDS,
    retention: RETENTION,
    eventRetention: null,
    maxPending: 10_000,
    timeout: 30_000,
    minReplicasAck: 0,
    openTimeout: 30_000,
    ...more,
  };
}
