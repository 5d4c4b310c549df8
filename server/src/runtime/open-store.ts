import type { Config } from "../config/config.ts";
import type { StoreUrl } from "../config/store-url.ts";
import { type AuditTrail, createAuditTrail } from "../services/audit.ts";
import { type Administration, createAdministration } from "../services/customers.ts";
import { withQuota } from "../services/quota.ts";
import { createService, type ServiceEvents, type SessionService } from "../services/sessions.ts";
import { Refusal } from "../session/errors.ts";
import { createBunMac } from "../session/hmac-bun.ts";
import { createIdIssuer, type IdIssuer } from "../session/id.ts";
import type { Lifetimes } from "../session/lifetime.ts";
import { createLogHash } from "../session/log-hash.ts";
import { StoreOpenError } from "../store/open-error.ts";
import type { StoreEngine } from "../store/ports/engine.ts";
import type { StoreEvents } from "../store/ports/lifecycle.ts";
import type { RedisStoreOptions } from "../store/redis/options.ts";
import { openRedisStore } from "../store/redis/redis-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { type Clock, createClock, type TimeSource, type WallClock } from "./clock.ts";

/** The use cases over an open store, without anything that serves them. */
export interface Opened {
  readonly store: StoreEngine;
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
    if ((await store.importCursor()) !== null) {
      const message =
        "A move of another store into this one is not complete: finish it (antechamber migrate).";
      throw new StoreOpenError("incomplete", message);
    }
    const lastSeen = await store.clockHighWaterMark();
    const clock = createClock(time, lastSeen);
    const createMac = "Bun" in globalThis ? createBunMac : undefined;
    const issuer = createIdIssuer(await store.listSecrets(), createMac);
    const ids = issuingUnless(() => isSuspended, issuer);
    const service = createService({ store: limited(store, config), ids, clock, lifetimes, events });
    const administration = createAdministration({ store, clock, events });
    const trail = createAuditTrail(store, clock);
    const logHash = createLogHash(await store.listSecrets());
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

function limited(store: StoreEngine, { maxSessionsPerCustomer, lifetimes }: Config): StoreEngine {
  if (maxSessionsPerCustomer === 0) return store;
  const longestLife = Math.max(lifetimes.anonymous.total, lifetimes.recognized.total);
  return withQuota(store, { sessions: maxSessionsPerCustomer, longestLife });
}

/** How long (ms) a start waits for Redis. */
export const OPEN_TIMEOUT_MS = 10_000;

/** Where Redis is and how to get in: what `store` says, and the settings beside it. */
export function redisPlaceOf(
  place: Extract<StoreUrl, { engine: "redis" }>,
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
): Promise<StoreEngine> {
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
    openTimeout: OPEN_TIMEOUT_MS,
    minReplicasAck: config.minReplicasAck,
  });
}
