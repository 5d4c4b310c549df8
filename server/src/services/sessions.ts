import type { Clock } from "../runtime/clock.ts";
import { Refusal } from "../session/errors.ts";
import type { EndReason } from "../session/event.ts";
import { generationOf, type IdIssuer, isHandle, type VerifiedId } from "../session/id.ts";
import { isRenewalDue, type Lifetimes, newSession } from "../session/lifetime.ts";
import { type Findable, isFindable, isReached, type Scope } from "../session/permissions.ts";
import { hasNoIds, type Identity, isBare, isLive, type Session } from "../session/session.ts";
import type { RecordPage } from "../session/timeline.ts";
import { hasTraits, noTraits, type Traits } from "../session/traits.ts";
import type { Replay } from "../store/ports/idempotency.ts";
import type { RecordPageRequest, RecordStore } from "../store/ports/records.ts";
import type { AssociationResult, SessionStore } from "../store/ports/sessions.ts";
import { type Idempotent, type RequestsInProgress, responseOf } from "./idempotent-requests.ts";
import type { SessionAdmission } from "./quota.ts";
import { RetiredSession, Rotation, type RotationSettings } from "./rotation.ts";

/** A session with the id that opens it. */
export interface OpenedSession {
  readonly id: string;
  readonly session: Session;
}

/** How a caller names a session. */
export interface SessionName {
  /** An id, or perhaps a handle. */
  readonly text: string;
  /** The sessions that the caller may name by their handles (contract.md#handles). */
  readonly findable: Findable;
}

/** A session that a caller has named. A handle names it in any generation. */
export type NamedSession = Pick<VerifiedId, "handle"> & Partial<VerifiedId>;

/** Result of `retrieve`. */
export interface Retrieval extends OpenedSession {
  /**
   * - `new`: there was no such session, so another one was created (contract.md#rule-3).
   * - `cache`: the session was in memory. It is in use, so its response is worth caching too.
   * - `store`: the session was read from the store.
   */
  readonly origin: "cache" | "store" | "new";
}

/** An update of a session, whose ids have been validated. */
export interface Update {
  /** Ids to associate; `null` for an id that is not given. */
  readonly ids: Identity;
  /** Traits to replace; `null` for one that is not given. */
  readonly traits: Traits;
  /** Whether the session gets its next id (contract.md#rule-9). The setting may rotate it even if this is false. */
  readonly rotate: boolean;
  /** Returns the idempotency key of the request, if it has one. Called only if the session is to get its next id. */
  key?(): Pick<Idempotent<never>, "key" | "fingerprint"> | undefined;
}

/** Handlers that count what happens to sessions, for the metrics. */
export interface ServiceEvents {
  created(): void;
  associated(): void;
  rotated(): void;
  ended(): void;
}

/** The parts that the service works with. */
export interface ServiceParts {
  readonly store: SessionStore & Pick<RecordStore, "readRecordPage" | "storeSetAside">;
  /** Creates sessions and associates ids, within a quota (`withQuota`). By default it is the store, without a quota. */
  readonly admission?: SessionAdmission;
  readonly ids: Pick<IdIssuer, "issue" | "verify" | "sign">;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
  readonly rotation: RotationSettings;
  readonly inProgress: RequestsInProgress;
  readonly events: ServiceEvents;
}

/** Maximum number of attempts to find an unused id. A collision is practically impossible. */
const MAX_ID_ATTEMPTS = 3;

export type MaybePromise<Value> = Value | Promise<Value>;

/** Calls `receive` with a value: at once, or if the value is a promise, when the promise is fulfilled. */
export function whenReady<Value, Result>(
  value: MaybePromise<Value>,
  receive: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  return value instanceof Promise ? value.then(receive) : receive(value);
}

/**
 * The operations of callers on sessions. The ids that callers give have already been validated. A method returns a
 * promise only if it must wait for the store. All methods refuse with `unavailable` if the store cannot be used.
 */
export class SessionService {
  /** The names of the configured profiles (contract.md#rule-10). */
  readonly profiles: readonly string[];
  readonly #store: ServiceParts["store"];
  readonly #admission: SessionAdmission;
  readonly #ids: ServiceParts["ids"];
  readonly #clock: Clock;
  readonly #lifetimes: Lifetimes;
  readonly #rotation: Rotation;
  readonly #events: ServiceEvents;
  readonly #inProgress: RequestsInProgress;

  constructor(parts: ServiceParts) {
    this.profiles = [...(parts.lifetimes.profiles?.keys() ?? [])];
    this.#store = parts.store;
    this.#admission = parts.admission ?? parts.store;
    this.#ids = parts.ids;
    this.#clock = parts.clock;
    this.#lifetimes = parts.lifetimes;
    this.#rotation = new Rotation(parts);
    this.#inProgress = parts.inProgress;
    this.#events = parts.events;
  }

  /**
   * Creates a session. A session without ids and traits is not stored (contract.md#rule-8). Any other session is durable
   * when the promise is fulfilled (contract.md#rule-7). Refuses with `already-exists` (contract.md#rule-2).
   */
  create(ids: Identity, traits = noTraits): MaybePromise<OpenedSession> {
    if (!hasNoIds(ids) || hasTraits(traits)) return this.#insert(ids, traits).then(({ opened }) => opened);
    const opened = this.#newSession(ids, traits, this.#clock());
    this.#events.created();
    return opened;
  }

  /**
   * Creates a session for a request with an idempotency key, and returns the response. A replay returns the stored
   * response of the first request. Refuses as `create` does, and also with `request-under-way` and
   * `idempotency-key-reused`.
   */
  createOnce(ids: Identity, request: Idempotent<OpenedSession>, traits = noTraits): Promise<string> {
    return this.#inProgress.once(request.key, async () => (await this.#insert(ids, traits, request)).response);
  }

  /**
   * Renews and returns the live session with this id, if it is within the scope. During the grace a retired id gets the
   * session as it was (contract.md#rule-9). Otherwise creates a session with `ids` (contract.md#rule-3 and
   * contract.md#rule-4). Before it creates one, it calls `beforeCreate`, which may refuse. Otherwise it refuses only as
   * `create` does.
   */
  retrieve(id: string, ids: Identity, scope: Scope, beforeCreate?: () => void): MaybePromise<Retrieval> {
    // The most frequent case. It needs no closure, so that it pays for nothing that only the others need.
    const cached = this.#useCached(id, scope);
    if (cached !== undefined) return { id, session: cached, origin: "cache" };
    return whenReady(this.#useStored(id, scope) ?? undefined, (used) => {
      if (used !== undefined) return { id, session: sessionIn(used), origin: "store" };
      beforeCreate?.();
      return whenReady(this.create(ids), (created) => ({ ...created, origin: "new" }));
    });
  }

  /**
   * Renews and returns the live session with this id within the scope; `undefined` if there is none. During the grace a
   * retired id gets the session as it was (contract.md#rule-9).
   */
  use(id: string, scope: Scope): MaybePromise<Session | undefined> {
    return whenReady(this.useIfIssued(id, scope) ?? undefined, (used) => used && sessionIn(used));
  }

  /**
   * Does the same as `use`, but returns `null` if this server did not issue the id. Such an id is not looked up. What a
   * retired id gets is wrapped, so that the caller can prefer another id.
   */
  useIfIssued(id: string, scope: Scope): MaybePromise<Session | RetiredSession | undefined> | null {
    return this.#useCached(id, scope) ?? this.#useStored(id, scope);
  }

  /**
   * Associates ids with a session, replaces those of its traits that are given, or rotates its id, or several of these
   * (contract.md#rule-1, contract.md#rule-2, contract.md#rule-5 and contract.md#rule-9). Refuses with
   * `nothing-to-associate`, `session-not-found`, `already-exists` and `rotation-limit`, and because of the idempotency
   * key as `createOnce` does.
   */
  async update(id: string, update: Update, scope: Scope): Promise<OpenedSession> {
    if (hasNoIds(update.ids) && !hasTraits(update.traits) && !update.rotate) {
      const opened = await this.openUnchanged(id, scope);
      throw new Refusal({ code: opened === undefined ? "session-not-found" : "nothing-to-associate" });
    }
    const opened = await this.updateIfLive(id, update, scope);
    if (opened === undefined) throw new Refusal({ code: "session-not-found" });
    return opened;
  }

  /** Does the same as `update` with some content, but returns `undefined` instead of `session-not-found`. */
  async updateIfLive(id: string, update: Update, scope: Scope): Promise<OpenedSession | undefined> {
    const verified = this.#ids.verify(id);
    if (verified === undefined) return undefined;
    const { ids, traits } = update;
    const isRotated = update.rotate || this.#rotation.rotatesUnasked(verified, ids);
    // Awaiting a boolean would cost every update a turn of the microtask queue.
    if (isRotated !== false && (await isRotated)) return this.#rotate(verified, update, scope);
    const request = { ...verified, ids, traits: givenTraits(traits), scope, now: this.#clock() };
    const result = await this.#admission.associate(request);
    if (result.outcome !== "associated") return refusedAssociation(result);
    this.#events.associated();
    return { id, session: result.session };
  }

  /** Returns a page of the timeline of a session, live or not, within the scope; `undefined` if there is none. */
  async readRecordPage(
    name: SessionName,
    scope: Scope,
    bounds: Pick<RecordPageRequest, "after" | "limit">,
  ): Promise<RecordPage | undefined> {
    const verified = this.#ids.verify(name.text);
    const named = verified ?? handleIfAllowed(name);
    const page = named && (await this.#store.readRecordPage({ ...named, scope, ...bounds, now: this.#clock() }));
    return page !== undefined && verified === undefined && !isFound(page, name) ? undefined : page;
  }

  /** Ends a session for this reason. Returns false if there is no live session of this name within the scope. */
  async end(name: SessionName, scope: Scope = "everyone", reason: EndReason = "caller"): Promise<boolean> {
    const named = await this.find(name, scope);
    if (named === undefined) return false;
    const wasLive = await this.#store.end({ ...named, scope, now: this.#clock(), reason });
    if (wasLive) this.#events.ended();
    return wasLive;
  }

  /**
   * Returns what a name contains: an id with a valid signature or, if handles are allowed, the handle of a session that
   * is within the scope and about which something is stored. A handle has no signature: if nothing is stored under it, it
   * may be made up.
   */
  async find(name: SessionName, scope: Scope): Promise<NamedSession | undefined> {
    const verified = this.#ids.verify(name.text);
    const named = verified ?? handleIfAllowed(name);
    if (verified !== undefined || named === undefined) return verified;
    const page = await this.#store.readRecordPage({ ...named, scope, after: 0, limit: 1, now: this.#clock() });
    return page !== undefined && isFound(page, name) ? named : undefined;
  }

  /**
   * Returns the session, renewed if due; `undefined` if it cannot be used with the verified id. Also stores the record
   * that is set aside for the session, because the visitor has come back.
   */
  useFound(session: Session, generation: number, scope: Scope): Session | undefined {
    const now = this.#clock();
    if (!isLive(session, now) || !isReached(session, generation, scope)) return undefined;
    this.#store.storeSetAside(session, now);
    return isRenewalDue(session, now, this.#lifetimes) ? this.#store.renew(session, now) : session;
  }

  /** Returns the live session that this id opens within the scope, without renewing it. */
  async openUnchanged(id: string, scope: Scope): Promise<OpenedSession | undefined> {
    const verified = this.#ids.verify(id);
    if (verified === undefined) return undefined;
    const session = await this.#store.find(verified.handle);
    const isUsable = isLive(session, this.#clock()) && isReached(session, verified.generation, scope);
    return isUsable ? { id, session } : undefined;
  }

  #newSession(ids: Identity, traits: Traits, now: number): OpenedSession {
    const { id, handle, createdAt } = this.#ids.issue(now, this.#store.lastByteOfHandle(ids.visitId));
    return { id, session: newSession(handle, createdAt, ids, this.#lifetimes, traits) };
  }

  /** Stores a new session and, if `request` is given, its response. A replay returns the first response. */
  async #insert(
    ids: Identity,
    traits: Traits,
    request?: Idempotent<OpenedSession>,
  ): Promise<{ readonly opened: OpenedSession; readonly response: string }> {
    for (let attempt = 1; attempt <= MAX_ID_ATTEMPTS; attempt++) {
      const now = this.#clock();
      const opened = this.#newSession(ids, traits, now);
      const response = request?.response(opened) ?? "";
      const result = await this.#admission.create(
        opened.session,
        now,
        request && { key: request.key, fingerprint: request.fingerprint, response },
      );
      switch (result.outcome) {
        case "created":
          this.#events.created();
          return { opened, response };
        case "conflict":
          throw new Refusal({ code: "already-exists", field: result.field });
        case "repeated":
        case "key-reused":
          return { opened, response: responseOf(result) };
        case "id-taken":
      }
    }
    const message = `${MAX_ID_ATTEMPTS} new session ids in a row exist already: the random numbers of this machine repeat`;
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error(message));
  }

  /** Renews and returns the session if it is cached and can be used with this id. A session that is in use is cached. */
  #useCached(id: string, scope: Scope): Session | undefined {
    const session = this.#store.getCached(id);
    return session && this.useFound(session, generationOf(id), scope);
  }

  /** Does the same as `useIfIssued` for a session that may not be cached. */
  #useStored(id: string, scope: Scope): MaybePromise<Session | RetiredSession | undefined> | null {
    const verified = this.#ids.verify(id);
    if (verified === undefined) return null;
    const { handle } = verified;
    return whenReady(this.#store.find(handle, id), (session): MaybePromise<Session | RetiredSession | undefined> => {
      const { generation } = verified;
      const isRetired = generation < session.generation && isLive(session, this.#clock());
      return isRetired
        ? this.#rotation.useRetired(session, generation, scope)
        : this.useFound(session, generation, scope);
    });
  }

  /** Associates ids and rotates the session's id in one step. A repetition gets the id that the first request got. */
  #rotate(verified: VerifiedId, update: Update, scope: Scope): Promise<OpenedSession | undefined> {
    const { ids, traits } = update;
    const given = givenTraits(traits);
    const key = update.key?.();
    const carryOut = async () => {
      const { id, request } = this.#rotation.requestFor({ ...verified, ids, traits: given, scope }, key);
      const result = await this.#admission.associate(request);
      switch (result.outcome) {
        case "associated":
          if (!hasNoIds(ids)) this.#events.associated();
          this.#events.rotated();
          return { id, session: result.session };
        case "repeated":
        case "key-reused":
          return this.openUnchanged(responseOf(result), scope);
        default:
          return refusedAssociation(result);
      }
    };
    return key === undefined ? carryOut() : this.#inProgress.once(key.key, carryOut);
  }
}

function sessionIn(used: Session | RetiredSession): Session {
  return used instanceof RetiredSession ? used.session : used;
}

/** Returns `undefined` instead of traits that change nothing, as most updates have none and the request becomes shorter. */
function givenTraits(traits: Traits): Traits | undefined {
  return hasTraits(traits) ? traits : undefined;
}

/** Refuses an association that was not made; returns `undefined` if there is no such session. */
function refusedAssociation(result: Exclude<AssociationResult | Replay, { outcome: "associated" }>): undefined {
  switch (result.outcome) {
    case "conflict":
      throw new Refusal({ code: "already-exists", field: result.field });
    case "rotation-limit":
      throw new Refusal({ code: "rotation-limit" });
    case "absent":
      return undefined;
    default:
      throw new TypeError("a replay of a request without an idempotency key");
  }
}

function handleIfAllowed({ text, findable }: SessionName): NamedSession | undefined {
  return findable !== "none" && isHandle(text) ? { handle: text } : undefined;
}

/** Returns whether the caller may name the session of this page by its handle. */
function isFound(page: RecordPage, { findable }: SessionName): boolean {
  return !isImplicit(page) && isFindable(page.life.session, findable);
}

/** Returns whether nothing is stored about the session of this page, so that it exists only in its handle. */
function isImplicit({ life: { session }, total }: RecordPage): boolean {
  const { generation, createdAt, lastActiveAt, ended } = session;
  return total === 0 && isBare(session) && generation === 0 && lastActiveAt === createdAt && !ended;
}
