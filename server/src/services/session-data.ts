import type { Clock } from "../runtime/clock.ts";
import { type DataChange, isTagged, MAX_DATA_BYTES, NO_DATA, type Preconditions } from "../session/data.ts";
import { Refusal } from "../session/errors.ts";
import { generationOf, type IdIssuer } from "../session/id.ts";
import { isFindable, isReached, type Scope } from "../session/permissions.ts";
import { type Identity, isLive } from "../session/session.ts";
import type { DataStore, SessionWithData } from "../store/ports/data.ts";
import { type MaybePromise, type OpenedSession, type SessionName, type SessionService, whenReady } from "./sessions.ts";

/** A session with the id that opens it, and its data. */
export interface OpenedWithData extends OpenedSession, SessionWithData {
  /**
   * The session and the data as the store has them in memory; `undefined` if it has not, or if the session was just renewed.
   * A response can be cached under this object, because it stands for this state of both.
   */
  readonly cached: SessionWithData | undefined;
}

/** The parts that session data work with. */
export interface SessionDataParts {
  readonly store: DataStore;
  readonly service: SessionService;
  readonly ids: Pick<IdIssuer, "verify">;
  readonly clock: Clock;
}

/**
 * The operations on session data (contract.md#data). A session that is named by its id is renewed. The
 * methods refuse with `unavailable` if the store cannot be used.
 */
export class SessionData {
  readonly #parts: SessionDataParts;

  constructor(parts: SessionDataParts) {
    this.#parts = parts;
  }

  /** Does the same as `SessionService.retrieve`, and also returns the data, which are empty in a new session. */
  retrieve(id: string, ids: Identity, scope: Scope, beforeCreate?: () => void): MaybePromise<OpenedWithData> {
    // The most frequent case. It needs no closure.
    const cached = this.#useCached(id, scope);
    if (cached !== undefined) return cached;
    return whenReady(this.#useStored(id, scope), (used) => {
      if (used !== undefined) return used;
      beforeCreate?.();
      return whenReady(this.#parts.service.create(ids), (created) => ({
        ...created,
        data: NO_DATA,
        cached: undefined,
      }));
    });
  }

  /**
   * Does the same as `SessionService.use`, and also returns the data. They are empty for a retired id: it leads to no
   * data of the session (contract.md#rule-9).
   */
  use(id: string, scope: Scope): MaybePromise<OpenedWithData | undefined> {
    return this.#useCached(id, scope) ?? this.#useStored(id, scope);
  }

  #useCached(id: string, scope: Scope): OpenedWithData | undefined {
    const { service, store } = this.#parts;
    const cached = store.getCachedWithData(id);
    const session = cached && service.useFound(cached.session, generationOf(id), scope);
    return session && { id, session, data: cached.data, cached: session === cached.session ? cached : undefined };
  }

  /** Does the same as `use` for a session that may not be cached. */
  #useStored(id: string, scope: Scope): MaybePromise<OpenedWithData | undefined> {
    const { service, store, ids } = this.#parts;
    const verified = ids.verify(id);
    if (verified === undefined) return undefined;
    return whenReady(store.findWithData(verified.handle, id), (found) => {
      const session = service.useFound(found.session, verified.generation, scope);
      if (session !== undefined) return { id, session, data: found.data, cached: undefined };
      return whenReady(
        service.use(id, scope),
        (used) => used && { id, session: used, data: NO_DATA, cached: undefined },
      );
    });
  }

  /**
   * Returns the data of a live session within the scope, if they meet `ifMatch`. A session that is named by its handle is
   * not renewed. Refuses with `session-not-found` and `precondition-failed`, and renews nothing then.
   */
  async read(name: SessionName, scope: Scope, { ifMatch }: Pick<Preconditions, "ifMatch"> = {}): Promise<string> {
    const { service, store, ids, clock } = this.#parts;
    const verified = ids.verify(name.text);
    const named = verified ?? (await service.find(name, scope));
    if (named === undefined) throw new Refusal({ code: "session-not-found" });
    const { session, data } = await store.findWithData(named.handle, verified && name.text);
    const isOpen = isReached(session, verified?.generation, scope) && (verified || isFindable(session, name.findable));
    if (!isOpen || !isLive(session, clock())) throw new Refusal({ code: "session-not-found" });
    if (ifMatch !== undefined && !isTagged(data, ifMatch)) throw new Refusal({ code: "precondition-failed" });
    if (verified !== undefined) service.useFound(session, verified.generation, scope);
    return data;
  }

  /**
   * Changes the data of a live session within the scope, and returns them. They are durable then. Refuses with
   * `session-not-found`, `precondition-failed` and `body-too-large`.
   */
  async change(name: SessionName, scope: Scope, change: DataChange, preconditions: Preconditions): Promise<string> {
    const { service, store, clock } = this.#parts;
    const named = await service.find(name, scope);
    if (named === undefined) throw new Refusal({ code: "session-not-found" });
    const result = await store.changeData({ ...named, scope, change, preconditions, now: clock() });
    switch (result.outcome) {
      case "changed":
        return result.json;
      case "absent":
        throw new Refusal({ code: "session-not-found" });
      case "precondition-failed":
        throw new Refusal({ code: "precondition-failed" });
      case "too-large":
        throw new Refusal({ code: "body-too-large", limit: MAX_DATA_BYTES, what: "data" });
    }
  }
}
