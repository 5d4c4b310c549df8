import type { StoreEngine } from "../../src/store/ports/engine.ts";
import type { SqliteStoreOptions } from "../../src/store/sqlite/options.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { eventsContract } from "./contract/events.ts";
import { liveCountContract } from "./contract/statistics.ts";
import { type Data, MAX_RECORDS, RETENTION } from "./contract/world.ts";
import { sessionsContract, storeContract } from "./store-contract.ts";

function dataWith(options: Pick<SqliteStoreOptions, "cacheSessions">): () => Promise<Data> {
  return async () => {
    const directory = temporaryDirectory();
    return {
      open: async ({ lifetimes, events, now }): Promise<StoreEngine> =>
        openSqliteStore({
          dataDir: directory.path,
          lifetimes,
          events,
          now,
          maxRecords: MAX_RECORDS,
          retention: RETENTION,
          eventRetention: RETENTION,
          maxPending: 10_000,
          timeout: 30_000,
          ...options,
        }),
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    };
  };
}

storeContract("SQLite", dataWith({ cacheSessions: 1000 }));
eventsContract("SQLite", dataWith({ cacheSessions: 1000 }));
liveCountContract("SQLite", dataWith({ cacheSessions: 1000 }));
// With a cache of one session, nearly every read uses the file, so that the cache hides no fault of it. One runtime is
// enough.
if ("Bun" in globalThis)
  (long ? storeContract : sessionsContract)("SQLite without a cache", dataWith({ cacheSessions: 1 }));
