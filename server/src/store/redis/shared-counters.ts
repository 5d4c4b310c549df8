import type { Rest, Shares, Taking } from "../../limits/shared-meter.ts";
import type { RedisPlace } from "./connection/client.ts";
import { openConnection } from "./connection/open-connection.ts";
import { createKeys } from "./layout/key-names.ts";
import { scripts } from "./scripts/scripts.ts";

/** Shares that are to be closed. */
export interface RedisShares extends SharedCounters {
  close(): void;
}

/** How long (ms) an exchange takes at the most: what one process took is soon of no use to others. */
const TIMEOUT = 500;

/**
 * Shares in Redis, one key a bucket: a cluster spreads them by their names. All of an exchange go out
 * together, on connections of their own, so that a flood of callers stands before no session. What
 * `prefix` is and what is thrown: as with the store (`openRedisStore`).
 */
export async function openRedisShares(options: {
  readonly place: RedisPlace;
  readonly prefix: string;
  /** How long (ms) a start waits for Redis. */
  readonly patience: number;
}): Promise<RedisShares> {
  const keys = createKeys(options.prefix);
  const connection = await openConnection({
    place: options.place,
    patience: options.patience,
    timeout: TIMEOUT,
    // A count that no replica has is a caller's gain, once.
    minReplicasAck: 0,
    // What is added again counts twice; what was not added is told in the next exchange.
    isRepeatable: false,
    failed: () => connection.refresh(),
    // The store, which was opened before, has reported it.
    waiting: () => undefined,
  });

  async function addOne({ bucket, amount }: Usage): Promise<Remaining> {
    // The time is that of the server (`add-to-bucket.lua`).
    const operation = connection.begin(0);
    try {
      const key = keys.bucket(bucket);
      return Number(await connection.change(operation, scripts.addToBucket, [key], [amount]));
    } catch {
      return operation.isUncertain ? "unknown" : "untold";
    }
  }

  return {
    add: (takings) =>
      connection.isReady
        ? Promise.all(takings.map(addOne))
        : Promise.resolve(takings.map(() => "untold" as const)),
    close: connection.close,
  };
}
