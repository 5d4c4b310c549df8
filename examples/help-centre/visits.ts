import type { RequestSession } from "@antechamber/client/express";

/** A visit in the agents' list. */
export interface Visit {
  /** A number for the session in URLs, because its id, a secret, would get into logs and browser histories. */
  readonly number: number;
  /** The latest id. The session gets a new one when the visitor signs in. */
  readonly sessionId: string;
  readonly customerId: string | null;
  readonly createdAt: string;
  /** Time of the last request, in ISO 8601. */
  readonly lastSeenAt: string;
}

/** The latest visits, in memory, for the list of the example's agents. A visit is found by its session's handle. */
export interface Visits {
  saw(session: RequestSession): void;
  /** Returns the visits. The visit that was seen last comes first. */
  list(): readonly Visit[];
  find(number: number): Visit | undefined;
}

const KEPT = 50;

export function createVisits(): Visits {
  const visits = new Map<string, Visit>();
  let count = 0;
  return {
    saw({ sessionId, handle, customerId, createdAt }) {
      const number = visits.get(handle)?.number ?? ++count;
      const lastSeenAt = new Date().toISOString();
      // First deletes the visit, so that the map stays in the order in which visits were last seen.
      visits.delete(handle);
      visits.set(handle, { number, sessionId, customerId, createdAt, lastSeenAt });
      const [oldest] = visits.keys();
      if (visits.size > KEPT && oldest !== undefined) visits.delete(oldest);
    },
    list: () => [...visits.values()].toReversed(),
    find: (number) => visits.values().find((visit) => visit.number === number),
  };
}
