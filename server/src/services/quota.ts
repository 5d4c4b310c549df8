import { Refusal } from "../session/errors.ts";
import { anySession } from "../session/filter.ts";
import { isLive } from "../session/session.ts";
import type { IdempotencyStore } from "../store/ports/idempotency.ts";
import type { SessionSearch } from "../store/ports/search.ts";
import type { SessionStore } from "../store/ports/sessions.ts";

/** A quota: the maximum number of live sessions that a customer may have at a time. */
export interface SessionQuota {
  readonly sessions: number;
  /** Maximum lifetime of a session (ms). Sessions that are older have expired, so they are not counted. */
  readonly longestLife: number;
}

/** The operations that can increase the number of live sessions of a customer. */
export type SessionAdmission = Pick<SessionStore, "create" | "associate">;

type QuotaStore = SessionAdmission & Pick<SessionStore, "find"> & SessionSearch & Pick<IdempotencyStore, "findReplay">;

/** `Retry-After` (seconds) if the quota is reached: a guess, as nobody knows when the customer ends a session. */
const RETRY_AFTER_SECONDS = 60;

/**
 * Wraps the store so that it limits the live sessions of each customer. If the quota is reached, it refuses with
 * `too-many-requests` and changes nothing. Changes in progress in this process count as done, so one process never
 * exceeds the quota. Several processes may exceed it with changes that they make at the same moment.
 *
 * Only `services/sessions.ts` creates sessions and associates ids, so only that service gets this wrapper. The
 * administration uses the store directly: it finds, ends and erases sessions, but never adds one.
 */
export function withQuota(store: QuotaStore, quota: SessionQuota): SessionAdmission {
  const admit = createGate(store, quota);
  return {
    async create(session, now, idempotent) {
      const { customerId } = session;
      if (customerId === null) return store.create(session, now, idempotent);
      // A replay gets its stored response, even if the quota is reached by now.
      const replay = idempotent === undefined ? undefined : await store.findReplay(idempotent, now);
      return replay ?? admit(customerId, now, () => store.create(session, now, idempotent));
    },
    async associate(request) {
      const { handle, generation, ids, now } = request;
      if (ids.customerId === null) return store.associate(request);
      const known = await store.find(handle);
      const isNew = known.customerId === null && known.generation === generation && isLive(known, now);
      if (!isNew) return store.associate(request);
      return admit(ids.customerId, now, () => store.associate(request));
    },
  };
}

/** Makes a change that gives the customer one more live session, if the quota permits this at `now` (Unix ms). */
type Gate = <Result>(customerId: string, now: number, change: () => Promise<Result>) => Promise<Result>;

function createGate(store: SessionSearch, quota: SessionQuota): Gate {
  const { sessions } = quota;
  const inProgress = new Map<string, number>();

  return async (customerId, now, change) => {
    const others = inProgress.get(customerId) ?? 0;
    if (others >= sessions) throw quotaExceeded(sessions);
    inProgress.set(customerId, others + 1);
    try {
      const live = await countLive(store, customerId, now, quota);
      if (others + live >= sessions) throw quotaExceeded(sessions);
      return await change();
    } finally {
      const left = (inProgress.get(customerId) ?? 1) - 1;
      if (left === 0) inProgress.delete(customerId);
      else inProgress.set(customerId, left);
    }
  };
}

/** Counts the customer's live sessions. It stops counting when it reaches the quota. */
async function countLive(
  store: SessionSearch,
  customerId: string,
  now: number,
  { sessions, longestLife }: SessionQuota,
): Promise<number> {
  const all = { ...anySession, customerId };
  const { total } = await store.listSessions({ filter: all, after: null, limit: 1, now });
  // The store returns this total quickly. The total may include sessions that have ended or expired, so it is an upper
  // bound.
  if (total !== null && total < sessions) return total;
  const filter = { ...all, live: true, since: now - longestLife };
  let live = 0;
  let after: string | null = null;
  do {
    const page = await store.listSessions({ filter, after, limit: sessions, now });
    live += page.sessions.length;
    after = page.next;
  } while (after !== null && live < sessions);
  return live;
}

function quotaExceeded(count: number): Refusal {
  return new Refusal({
    code: "too-many-requests",
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    quota: { name: "sessions-per-customer", count, windowSeconds: null },
  });
}
