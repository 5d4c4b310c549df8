import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/values.ts";
import { createRateLimits, type LimitOptions, type RateLimits } from "../http/rate-limits.ts";
import { createRateLimiter } from "../limits/rate-limiter.ts";
import { startUsageSync } from "../limits/shared-rate-limiter.ts";
import { openRedisCounters } from "../store/redis/shared-counters.ts";
import type { TimeSource } from "./clock.ts";
import { OPEN_TIMEOUT_MS, redisPlaceOf } from "./open-store.ts";

/** The rate limits of a running server, and a function that stops them. */
export interface RunningLimits {
  /** `undefined` if no rate limit is set. */
  readonly limits: RateLimits | undefined;
  close(): void;
}

/**
 * Creates the rate limits that `config` sets. With SQLite they count the requests of this process; with Redis all
 * processes that use the same Redis share them. Throws `StoreOpenError`.
 */
export async function startLimits(config: Config, time: TimeSource): Promise<RunningLimits> {
  const options = optionsOf(config, time);
  const own = createRateLimits({ ...options, limiterOf: (_name, rate) => createRateLimiter(rate) });
  const place = redisPlaceOf(config);
  if (own === undefined || place === undefined) return { limits: own, close: () => undefined };
  const shares = await openRedisCounters({
    place,
    prefix: config.redisPrefix,
    openTimeout: OPEN_TIMEOUT_MS,
  });
  const sync = startUsageSync(shares, time.monotonic);
  return {
    limits: createRateLimits({ ...options, limiterOf: sync.limiterOf }),
    close() {
      sync.close();
      shares.close();
    },
  };
}

/**
 * Decides which limits apply. Addresses are limited unless all clients have the address of this machine. That is so if
 * the server listens on a loopback address and no trusted proxy reports the addresses of its clients. On a Unix socket
 * every peer is trusted to report the address of its client. In the mode `local` there are no credentials to limit.
 */
function optionsOf(config: Config, time: TimeSource): Omit<LimitOptions, "limiterOf"> {
  const { host, auth, trustedProxies, socket } = config;
  const proxies = socket === undefined ? trustedProxies : undefined;
  const hasClients = proxies === undefined || proxies.length > 0 || !isLoopback(host);
  return {
    perAddress: hasClients ? config.perAddress : undefined,
    perCredential: auth === "local" ? undefined : config.perCredential,
    proxies,
    now: time.monotonic,
  };
}
