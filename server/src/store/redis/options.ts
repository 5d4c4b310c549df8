import type { Lifetimes } from "../../session/lifetime.ts";
import type { StoreEvents } from "../ports/lifecycle.ts";
import type { RedisPlace } from "./connection/place.ts";

/** Settings of the Redis engine; times in ms. */
export interface RedisStoreOptions {
  readonly place: RedisPlace;
  /** Prefix of all key names. */
  readonly prefix: string;
  readonly lifetimes: Lifetimes;
  /** Maximum number of records that are kept of a session; the oldest are dropped. */
  readonly maxRecords: number;
  /** Time for which the data of a session are kept after its end. */
  readonly retention: number;
  /** Maximum number of changes in progress; further ones are refused. */
  readonly maxPending: number;
  /** Maximum time for which a request waits for Redis. */
  readonly timeout: number;
  /** Number of replicas that must acknowledge a change before it is reported as stored. */
  readonly minReplicasAck: number;
  /** Maximum time for which opening waits for the servers. */
  readonly openTimeout: number;
  readonly events: StoreEvents;
  readonly now: number;
  /** The wall clock, Unix ms; compared with that of Redis. */
  readonly wall: () => number;
  /**
   * `serve`: to serve requests; `move`: to export or import everything, refused with `in-use` while a server runs on
   * the store; `look`: for a command that needs existing data, refused with `missing` without them; `command`: for
   * anything else, such as the first API key.
   */
  readonly purpose: "serve" | "move" | "look" | "command";
}
