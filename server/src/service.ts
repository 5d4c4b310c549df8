import type { Clock } from "./clock.ts";
import type { Scope } from "./session/access.ts";
import { isWithin } from "./session/access.ts";
import { Refusal } from "./session/errors.ts";
import type { IdIssuer } from "./session/id.ts";
import { isRenewalDue, type Lifetimes, newSession } from "./session/lifetime.ts";
import { type Identity, isBlank, isLive, type Session } from "./session/session.ts";
import type { SessionStore } from "./store/store.ts";

/** What retrieving came to. */
export interface Retrieval {
  readonly session: Session;
  /** There was nothing to retrieve: the session is new (contract rule 3). */
  readonly isNew: boolean;
}

/** The use cases of the Session Management API. Ids given to it have been validated. */
export interface SessionService {
  /**
   * Creates a session. One without ids is not stored; with ids the promise is fulfilled when they
   * are (rules 7 and 8). Refuses with `already-exists` (rule 2) and `unavailable`.
   */
  create(ids: Identity): Session | Promise<Session>;

  /**
   * The live session of this id within the scope, prolonged by this use, or else a new one with
   * `ids` (rules 3 and 4). Refuses only what `create` refuses.
   */
  retrieve(id: string, ids: Identity, scope: Scope): Retrieval | Promise<Retrieval>;

  /** The live session of this id within the scope, or `undefined`. Creates nothing; it is a use. */
  peek(id: string, scope: Scope): Session | undefined | Promise<Session | undefined>;

  /**
   * Associates ids with a session (rules 1, 2 and 5). Refuses with `nothing-to-associate`,
   * `session-not-found`, `already-exists` and `unavailable`.
   */
  associate(id: string, ids: Identity, scope: Scope): Promise<Session>;

  /** Ends a session. False when there is no live one of this id. Refuses with `unavailable`. */
  end(id: string): Promise<boolean>;
}

/** What happened to sessions, for the metrics. */
export interface ServiceEvents {
  created(): void;
  associated(): void;
  ended(): void;
}

/** What the service works with. */
export interface ServiceParts {
  readonly store: SessionStore;
  readonly ids: IdIssuer;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
  readonly events: ServiceEvents;
}

/** How often an id that turns out to be taken is replaced: even once is next to impossible. */
const MAX_ID_ATTEMPTS = 3;

/** Rules, store and clock put together. Promises are made only where the store needs one. */
export function createService(parts: ServiceParts): SessionService {
  const { store, ids: issuer, clock, lifetimes, events } = parts;

  function create(ids: Identity): Session | Promise<Session> {
    const now = clock();
    if (!isBlank(ids)) return createStored(ids, now);
    const issued = issuer.issue(now);
    events.created();
    return newSession(issued.id, issued.createdAt, ids, lifetimes);
  }

  async function createStored(ids: Identity, now: number): Promise<Session> {
    for (let attempt = 1; attempt <= MAX_ID_ATTEMPTS; attempt++) {
      const issued = issuer.issue(now);
      const session = newSession(issued.id, issued.createdAt, ids, lifetimes);
      const creation = await store.create(session, now);
      if (creation.outcome === "created") {
        events.created();
        return session;
      }
      if (creation.outcome === "conflict") {
        throw new Refusal({ code: "already-exists", field: creation.field });
      }
    }
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
  }

  /** The session of this id, live or not, whosever. Looking is no use of it. */
  function look(id: string): Session | undefined | Promise<Session> {
    const known = store.recall(id);
    if (known !== undefined) return known;
    return issuer.verify(id) === undefined ? undefined : store.find(id);
  }

  function isThere(session: Session, scope: Scope, now: number): boolean {
    return isLive(session, now) && isWithin(session.customerId, scope);
  }

  /** The session as this use leaves it, if it is live and within the scope. */
  function used(session: Session | undefined, scope: Scope): Session | undefined {
    const now = clock();
    if (session === undefined || !isThere(session, scope, now)) return undefined;
    return isRenewalDue(session, now, lifetimes) ? store.renew(session, now) : session;
  }

  function peek(id: string, scope: Scope): Session | undefined | Promise<Session | undefined> {
    const found = look(id);
    return found instanceof Promise
      ? found.then((session) => used(session, scope))
      : used(found, scope);
  }

  function retrieve(id: string, ids: Identity, scope: Scope): Retrieval | Promise<Retrieval> {
    const found = peek(id, scope);
    return found instanceof Promise
      ? found.then((session) => orNew(session, ids))
      : orNew(found, ids);
  }

  function orNew(found: Session | undefined, ids: Identity): Retrieval | Promise<Retrieval> {
    if (found !== undefined) return { session: found, isNew: false };
    const created = create(ids);
    return created instanceof Promise
      ? created.then((session) => ({ session, isNew: true }))
      : { session: created, isNew: true };
  }

  async function associate(id: string, ids: Identity, scope: Scope): Promise<Session> {
    if (issuer.verify(id) === undefined) throw new Refusal({ code: "session-not-found" });
    if (isBlank(ids)) {
      const session = await look(id);
      const isKnown = session !== undefined && isThere(session, scope, clock());
      throw new Refusal({ code: isKnown ? "nothing-to-associate" : "session-not-found" });
    }
    const result = await store.associate({ id, ids, scope, now: clock() });
    switch (result.outcome) {
      case "associated":
        events.associated();
        return result.session;
      case "conflict":
        throw new Refusal({ code: "already-exists", field: result.field });
      case "absent":
        throw new Refusal({ code: "session-not-found" });
    }
  }

  async function end(id: string): Promise<boolean> {
    if (issuer.verify(id) === undefined) return false;
    const wasLive = await store.end(id, clock());
    if (wasLive) events.ended();
    return wasLive;
  }

  return { create, retrieve, peek, associate, end };
}
