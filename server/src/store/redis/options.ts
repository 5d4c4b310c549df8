import type { Lifetimes } from "../../session/lifetime.ts";
import type { StoreEvents } from "../ports/lifecycle.ts";
import type { RedisPlace } from "./connection/place.ts";

/** Settings of the Redis engine. Durations are in ms. */
export interface RedisStoreOptions {
  readonly place: RedisPlace;
  /** Prefix of all key names. */
  readonly prefix: string;
  readonly lifetimes: Lifetimes;
  /** Maximum number of records that are kept for a session. If there are more, the oldest are dropped. */
  readonly maxRecords: number;
  /** Time for which the data of a session are kept after it has expired or ended. */
  readonly retention: number;
  /** Time for which an event is kept; `null` if no events are published. */
  readonly eventRetention: number | null;
  /** Maximum number of changes in progress. Further changes are refused. */
  readonly maxPending: number;
  /** Maximum time that a request waits for Redis. */
  readonly timeout: number;
  /** Number of replicas that must acknowledge a change before it is reported as stored. */
  readonly minReplicasAck: number;
  /** Maximum time that opening the store waits for the Redis servers. */
  readonly openTimeout: number;
  readonly events: StoreEvents;
  /** Time at the start of the process, Unix ms. */
  readonly now: number;
  /** Returns the time of the wall clock (Unix ms), which is compared with the clock of Redis. */
  readonly wall: () => number;
  /**
   * Purpose of opening the store:
   * - `serve`: to serve requests.
   * - `move`: to export or import all data. Opening fails with `in-use` if a server runs on the store.
   * - `look`: for a command that needs existing data. Opening fails with `missing` if there are none.
   * - `command`: for any other command, such as the creation of the first API key.
   */
  readonly purpose: "serve" | "move" | "look" | "command";
}
