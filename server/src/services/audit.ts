import type { Clock } from "../runtime/clock.ts";
import { Refusal, withUnknownOutcome } from "../session/errors.ts";
import { type Act, type AuditEntry, entryAfter } from "../store/audit-chain.ts";
import type { AuditStore } from "../store/ports/audit.ts";

/** The person or credential that starts an operation (`who`), and the way the request came (`from`). */
export type Initiator = Pick<Act, "who" | "from">;

/** An entry for the audit trail, before the outcome of the operation is known. */
export type AuditEvent = Initiator & Pick<Act, "what" | "details">;

/** Maximum attempts to append an entry. An attempt fails if another process appends one first. */
const MAX_ATTEMPTS = 20;
const REFUSAL_INTERVAL_MS = 60_000;
/** Maximum pairs of initiator and operation whose refusals are counted separately; all others share a count. */
const MAX_COUNTED = 1000;

/** The audit trail in the store. */
export class AuditTrail {
  readonly #store: AuditStore;
  readonly #clock: Clock;
  /** A promise that settles with the last append of this process; appends run one after another. */
  #queue: Promise<void> = Promise.resolve();
  readonly #refusals = new Map<string, { readonly since: number; repeated: number }>();

  constructor(store: AuditStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Appends an entry; resolves when it is stored. Refuses with `unavailable`, also if an append that was waited for is
   * refused: otherwise each of many callers would wait for the timeouts of all before it while the store is unavailable.
   */
  append(event: AuditEvent, outcome: Act["outcome"]): Promise<void> {
    const appended = this.#queue.then(() => this.#append({ ...event, outcome, at: this.#clock() }));
    const queue = appended.catch((error: unknown) => {
      // Later calls try again.
      if (this.#queue === queue) this.#queue = Promise.resolve();
      if (error instanceof Refusal) throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, error.cause);
    });
    queue.catch(() => undefined);
    this.#queue = queue;
    return appended;
  }

  async #append(act: Act): Promise<void> {
    const store = this.#store;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      if (await store.appendAuditEntry(entryAfter(await store.lastAuditEntry(), act))) return;
    }
    const message = `another process appended to the audit trail during each of ${MAX_ATTEMPTS} attempts`;
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error(message));
  }

  /** Runs an operation and appends an entry with its outcome (see the function `audited`). */
  audited<Result>(
    event: AuditEvent,
    run: () => Promise<Result>,
    detailsOf?: (result: Result) => Act["details"] | undefined,
  ): Promise<Result> {
    return audited((...entry) => this.append(...entry), event, run, detailsOf);
  }

  /**
   * Appends an entry for a refused operation, in the background. It appends at most one entry a minute for each
   * initiator and operation; the entry has the number of refusals since the one before. Otherwise a caller without
   * permission could fill the disk.
   */
  appendRefusal(event: AuditEvent): void {
    const refusals = this.#refusals;
    const now = this.#clock();
    const name = refusals.size < MAX_COUNTED ? JSON.stringify([event.what, event.who]) : "";
    const known = refusals.get(name);
    if (known !== undefined && now - known.since < REFUSAL_INTERVAL_MS) {
      known.repeated++;
      return;
    }
    if (known === undefined && refusals.size >= MAX_COUNTED) refusals.clear();
    refusals.set(name, { since: now, repeated: 0 });
    const before = known?.repeated ? { refusedBefore: known.repeated } : {};
    const details = { ...event.details, ...before };
    void this.append({ ...event, details }, "refused").catch(() => undefined);
  }

  /** Returns the sequence of the newest entry; 0 if there is none. */
  async lastSequence(): Promise<number> {
    return (await this.#store.lastAuditEntry())?.sequence ?? 0;
  }

  /** Returns at most `limit` entries that follow the sequence `after`, oldest first. */
  readEntries(after: number, limit: number): Promise<readonly AuditEntry[]> {
    return this.#store.readAuditEntries(after, limit);
  }
}

/**
 * Runs an operation, and appends an entry with its outcome before it returns. If the entry cannot be stored although the
 * operation is done, refuses with an unknown outcome. `detailsOf` returns details of the result
 * for the entry; if it returns `undefined`, nothing was done and no entry is appended. `isDone` returns false if the
 * result is a failure.
 */
export async function audited<Event extends Pick<Act, "details">, Result>(
  append: (event: Event, outcome: "done" | "failed") => Promise<void>,
  event: Event,
  run: () => Promise<Result>,
  detailsOf: (result: Result) => Act["details"] | undefined = () => ({}),
  isDone: (result: Result) => boolean = () => true,
): Promise<Result> {
  let result: Result;
  try {
    result = await run();
  } catch (error) {
    // The caller must get the error of the operation, even if the entry cannot be stored.
    await append(event, "failed").catch(() => undefined);
    throw error;
  }
  const added = detailsOf(result);
  if (added === undefined) return result;
  const details = { ...event.details, ...added };
  try {
    await append({ ...event, details }, isDone(result) ? "done" : "failed");
  } catch (error) {
    throw withUnknownOutcome(error);
  }
  return result;
}

/** Returns the initiator of commands. `user` is the operating system's user, `null` if there is none. */
export function operator(user: string | null): Initiator {
  return {
    who: { role: "administrator", credential: user, keyName: null, agentId: null },
    from: "command line",
  };
}

/** Returns the initiator of a sign-out at the identity provider. `from` is the address of the request. */
export function identityProvider(from: string): Initiator {
  return { who: { role: "service", credential: "identity provider", keyName: null, agentId: null }, from };
}

/** Formats a time (Unix ms) for the details of an entry. */
export function auditTime(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
