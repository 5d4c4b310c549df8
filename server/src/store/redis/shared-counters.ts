import type { Remaining, SharedCounters, Usage } from "../../limits/shared-rate-limiter.ts";
import { openConnection } from "./connection/open-connection.ts";
import type { RedisPlace } from "./connection/place.ts";
import { createKeyNames } from "./layout/key-names.ts";
import { scripts } from "./scripts/scripts.ts";

/** Shared counters that own a connection. */
export interface RedisCounters extends SharedCounters {
  close(): void;
}

/** Maximum duration (ms) of an exchange, as usage is soon of no use to other processes. */
const TIMEOUT = 500;

/**
 * Opens the shared counters of the rate limits, one key a bucket. They have connections of their own, so that a flood
 * of callers does not delay sessions. Throws `StoreOpenError`.
 */
export async function openRedisCounters(options: {
  readonly place: RedisPlace;
  /** Prefix of all key names. */
  readonly prefix: string;
  /** Maximum wait for Redis in ms. */
  readonly openTimeout: number;
}): Promise<RedisCounters> {
  const keys = createKeyNames(options.prefix);
  const connection = await openConnection({
    place: options.place,
    openTimeout: options.openTimeout,
    timeout: TIMEOUT,
    // A lost count only helps a caller, once.
    minReplicasAck: 0,
    // A repeated addition counts twice; a missing one is added in the next exchange.
    isRepeatable: false,
    failed: () => connection.refresh(),
    // The store, which was opened before, has reported it.
    waiting: () => undefined,
  });

  async function addOne({ bucket, amount }: Usage): Promise<Remaining> {
    // The script uses the server's clock.
    const operation = connection.begin(0);
    try {
      const name = keys.bucket(bucket);
      return Number(
        await connection.script(operation, "change", scripts.addToBucket, [name], [amount]),
      );
    } catch {
      return operation.isUncertain ? "unknown" : "unsent";
    }
  }

  return {
    add: (takings) =>
      connection.isReady
        ? Promise.all(takings.map(addOne))
        : Promise.resolve(takings.map(() => "unsent" as const)),
    close: connection.close,
  };
}
