/** The id of a new session that nobody has seen yet. */
export interface FreshId {
  readonly id: string;
  /** Time at which the id becomes too old, by the clock of `createFreshIds` (ms). */
  readonly until: number;
}

/** The ids of new sessions, requested before they are needed, because the frameworks ask for an id without waiting. */
export interface FreshIds {
  /** Takes an id; `undefined` if there is none at the moment. */
  take(): FreshId | undefined;
  /** Puts back an id that was taken and that nobody has seen. */
  giveBack(id: FreshId): void;
  /** Waits for an id. Resolves with `undefined` if Antechamber is unavailable. Never rejects. */
  wait(): Promise<FreshId | undefined>;
}

/** Minimum and maximum number of ids that are kept. The number doubles when it was too small. */
const KEPT = { min: 16, max: 1024 };
/** Maximum time (ms) for which an id is kept. The lifetime of a session without data begins when its id is created. */
const MAX_AGE_MS = 30_000;
/** Maximum number of simultaneous requests. */
const MAX_REQUESTS = 16;

/**
 * Creates the ids. `create` creates a session, which is not stored (contract.md#rule-8). It resolves with the session's id
 * and the time in milliseconds for which the session lives without being used. `now` returns milliseconds and must never
 * go back.
 */
export function createFreshIds(
  create: () => Promise<{ readonly id: string; readonly life: number }>,
  reportFailure: (error: unknown) => void,
  now: () => number = () => performance.now(),
): FreshIds {
  let ids: FreshId[] = [];
  let wanted = KEPT.min;
  let requests = 0;
  let waiting: ((id: FreshId | undefined) => void)[] = [];

  async function requestSome(): Promise<void> {
    requests += 1;
    try {
      while (waiting.length > 0 || ids.length < wanted) {
        const since = now();
        const { id, life } = await create();
        const fresh = { id, until: since + Math.min(MAX_AGE_MS, life / 10) };
        const give = waiting.shift();
        if (give === undefined) ids.push(fresh);
        else give(fresh);
      }
    } catch (error) {
      reportFailure(error);
      const released = waiting;
      waiting = [];
      for (const give of released) give(undefined);
    } finally {
      requests -= 1;
    }
  }

  function refill(): void {
    if (ids.length > wanted / 2) return;
    if (waiting.length > wanted) wanted = Math.min(KEPT.max, wanted * 2);
    const count = Math.min(MAX_REQUESTS, wanted - ids.length) - requests;
    for (let started = 0; started < count; started++) void requestSome();
  }

  function hasId(): boolean {
    const time = now();
    if (ids.some(({ until }) => until < time)) ids = ids.filter(({ until }) => until >= time);
    return ids.length > 0;
  }

  return {
    take() {
      const found = hasId() ? ids.pop() : undefined;
      refill();
      return found;
    },
    giveBack(id) {
      ids.push(id);
    },
    async wait() {
      if (hasId()) return ids.pop();
      return await new Promise((resolve) => {
        waiting.push(resolve);
        refill();
      });
    },
  };
}
