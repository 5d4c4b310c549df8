import type { Clock } from "../runtime/clock.ts";
import { Refusal } from "../session/errors.ts";
import type { IdIssuer } from "../session/id.ts";
import { isRenewalDue, type Lifetimes, newSession } from "../session/lifetime.ts";
import type { Scope } from "../session/permissions.ts";
import { isWithin } from "../session/permissions.ts";
import type { RequestRecord } from "../session/record.ts";
import { hasNoIds, type Identity, isLive, type Session } from "../session/session.ts";
import type { RecordPage } from "../session/timeline.ts";
import type { IdempotencyStore, Replay } from "../store/ports/idempotency.ts";
import type { RecordStore } from "../store/ports/records.ts";
import type { CreateResult, SessionStore } from "../store/ports/sessions.ts";

/** What retrieving came to. */
export interface Retrieval {
  readonly session: Session;
  /** There was nothing to retrieve: the session is new (contract.md#rule-3). */
  readonly isNew: boolean;
  /** It was in memory: likely to be asked for again. */
  readonly fromCache: boolean;
}

/** A request with an idempotency key: it is carried out once, and told the first answer from then on. */
export interface Idempotent<Result> {
  /** A hash of the key and of whoever sent it. */
  readonly key: string;
  /** A hash of the request: another one under the same key is refused. */
  readonly fingerprint: string;
  /** The answer to be kept. */
  response(result: Result): string;
}

/** Where a page of records begins, and how long it is at the most. */
export interface PageBounds {
  /** The sequence after which it begins. */
  readonly after: number;
  readonly limit: number;
}

/** The use cases of the service. Ids given to it have been validated. */
export interface SessionService {
  /**
   * Creates a session. One without ids is not stored (contract.md#rule-8); with ids the promise is fulfilled when they
   * are durable (contract.md#rule-7). Refuses with `already-exists` (contract.md#rule-2) and `unavailable`.
   */
  create(ids: Identity): Session | Promise<Session>;

  /**
   * Returns the live session of this id within the scope, renewed by this use, or else creates one with `ids`
   * (contract.md#rule-3 and contract.md#rule-4). Calls `beforeCreate` first, which refuses by throwing. Refuses
   * otherwise only what `create` refuses.
   */
  retrieve(
    id: string,
    ids: Identity,
    scope: Scope,
    beforeCreate?: () => void,
  ): Retrieval | Promise<Retrieval>;

  /** The live session of this id within the scope, or `undefined`. Creates nothing; it is a use. */
  use(id: string, scope: Scope): Session | undefined | Promise<Session | undefined>;

  /** Like `peek`, but returns `null` for an id that this server did not make, without looking it up. */
  useIfIssued(id: string, scope: Scope): Session | null | undefined | Promise<Session | undefined>;

  /**
   * Associates ids with a session (contract.md#rule-1, contract.md#rule-2 and contract.md#rule-5). Refuses with
   * `nothing-to-associate`, `session-not-found`, `already-exists` and `unavailable`.
   */
  associate(id: string, ids: Identity, scope: Scope): Promise<Session>;

  /**
   * Like `associate`, but resolves to `undefined` instead of refusing with `session-not-found`. At least one of
   * `ids` must be given.
   */
  associateIfLive(id: string, ids: Identity, scope: Scope): Promise<Session | undefined>;

  /**
   * `create` once: gives the answer of the first time. Refuses besides with `request-under-way` and
   * `idempotency-key-reused`.
   */
  createOnce(ids: Identity, keyed: Idempotent<Session>): Promise<string>;

  /**
   * Records requests in the live session of this id within the scope; it is a use. They are accepted
   * when this returns, and stored within 100 ms, or, `durable`, when the promise is fulfilled. Refuses
   * with `session-not-found` and `unavailable`, and then nothing was recorded.
   */
  record(
    id: string,
    records: readonly RequestRecord[],
    scope: Scope,
    durable: boolean,
  ): void | Promise<void>;

  /** `record`, durable and once, like `createOnce`. */
  recordOnce(
    id: string,
    records: readonly RequestRecord[],
    scope: Scope,
    keyed: Idempotent<void>,
  ): Promise<string>;

  /**
   * Notes a request that begins now in a session that `peek` or `create` has just given.
   * Never refuses: when the store can take no more, the record is lost and counted.
   */
  recordBestEffort(session: Session, record: RequestRecord): void;

  /**
   * A stretch of the records of a session, also of one that is over, within the scope. Refuses with
   * `session-not-found` when nothing is known of it, and `unavailable`.
   */
  readRecordPage(id: string, scope: Scope, bounds: PageBounds): Promise<RecordPage>;

  /**
   * Ends a session. False when there is no live one of this id within the scope, by default everyone's.
   * Refuses with `unavailable`.
   */
  end(id: string, scope?: Scope): Promise<boolean>;
}

/** What happened to sessions, for the metrics. */
export interface ServiceEvents {
  created(): void;
  associated(): void;
  ended(): void;
  recorded(records: number): void;
  recordsLost(records: number): void;
}

/** What the service works with. */
export interface ServiceParts {
  readonly store: SessionStore & RecordStore & Pick<IdempotencyStore, "findReplay">;
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
    if (!hasNoIds(ids)) return createStored(ids, now);
    events.created();
    return draft(ids, now);
  }

  async function createStored(ids: Identity, now: number): Promise<Session> {
    for (let attempt = 1; attempt <= MAX_ID_ATTEMPTS; attempt++) {
      const session = draft(ids, now);
      const creation = await store.create(session, now);
      if (isCreated(creation)) return session;
    }
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
  }

  function draft(ids: Identity, now: number): Session {
    const issued = issuer.issue(now);
    return newSession(issued.id, issued.createdAt, ids, lifetimes);
  }

  /** False when another id is to be tried. */
  function isCreated(creation: CreateResult | Replay): boolean {
    switch (creation.outcome) {
      case "created":
        events.created();
        return true;
      case "conflict":
        throw new Refusal({ code: "already-exists", field: creation.field });
      case "key-reused":
        throw new Refusal({ code: "idempotency-key-reused" });
      default:
        return false;
    }
  }

  /** Keys of requests that are being carried out here. */
  const underWay = new Set<string>();

  async function once(key: string, carryOut: () => Promise<string>): Promise<string> {
    if (underWay.has(key)) throw new Refusal({ code: "request-under-way", retryAfterSeconds: 1 });
    underWay.add(key);
    try {
      return await carryOut();
    } finally {
      underWay.delete(key);
    }
  }

  function createOnce(
    ids: Identity,
    { key, fingerprint, response }: Idempotent<Session>,
  ): Promise<string> {
    return once(key, async () => {
      for (let attempt = 1; attempt <= MAX_ID_ATTEMPTS; attempt++) {
        const now = clock();
        const session = draft(ids, now);
        const kept = { key, fingerprint, response: response(session) };
        const creation = await store.create(session, now, kept);
        if (creation.outcome === "repeated") return creation.response;
        if (isCreated(creation)) return kept.response;
      }
      throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
    });
  }

  function record(
    id: string,
    records: readonly RequestRecord[],
    scope: Scope,
    durable: boolean,
  ): void | Promise<void> {
    const found = use(id, scope);
    return found instanceof Promise
      ? found.then((session) => recordIn(session, records, durable))
      : recordIn(found, records, durable);
  }

  function recordIn(
    session: Session | undefined,
    records: readonly RequestRecord[],
    durable: boolean,
  ): void | Promise<void> {
    if (session === undefined) throw new Refusal({ code: "session-not-found" });
    const { id } = session;
    const now = clock();
    if (durable) {
      return store.storeRecords({ id, records, now }).then(() => events.recorded(records.length));
    }
    if (!store.enqueueRecords(id, records, now)) {
      throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
    }
    events.recorded(records.length);
  }

  function recordOnce(
    id: string,
    records: readonly RequestRecord[],
    scope: Scope,
    { key, fingerprint, response }: Idempotent<void>,
  ): Promise<string> {
    return once(key, async () => {
      const session = await use(id, scope);
      // The session may be over since: what was answered once still holds.
      if (session === undefined)
        return repeated(await store.findReplay({ key, fingerprint }, clock()));
      const kept = { key, fingerprint, response: response() };
      const result = await store.storeRecords({ id, records, now: clock(), idempotent: kept });
      if (result.outcome !== "recorded") return repeated(result);
      events.recorded(records.length);
      return kept.response;
    });
  }

  function repeated(repetition: Replay | undefined): string {
    if (repetition === undefined) throw new Refusal({ code: "session-not-found" });
    if (repetition.outcome === "key-reused") throw new Refusal({ code: "idempotency-key-reused" });
    return repetition.response;
  }

  function recordBestEffort(session: Session, noted: RequestRecord): void {
    if (store.enqueueRecords(session.id, [noted], noted.startedAt)) events.recorded(1);
    else events.recordsLost(1);
  }

  async function readRecordPage(id: string, scope: Scope, bounds: PageBounds): Promise<RecordPage> {
    const found =
      issuer.verify(id) === undefined
        ? undefined
        : await store.readRecordPage({ id, scope, ...bounds, now: clock() });
    if (found === undefined) throw new Refusal({ code: "session-not-found" });
    return found;
  }

  /** The session of this id, live or not, whosever. Looking is no use of it. */
  function load(id: string): Session | undefined | Promise<Session> {
    const known = store.getCached(id);
    if (known !== undefined) return known;
    return issuer.verify(id) === undefined ? undefined : store.find(id);
  }

  function isThere(session: Session, scope: Scope, now: number): boolean {
    return isLive(session, now) && isWithin(session.customerId, scope);
  }

  /** The session as this use leaves it, if it is live and within the scope. */
  function renewIfLive(session: Session | undefined, scope: Scope): Session | undefined {
    const now = clock();
    if (session === undefined || !isThere(session, scope, now)) return undefined;
    return isRenewalDue(session, now, lifetimes) ? store.renew(session, now) : session;
  }

  function useIfIssued(
    id: string,
    scope: Scope,
  ): Session | null | undefined | Promise<Session | undefined> {
    const found = load(id);
    if (found === undefined) return null;
    return found instanceof Promise
      ? found.then((session) => renewIfLive(session, scope))
      : renewIfLive(found, scope);
  }

  function use(id: string, scope: Scope): Session | undefined | Promise<Session | undefined> {
    return useIfIssued(id, scope) ?? undefined;
  }

  function retrieve(
    id: string,
    ids: Identity,
    scope: Scope,
    beforeCreate?: () => void,
  ): Retrieval | Promise<Retrieval> {
    const known = store.getCached(id);
    if (known !== undefined) {
      const session = renewIfLive(known, scope);
      return session === undefined
        ? createInstead(ids, beforeCreate)
        : { session, isNew: false, fromCache: true };
    }
    const found = issuer.verify(id) === undefined ? undefined : store.find(id);
    return found instanceof Promise
      ? found.then((session) => orNew(renewIfLive(session, scope), ids, beforeCreate))
      : orNew(renewIfLive(found, scope), ids, beforeCreate);
  }

  function orNew(
    found: Session | undefined,
    ids: Identity,
    beforeCreate?: () => void,
  ): Retrieval | Promise<Retrieval> {
    return found === undefined
      ? createInstead(ids, beforeCreate)
      : { session: found, isNew: false, fromCache: false };
  }

  function createInstead(ids: Identity, beforeCreate?: () => void): Retrieval | Promise<Retrieval> {
    beforeCreate?.();
    const created = create(ids);
    return created instanceof Promise
      ? created.then((session) => ({ session, isNew: true, fromCache: false }))
      : { session: created, isNew: true, fromCache: false };
  }

  async function associate(id: string, ids: Identity, scope: Scope): Promise<Session> {
    if (hasNoIds(ids)) {
      const session = await load(id);
      const isKnown = session !== undefined && isThere(session, scope, clock());
      throw new Refusal({ code: isKnown ? "nothing-to-associate" : "session-not-found" });
    }
    const session = await associateIfLive(id, ids, scope);
    if (session === undefined) throw new Refusal({ code: "session-not-found" });
    return session;
  }

  async function associateIfLive(
    id: string,
    ids: Identity,
    scope: Scope,
  ): Promise<Session | undefined> {
    if (issuer.verify(id) === undefined) return undefined;
    const result = await store.associate({ id, ids, scope, now: clock() });
    switch (result.outcome) {
      case "associated":
        events.associated();
        return result.session;
      case "conflict":
        throw new Refusal({ code: "already-exists", field: result.field });
      case "absent":
        return undefined;
    }
  }

  async function end(id: string, scope: Scope = "everyone"): Promise<boolean> {
    if (issuer.verify(id) === undefined) return false;
    const wasLive = await store.end(id, clock(), scope);
    if (wasLive) events.ended();
    return wasLive;
  }

  return {
    create,
    createOnce,
    retrieve,
    use,
    useIfIssued,
    associate,
    associateIfLive,
    record,
    recordOnce,
    recordBestEffort,
    readRecordPage,
    end,
  };
}
