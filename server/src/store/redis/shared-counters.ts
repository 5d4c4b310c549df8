import type { Remaining, SharedCounters, Usage } from "../../limits/shared-rate-limiter.ts";
import { openConnection } from "./connection/open-connection.ts";
import type { RedisPlace } from "./connection/place.ts";
import { createKeyNames } from "./layout/key-names.ts";
import { scripts } from "./scripts/scripts.ts";

/** Shared counters in Redis. `close` closes their connection. */
export interface RedisCounters extends SharedCounters {
  close(): void;
}

/** Default timeout of an exchange (ms): usage that arrives later is of little use to other processes. */
const TIMEOUT = 500;

/**
 * Opens the shared counters of the rate limits. Each bucket is one Redis key. The counters do not share the connection
 * of the store, so that many rate-limited requests do not delay operations on sessions. Throws `StoreOpenError`.
 */
export async function openRedisCounters(options: {
  readonly place: RedisPlace;
  /** Prefix of all key names. */
  readonly prefix: string;
  /** Maximum time (ms) that opening waits for Redis. */
  readonly openTimeout: number;
  /** Maximum duration (ms) of an exchange with Redis. */
  readonly timeout?: number;
}): Promise<RedisCounters> {
  const keys = createKeyNames(options.prefix);
  const connection = await openConnection({
    place: options.place,
    openTimeout: options.openTimeout,
    timeout: options.timeout ?? TIMEOUT,
    // No replica has to confirm: if a failover loses usage, a caller only gets a few more requests once.
    minReplicasAck: 0,
    // Usage that is sent twice is counted twice. Usage that was certainly not sent is added in the next exchange.
    isRepeatable: false,
    failed: () => connection.refresh(),
    // Nothing to report: the store was opened before and has reported that Redis does not respond.
    waiting: () => undefined,
  });

  async function addOne({ bucket, amount }: Usage): Promise<Remaining> {
    // The time 0 is not used, because the script uses the clock of Redis.
    const operation = connection.begin(0);
    try {
      const name = keys.bucket(bucket);
      return Number(await connection.script(operation, "change", scripts.addToBucket, [name], [amount]));
    } catch {
      return operation.isUncertain ? "unknown" : "unsent";
    }
  }

  return {
    add: (usages) =>
      connection.isReady ? Promise.all(usages.map(addOne)) : Promise.resolve(usages.map(() => "unsent" as const)),
    close: connection.close,
  };
}
