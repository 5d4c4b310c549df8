import { Refusal } from "../session/errors.ts";
import { anySession } from "../session/filter.ts";
import { isLive } from "../session/session.ts";
import type { IdempotencyStore } from "../store/ports/idempotency.ts";
import type { SessionSearch } from "../store/ports/search.ts";
import type { SessionStore } from "../store/ports/sessions.ts";

type QuotaStore = SessionStore & SessionSearch & Pick<IdempotencyStore, "findReplay">;

/** How many live sessions a customer may have at a time. */
export interface SessionQuota {
  readonly sessions: number;
  /** No session lives longer (ms): older ones are not looked at. */
  readonly longestLife: number;
}

/** What a caller is told to wait for: nobody knows when the customer ends a session. */
const RETRY_AFTER_SECONDS = 60;

/**
 * The store, which gives no customer more live sessions than the ceiling: refuses with
 * `too-many-requests`, and then nothing was changed. What is under way here counts as done, so that one
 * process never exceeds the ceiling; several may, by what they do at the same moment.
 */
export function withQuota<Store extends QuotaStore>(store: Store, ceiling: SessionQuota): Store {
  const within = createGate(store, ceiling);
  return {
    ...store,
    async create(session, now, once) {
      const { customerId } = session;
      if (customerId === null) return store.create(session, now, once);
      // What was carried out before is told again, however many there are by now.
      const earlier = once === undefined ? undefined : await store.findReplay(once, now);
      return earlier ?? within(customerId, now, () => store.create(session, now, once));
    },
    async associate(request) {
      const { id, ids, now } = request;
      if (ids.customerId === null) return store.associate(request);
      const known = await store.find(id);
      const isNew = known.customerId === null && isLive(known, now);
      if (!isNew) return store.associate(request);
      return within(ids.customerId, now, () => store.associate(request));
    },
  };
}

/** Carries out what gives the customer one more session, if there is room for it at `now`. */
type Gate = <Result>(
  customerId: string,
  now: number,
  carryOut: () => Promise<Result>,
) => Promise<Result>;

function createGate(store: SessionSearch, { sessions, longestLife }: SessionQuota): Gate {
  const underWay = new Map<string, number>();

  return async (customerId, now, carryOut) => {
    const others = underWay.get(customerId) ?? 0;
    if (others >= sessions) throw tooMany(sessions);
    underWay.set(customerId, others + 1);
    try {
      const live = await liveSessions(store, customerId, now, { sessions, longestLife });
      if (others + live >= sessions) throw tooMany(sessions);
      return await carryOut();
    } finally {
      const left = (underWay.get(customerId) ?? 1) - 1;
      if (left === 0) underWay.delete(customerId);
      else underWay.set(customerId, left);
    }
  };
}

/** How many live sessions the customer has, as far as it matters to the ceiling. */
async function liveSessions(
  store: SessionSearch,
  customerId: string,
  now: number,
  { sessions, longestLife }: SessionQuota,
): Promise<number> {
  const all = { ...anySession, customerId };
  const { total } = await store.listSessions({ filter: all, after: null, limit: 1, now });
  // The store keeps this number; those that are over are among them.
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

function tooMany(count: number): Refusal {
  return new Refusal({
    code: "too-many-requests",
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    quota: { name: "sessions-per-customer", count, windowSeconds: null },
  });
}
