import { type Administration, createAdministration } from "./administration.ts";
import { type AuditTrail, createAuditTrail } from "./audit.ts";

import { withCeiling } from "./ceiling.ts";

import { type Clock, createClock, type TimeSource, type WallClock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { StorePlace } from "./config/store-place.ts";
import { createBunMac } from "./mac-bun.ts";
import { createService, type ServiceEvents, type SessionService } from "./service.ts";
import { Refusal } from "./session/errors.ts";
import { createIdIssuer, type IdIssuer } from "./session/id.ts";
import type { Lifetimes } from "./session/lifetime.ts";
import { createLogHash } from "./session/log-hash.ts";
import { StoreOpenError } from "./store/open-error.ts";
import { openRedisStore, type RedisStoreOptions } from "./store/redis/redis-store.ts";
import { openSqliteStore } from "./store/sqlite/sqlite-store.ts";
import type { SessionStore, StoreEvents } from "./store/store.ts";

/** The use cases over an open store, without anything that serves them. */
export interface Opened {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  /** The latest time in the store when it was opened (Unix ms). */
  readonly lastSeen: number;
  readonly ids: IdIssuer;
  readonly service: SessionService;
  readonly administration: Administration;
  readonly trail: AuditTrail;
  /** How ids stand in the log and in the audit trail. */
  readonly logHash: (id: string) => string;
  readonly lifetimes: Lifetimes;
}

/** Why a store is opened. Redis needs it, since nothing locks the store there. */
type StorePurpose = RedisStoreOptions["purpose"];

/** Hears what happens; a command that is over in a moment has nobody to tell. */
export type OpenEvents = StoreEvents & ServiceEvents;

/**
 * Opens the store that `config` names. Whoever opens it closes it. Throws `StoreOpenError`, with the
 * code `in-use` when a server runs on it.
 */
export async function open(
  config: Config,
  time: TimeSource,
  events: OpenEvents,
  purpose: StorePurpose = "command",
): Promise<Opened> {
  const { lifetimes } = config;
  let isSuspended = false;
  const suspended = (isNow: boolean) => {
    isSuspended = isNow;
    events.suspended(isNow);
  };
  const store = await openStore(config, time, { ...events, suspended }, purpose);
  try {
    if ((await store.move()) !== null) {
      const message =
        "A move of another store into this one is not complete: finish it (antechamber migrate).";
      throw new StoreOpenError("incomplete", message);
    }
    const lastSeen = await store.floor();
    const clock = createClock(time, lastSeen);
    const createMac = "Bun" in globalThis ? createBunMac : undefined;
    const issuer = createIdIssuer(await store.secrets(), createMac);
    const ids = issuingUnless(() => isSuspended, issuer);
    const service = createService({ store: limited(store, config), ids, clock, lifetimes, events });
    const administration = createAdministration({ store, clock, events });
    const trail = createAuditTrail(store, clock);
    const logHash = createLogHash(await store.secrets());
    return {
      store,
      clock,
      lastSeen,
      wallClock: time.wall,
      ids,
      service,
      administration,
      trail,
      logHash,
      lifetimes,
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** An issuer that makes no ids while the data are gone: other processes may already use other secrets. */
function issuingUnless(isSuspended: () => boolean, issuer: IdIssuer): IdIssuer {
  return {
    ...issuer,
    issue(now) {
      if (isSuspended()) {
        const cause = new StoreOpenError(
          "inaccessible",
          "the data in Redis is gone; no ids are made",
        );
        throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
      }
      return issuer.issue(now);
    },
  };
}

function limited(store: SessionStore, { maxSessionsPerCustomer, lifetimes }: Config): SessionStore {
  if (maxSessionsPerCustomer === 0) return store;
  const longestLife = Math.max(lifetimes.anonymous.total, lifetimes.recognized.total);
  return withCeiling(store, { sessions: maxSessionsPerCustomer, longestLife });
}

/** How long (ms) a start waits for Redis. */
export const OPEN_PATIENCE = 10_000;

/** Where Redis is and how to get in: what `store` says, and the settings beside it. */
export function redisPlaceOf(
  place: Extract<StorePlace, { engine: "redis" }>,
  { redisCaFile, sentinelUsername, sentinelPassword }: Config,
): RedisStoreOptions["place"] {
  return {
    ...place,
    caFile: redisCaFile ?? undefined,
    sentinelUsername: sentinelUsername ?? undefined,
    sentinelPassword: sentinelPassword ?? undefined,
  };
}

/** The store alone, also one into which another is being moved. */
export async function openStore(
  config: Config,
  time: TimeSource,
  events: StoreEvents,
  purpose: StorePurpose = "command",
): Promise<SessionStore> {
  const { lifetimes, maxRecords, retention, store: place } = config;
  const common = { lifetimes, maxRecords, retention, events, now: time.wall() };
  const maxPending = config.maxPendingWrites;
  if (place.engine === "sqlite") {
    return openSqliteStore({
      ...common,
      maxPending,
      dataDir: config.dataDir,
      cacheSessions: config.cacheSessions,
      timeout: config.storeTimeout,
    });
  }
  return openRedisStore({
    ...common,
    maxPending,
    wall: time.wall,
    purpose,
    place: redisPlaceOf(place, config),
    prefix: config.redisPrefix,
    timeout: config.redisTimeout,
    patience: OPEN_PATIENCE,
    minReplicasAck: config.minReplicasAck,
  });
}
