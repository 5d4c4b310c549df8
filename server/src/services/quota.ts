import { Refusal } from "../session/errors.ts";
import { anySession } from "../session/filter.ts";
import { isLive } from "../session/session.ts";
import type { IdempotencyStore } from "../store/ports/idempotency.ts";
import type { SessionSearch } from "../store/ports/search.ts";
import type { SessionStore } from "../store/ports/sessions.ts";

/** Maximum number of live sessions of a customer at a time. */
export interface SessionQuota {
  readonly sessions: number;
  /** Longest life of a session (ms): sessions created earlier are not counted. */
  readonly longestLife: number;
}

/** The changes that can give a customer one more live session. */
export type SessionAdmission = Pick<SessionStore, "create" | "associate">;

type QuotaStore = SessionAdmission &
  Pick<SessionStore, "find"> &
  SessionSearch &
  Pick<IdempotencyStore, "findReplay">;

/** `Retry-After` of the refusal: nobody knows when the customer ends a session. */
const RETRY_AFTER_SECONDS = 60;

/**
 * Limits the live sessions of each customer: refuses with `too-many-requests`, and then nothing was changed. Changes in
 * progress in this process count as done, so one process never exceeds the quota; several processes may, by what they do
 * at the same moment.
 *
 * Only `services/sessions.ts` creates and associates, so only it is given this. The administration uses the store
 * directly: it finds, ends and erases sessions, and never adds one.
 */
export function withQuota(store: QuotaStore, quota: SessionQuota): SessionAdmission {
  const admit = createGate(store, quota);
  return {
    async create(session, now, idempotent) {
      const { customerId } = session;
      if (customerId === null) return store.create(session, now, idempotent);
      // A repeated request gets its stored response, however many sessions there are by now.
      const replay = idempotent === undefined ? undefined : await store.findReplay(idempotent, now);
      return replay ?? admit(customerId, now, () => store.create(session, now, idempotent));
    },
    async associate(request) {
      const { id, ids, now } = request;
      if (ids.customerId === null) return store.associate(request);
      const known = await store.find(id);
      const isNew = known.customerId === null && isLive(known, now);
      if (!isNew) return store.associate(request);
      return admit(ids.customerId, now, () => store.associate(request));
    },
  };
}

/** Runs a change that gives the customer one more session, if the quota permits it at `now` (Unix ms). */
type Gate = <Result>(
  customerId: string,
  now: number,
  change: () => Promise<Result>,
) => Promise<Result>;

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

/** Counts the customer's live sessions, up to the quota. */
async function countLive(
  store: SessionSearch,
  customerId: string,
  now: number,
  { sessions, longestLife }: SessionQuota,
): Promise<number> {
  const all = { ...anySession, customerId };
  const { total } = await store.listSessions({ filter: all, after: null, limit: 1, now });
  // The store can return this number quickly. It may include sessions that have ended or expired.
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
