import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/values.ts";
import { createRateLimits, type LimitOptions, type RateLimits } from "../http/app/rate-limits.ts";
import { createRateLimiter } from "../limits/rate-limiter.ts";
import { startUsageSync } from "../limits/usage-sync.ts";
import { openRedisCounters } from "../store/redis/shared-counters.ts";
import type { TimeSource } from "./clock.ts";
import { OPEN_TIMEOUT_MS, redisPlaceOf } from "./open-store.ts";

/** Limits that are to be closed. */
export interface RunningLimits {
  /** `undefined` where nobody is limited. */
  readonly limits: RateLimits | undefined;
  close(): void;
}

/**
 * The limits that `config` sets: of this process, or over Redis of all that share the store. Throws
 * `StoreOpenError`.
 */
export async function startLimits(config: Config, time: TimeSource): Promise<RunningLimits> {
  const { store, redisPrefix } = config;
  const options = optionsOf(config, time);
  const own = createRateLimits({ ...options, limiterOf: (_name, rate) => createRateLimiter(rate) });
  if (own === undefined || store.engine === "sqlite")
    return { limits: own, close: () => undefined };
  const place = redisPlaceOf(store, config);
  const shares = await openRedisCounters({
    place,
    prefix: redisPrefix,
    openTimeout: OPEN_TIMEOUT_MS,
  });
  const exchange = startUsageSync(shares, time.monotonic);
  return {
    limits: createRateLimits({ ...options, limiterOf: exchange.limiterOf }),
    close() {
      exchange.close();
      shares.close();
    },
  };
}

/**
 * On a loopback address every peer is this machine itself, which is not limited, unless one of them is
 * a proxy that tells for whom it asks; on a socket, whoever connects may tell. In mode `local` there are
 * no credentials.
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
