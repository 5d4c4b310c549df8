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
import type { RecordPageRequest, RecordStore } from "../store/ports/records.ts";
import type { SessionStore } from "../store/ports/sessions.ts";
import type { SessionAdmission } from "./quota.ts";

/** Result of `retrieve`. */
export interface Retrieval {
  readonly session: Session;
  /**
   * `new`: there was no such session, and another one was created instead (contract.md#rule-3). `cache`: the session was in
   * memory, so its response is worth caching too.
   */
  readonly origin: "cache" | "store" | "new";
}

/** A request that is carried out once: later requests with the same key get the first response. */
export interface Idempotent<Result> {
  /** Hash of the caller and the idempotency key. */
  readonly key: string;
  /** Hash of the request: another request under the same key is refused. */
  readonly fingerprint: string;
  /** Returns the response to store. */
  response(result: Result): string;
}

/** Events of sessions, for the metrics. */
export interface ServiceEvents {
  created(): void;
  associated(): void;
  ended(): void;
  recorded(records: number): void;
  recordsLost(records: number): void;
}

/** Parts of the service. */
export interface ServiceParts {
  readonly store: SessionStore & RecordStore & Pick<IdempotencyStore, "findReplay">;
  /** Creates and associates within a quota (`withQuota`); by default the store itself, without one. */
  readonly admission?: SessionAdmission;
  readonly ids: Pick<IdIssuer, "issue" | "verify">;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
  readonly events: ServiceEvents;
}

/** How often a new id is tried when the first is taken, which is next to impossible. */
const MAX_ID_ATTEMPTS = 3;

type MaybePromise<Value> = Value | Promise<Value>;

/** Passes a value on: at once, or when the promise of it is fulfilled. */
function whenReady<Value, Result>(
  value: MaybePromise<Value>,
  receive: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  return value instanceof Promise ? value.then(receive) : receive(value);
}

/**
 * The use cases of callers. Ids of callers have been validated before. Methods return promises only where they must wait
 * for the store. All refuse with `unavailable`.
 */
export class SessionService {
  readonly #store: ServiceParts["store"];
  readonly #admission: SessionAdmission;
  readonly #ids: ServiceParts["ids"];
  readonly #clock: Clock;
  readonly #lifetimes: Lifetimes;
  readonly #events: ServiceEvents;
  /** Keys of the idempotent requests in progress in this process. */
  readonly #inProgress = new Set<string>();

  constructor(parts: ServiceParts) {
    this.#store = parts.store;
    this.#admission = parts.admission ?? parts.store;
    this.#ids = parts.ids;
    this.#clock = parts.clock;
    this.#lifetimes = parts.lifetimes;
    this.#events = parts.events;
  }

  /**
   * Creates a session. One without ids is not stored (contract.md#rule-8); one with ids is durable when the promise is
   * fulfilled (contract.md#rule-7). Refuses with `already-exists` (contract.md#rule-2).
   */
  create(ids: Identity): MaybePromise<Session> {
    if (!hasNoIds(ids)) return this.#insert(ids).then(({ session }) => session);
    const session = this.#newSession(ids, this.#clock());
    this.#events.created();
    return session;
  }

  /**
   * Creates a session once, and returns the response of the first time. Also refuses with `request-under-way` and
   * `idempotency-key-reused`.
   */
  createOnce(ids: Identity, request: Idempotent<Session>): Promise<string> {
    return this.#once(request.key, async () => (await this.#insert(ids, request)).response);
  }

  /**
   * Renews and returns the live session with this id within the scope, or else creates one with `ids` (contract.md#rule-3
   * and contract.md#rule-4). Calls `beforeCreate` before that, which may refuse; otherwise refuses only as `create` does.
   */
  retrieve(
    id: string,
    ids: Identity,
    scope: Scope,
    beforeCreate?: () => void,
  ): MaybePromise<Retrieval> {
    const cached = this.#store.getCached(id);
    const origin = cached === undefined ? "store" : "cache";
    return whenReady(cached ?? this.#find(id), (found) => {
      const session = this.#renewIfLive(found, scope);
      if (session !== undefined) return { session, origin };
      beforeCreate?.();
      return whenReady(this.create(ids), (created) => ({ session: created, origin: "new" }));
    });
  }

  /** Renews and returns the live session with this id within the scope; `undefined` if there is none. */
  use(id: string, scope: Scope): MaybePromise<Session | undefined> {
    return this.useIfIssued(id, scope) ?? undefined;
  }

  /** Does the same as `use`, but returns `null` for an id that this server did not issue, without looking it up. */
  useIfIssued(id: string, scope: Scope): MaybePromise<Session | undefined> | null {
    const found = this.#load(id);
    if (found === undefined) return null;
    return whenReady(found, (session) => this.#renewIfLive(session, scope));
  }

  /**
   * Associates ids with a session (contract.md#rule-1, contract.md#rule-2 and contract.md#rule-5). Refuses with
   * `nothing-to-associate`, `session-not-found` and `already-exists`.
   */
  async associate(id: string, ids: Identity, scope: Scope): Promise<Session> {
    if (hasNoIds(ids)) {
      const session = await this.#load(id);
      const isKnown = session !== undefined && isUsable(session, scope, this.#clock());
      throw new Refusal({ code: isKnown ? "nothing-to-associate" : "session-not-found" });
    }
    const session = await this.associateIfLive(id, ids, scope);
    if (session === undefined) throw new Refusal({ code: "session-not-found" });
    return session;
  }

  /**
   * Does the same as `associate`, but returns `undefined` instead of refusing with `session-not-found`. At least one of
   * `ids` must be given.
   */
  async associateIfLive(id: string, ids: Identity, scope: Scope): Promise<Session | undefined> {
    if (this.#ids.verify(id) === undefined) return undefined;
    const result = await this.#admission.associate({ id, ids, scope, now: this.#clock() });
    switch (result.outcome) {
      case "associated":
        this.#events.associated();
        return result.session;
      case "conflict":
        throw new Refusal({ code: "already-exists", field: result.field });
      case "absent":
        return undefined;
    }
  }

  /**
   * Records requests in the live session with this id within the scope, and renews the session. The records are stored
   * within 100 ms, or, if `durable`, when the promise is fulfilled. Refuses with `session-not-found`; then nothing was
   * recorded.
   */
  record(
    id: string,
    records: readonly RequestRecord[],
    scope: Scope,
    durable: boolean,
  ): MaybePromise<void> {
    return whenReady(this.use(id, scope), (session) => {
      if (session === undefined) throw new Refusal({ code: "session-not-found" });
      const now = this.#clock();
      const count = () => this.#events.recorded(records.length);
      if (durable) return this.#store.storeRecords({ id: session.id, records, now }).then(count);
      if (this.#store.enqueueRecords(session.id, records, now)) return count();
      throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
    });
  }

  /** Records durably and once: as `record` and `createOnce` do. */
  recordOnce(
    id: string,
    records: readonly RequestRecord[],
    scope: Scope,
    { key, fingerprint, response }: Idempotent<void>,
  ): Promise<string> {
    return this.#once(key, async () => {
      const session = await this.use(id, scope);
      if (session === undefined) {
        // The session may have ended since the first request, whose response still holds.
        const replay = await this.#store.findReplay({ key, fingerprint }, this.#clock());
        if (replay === undefined) throw new Refusal({ code: "session-not-found" });
        return responseOf(replay);
      }
      const idempotent = { key, fingerprint, response: response() };
      const request = { id, records, now: this.#clock(), idempotent };
      const result = await this.#store.storeRecords(request);
      if (result.outcome !== "recorded") return responseOf(result);
      this.#events.recorded(records.length);
      return idempotent.response;
    });
  }

  /**
   * Records a request that begins now in a session that `use` or `create` has just returned. Never refuses: if the store
   * can take no more, the record is lost and counted.
   */
  recordBestEffort(session: Session, record: RequestRecord): void {
    if (this.#store.enqueueRecords(session.id, [record], record.startedAt)) {
      this.#events.recorded(1);
    } else this.#events.recordsLost(1);
  }

  /** Returns a page of the records of a session, live or not, within the scope. Refuses with `session-not-found`. */
  async readRecordPage(
    id: string,
    scope: Scope,
    bounds: Pick<RecordPageRequest, "after" | "limit">,
  ): Promise<RecordPage> {
    const page =
      this.#ids.verify(id) === undefined
        ? undefined
        : await this.#store.readRecordPage({ id, scope, ...bounds, now: this.#clock() });
    if (page === undefined) throw new Refusal({ code: "session-not-found" });
    return page;
  }

  /** Ends a session. Returns false if there is no live session with this id within the scope. */
  async end(id: string, scope: Scope = "everyone"): Promise<boolean> {
    if (this.#ids.verify(id) === undefined) return false;
    const wasLive = await this.#store.end(id, this.#clock(), scope);
    if (wasLive) this.#events.ended();
    return wasLive;
  }

  #newSession(ids: Identity, now: number): Session {
    const issued = this.#ids.issue(now);
    return newSession(issued.id, issued.createdAt, ids, this.#lifetimes);
  }

  /** Stores a new session, and with `request` its response, or returns the response of the first request with this key. */
  async #insert(
    ids: Identity,
    request?: Idempotent<Session>,
  ): Promise<{ readonly session: Session; readonly response: string }> {
    for (let attempt = 1; attempt <= MAX_ID_ATTEMPTS; attempt++) {
      const now = this.#clock();
      const session = this.#newSession(ids, now);
      const response = request?.response(session) ?? "";
      const result = await this.#admission.create(
        session,
        now,
        request && { key: request.key, fingerprint: request.fingerprint, response },
      );
      switch (result.outcome) {
        case "created":
          this.#events.created();
          return { session, response };
        case "conflict":
          throw new Refusal({ code: "already-exists", field: result.field });
        case "repeated":
        case "key-reused":
          return { session, response: responseOf(result) };
        case "id-taken":
      }
    }
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
  }

  async #once(key: string, carryOut: () => Promise<string>): Promise<string> {
    if (this.#inProgress.has(key)) {
      throw new Refusal({ code: "request-under-way", retryAfterSeconds: 1 });
    }
    this.#inProgress.add(key);
    try {
      return await carryOut();
    } finally {
      this.#inProgress.delete(key);
    }
  }

  /** Returns the session with this id, live or not and whoever's it is, without renewing it. */
  #load(id: string): MaybePromise<Session> | undefined {
    return this.#store.getCached(id) ?? this.#find(id);
  }

  /** Does the same as `#load` for an id that is not cached. */
  #find(id: string): MaybePromise<Session> | undefined {
    return this.#ids.verify(id) === undefined ? undefined : this.#store.find(id);
  }

  /** Returns the session, renewed if that is due; `undefined` if it is not live or not within the scope. */
  #renewIfLive(session: Session | undefined, scope: Scope): Session | undefined {
    const now = this.#clock();
    if (session === undefined || !isUsable(session, scope, now)) return undefined;
    return isRenewalDue(session, now, this.#lifetimes) ? this.#store.renew(session, now) : session;
  }
}

function isUsable(session: Session, scope: Scope, now: number): boolean {
  return isLive(session, now) && isWithin(session.customerId, scope);
}

/** Returns the stored response of a repeated request. Refuses with `idempotency-key-reused`. */
function responseOf(replay: Replay): string {
  if (replay.outcome === "key-reused") throw new Refusal({ code: "idempotency-key-reused" });
  return replay.response;
}
