import type { Config } from "../config/config.ts";
import { faultOfReceiverUrl } from "../network/receivers.ts";
import { type AssertionParts, Assertions } from "../services/assertions.ts";
import { AuditTrail } from "../services/audit.ts";
import { type ApiKeyEvents, CredentialAdmin } from "../services/credentials.ts";
import { CustomerAdmin } from "../services/customers.ts";
import { RequestsInProgress } from "../services/idempotent-requests.ts";
import { type SessionAdmission, withQuota } from "../services/quota.ts";
import { type RecordingEvents, RequestRecorder } from "../services/recording.ts";
import { SessionAdmin } from "../services/session-admin.ts";
import { SessionData } from "../services/session-data.ts";
import { type ServiceEvents, SessionService } from "../services/sessions.ts";
import { Statistics } from "../services/statistics.ts";
import { WebhookAdmin, type WebhookAdminEvents } from "../services/webhook-admin.ts";
import { Refusal } from "../session/errors.ts";
import { createBunHmac } from "../session/hmac-bun.ts";
import { createIdIssuer, type IdIssuer, type SigningSecret } from "../session/id.ts";
import { longestLife } from "../session/lifetime.ts";
import { createLogHash } from "../session/log-hash.ts";
import { createTokenSigners, type TokenSigners } from "../session/signed-token.ts";
import { StoreOpenError } from "../store/open-error.ts";
import type { StoreEngine } from "../store/ports/engine.ts";
import type { StoreEvents } from "../store/ports/lifecycle.ts";
import type { RedisStoreOptions } from "../store/redis/options.ts";
import { openRedisStore } from "../store/redis/redis-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { type Clock, createClock, type TimeSource } from "./clock.ts";

/** An open store and the use cases on it, without a server. */
export interface Opened {
  readonly store: StoreEngine;
  readonly clock: Clock;
  /** The latest time (Unix ms) in the store when it was opened. */
  readonly lastSeen: number;
  readonly ids: IdIssuer;
  /** `undefined` without the setting `assertionAudience`. */
  readonly assertions: Assertions | undefined;
  /** Everything that works with the secrets of the store; `use` replaces them (newest first). */
  readonly secretUsers: { use(secrets: readonly SigningSecret[]): void };
  /** Returns the keyed hash that replaces an id in the log and in the audit trail. */
  readonly logHash: (id: string) => string;
  /** The signers of the cookies of the console, and of view tokens. */
  readonly signers: TokenSigners;
  readonly service: SessionService;
  readonly recorder: RequestRecorder;
  readonly sessionData: SessionData;
  readonly sessionAdmin: SessionAdmin;
  readonly customers: CustomerAdmin;
  readonly credentials: CredentialAdmin;
  readonly webhooks: WebhookAdmin;
  readonly statistics: Statistics;
  readonly trail: AuditTrail;
}

/** Why a store is opened. Redis has no lock, so the engine checks by the purpose what is allowed. */
type StorePurpose = RedisStoreOptions["purpose"];

/** Handlers for events of the store and of the services. Commands ignore most of them. */
export type OpenEvents = StoreEvents & ServiceEvents & RecordingEvents & ApiKeyEvents & WebhookAdminEvents;

/**
 * Opens the store that `config` names, and creates the services on it. The caller closes the store. Throws
 * `StoreOpenError`, with the code `in-use` if a server runs on the store.
 */
export async function open(
  config: Config,
  time: TimeSource,
  events: OpenEvents,
  purpose: StorePurpose = "command",
): Promise<Opened> {
  let isSuspended = false;
  const suspended = (isNow: boolean) => {
    isSuspended = isNow;
    events.suspended(isNow);
  };
  const store = await openStore(config, time, { ...events, suspended }, purpose);
  try {
    if ((await store.importCursor()) !== null) {
      const message = "A move of another store into this one is not complete: finish it (antechamber migrate).";
      throw new StoreOpenError("incomplete", message);
    }
    const lastSeen = await store.clockHighWaterMark();
    const secrets = await store.listSecrets();
    const createHmac = "Bun" in globalThis ? createBunHmac : undefined;
    const ids = issuingUnless(() => isSuspended, createIdIssuer(secrets, createHmac));
    const logHash = createLogHash(secrets);
    const clock = createClock(time, lastSeen);
    const wallClock = time.wall;
    const assertions = assertionsOf(config, { secrets, clock, wallClock });
    const signers = createTokenSigners(secrets);
    const secretUsers = {
      use(next: readonly SigningSecret[]) {
        ids.use(next);
        signers.use(next);
        assertions?.use(next);
      },
    };
    const { lifetimes, storeVisitors } = config;
    const admission = admissionOf(store, config);
    const inProgress = new RequestsInProgress();
    const service = new SessionService({
      ...{ store, admission, ids, clock, lifetimes, inProgress, events },
      rotation: config,
    });
    const recorder = new RequestRecorder({ store, service, inProgress, clock, storeVisitors, events });
    const sessionData = new SessionData({ store, service, ids, clock });
    const trail = new AuditTrail(store, clock);
    const parts = { store, clock, wallClock, ids, secretUsers, logHash, trail, service, events };
    return {
      ...{
        store,
        clock,
        lastSeen,
        ids,
        assertions,
        secretUsers,
        signers,
        logHash,
        service,
        recorder,
        sessionData,
        trail,
      },
      sessionAdmin: new SessionAdmin(parts),
      customers: new CustomerAdmin(parts),
      credentials: new CredentialAdmin(parts),
      statistics: new Statistics({ store, wallClock }),
      webhooks: new WebhookAdmin({
        ...parts,
        faultOfUrl: (url) => faultOfReceiverUrl(url, config.webhookAllowedHosts),
      }),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Wraps an issuer: it issues no ids while Redis' data are gone, as other processes may sign with new secrets. */
function issuingUnless(isSuspended: () => boolean, issuer: IdIssuer): IdIssuer {
  return {
    ...issuer,
    issue(now, lastByte) {
      if (!isSuspended()) return issuer.issue(now, lastByte);
      const message = "the data in Redis is gone; no ids are made";
      const cause = new StoreOpenError("inaccessible", message);
      throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
    },
  };
}

function assertionsOf(
  { assertionAudience: audience, assertionIssuer: issuer }: Config,
  parts: Pick<AssertionParts, "secrets" | "clock" | "wallClock">,
): Assertions | undefined {
  return audience === null ? undefined : new Assertions({ ...parts, audience, issuer });
}

function admissionOf(store: StoreEngine, { maxSessionsPerCustomer, lifetimes }: Config): SessionAdmission {
  if (maxSessionsPerCustomer === 0) return store;
  return withQuota(store, { sessions: maxSessionsPerCustomer, longestLife: longestLife(lifetimes) });
}

/** Maximum time (ms) that a start waits for Redis. */
export const OPEN_TIMEOUT_MS = 10_000;

/**
 * Returns the data folder if the store is in one, and `undefined` for a store on another server. With a data folder,
 * one process holds the lock, sessions expire by this machine's clock, and the command line reaches the process through
 * a control socket.
 */
export function dataFolderOf({ store, dataDir }: Config): string | undefined {
  return store.engine === "sqlite" ? dataDir : undefined;
}

/** Returns the address and credentials of Redis; `undefined` if the store is not in Redis. */
export function redisPlaceOf({
  store,
  redisCaFile,
  redisCertFile,
  redisKeyFile,
  sentinelUsername,
  sentinelPassword,
}: Config): RedisStoreOptions["place"] | undefined {
  if (store.engine !== "redis") return undefined;
  return {
    ...store,
    caFile: redisCaFile ?? undefined,
    certFile: redisCertFile ?? undefined,
    keyFile: redisKeyFile ?? undefined,
    sentinelUsername: sentinelUsername ?? undefined,
    sentinelPassword: sentinelPassword ?? undefined,
  };
}

/** Opens the store without services. It may be a store that a migration has not completely filled. */
export async function openStore(
  config: Config,
  time: TimeSource,
  events: StoreEvents,
  purpose: StorePurpose = "command",
): Promise<StoreEngine> {
  const { lifetimes, maxRecords, retention, maxPendingWrites: maxPending } = config;
  const eventRetention = config.events === "on" ? Math.min(config.eventRetention, retention) : null;
  const common = { lifetimes, maxRecords, retention, eventRetention, maxPending, events, now: time.wall() };
  const place = redisPlaceOf(config);
  if (place === undefined) {
    return openSqliteStore({
      ...common,
      dataDir: config.dataDir,
      cacheSessions: config.cacheSessions,
      timeout: config.storeTimeout,
    });
  }
  return openRedisStore({
    ...common,
    wall: time.wall,
    purpose,
    place,
    prefix: config.redisPrefix,
    timeout: config.redisTimeout,
    openTimeout: OPEN_TIMEOUT_MS,
    minReplicasAck: config.minReplicasAck,
  });
}
