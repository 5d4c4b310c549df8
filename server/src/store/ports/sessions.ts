import type { IdField } from "../../session/fields.ts";
import type { Scope } from "../../session/permissions.ts";
import type { Identity, Session } from "../../session/session.ts";
import type { IdempotentRequest, Replay } from "./idempotency.ts";

/** Port: the life of sessions. */
export interface SessionStore {
  /**
   * Returns the session with this id if it is cached in memory; nothing else is asked. The only method
   * that accepts any text: an id that was not verified is never cached.
   */
  getCached(text: string): Session | undefined;

  /**
   * Returns the session with this id, live or not: as it is stored, or else the implicit session that the id
   * describes. Returns a promise only where it must wait: retrieving is the hottest path.
   */
  find(id: string): Session | Promise<Session>;

  /**
   * Stores a new session with its ids. With `idempotent`, also stores the response; then a session without ids is
   * accepted too, of which only the response is stored.
   */
  create(
    session: Session,
    now: number,
    idempotent?: IdempotentRequest,
  ): Promise<CreateResult | Replay>;

  /**
   * Associates ids with the session, which may be implicit (contract.md#rule-1, contract.md#rule-2 and
   * contract.md#rule-8).
   */
  associate(request: AssociationRequest): Promise<AssociationResult>;

  /**
   * Renews a session that was used at `now`, and returns it at once as `find` will return it from now on. The renewal is stored
   * soon after; if that fails, a later use tries again.
   */
  renew(session: Session, now: number): Session;

  /**
   * Ends a session for good and frees its visit. Returns false if there is no live session with this id within the
   * scope (default: everyone's).
   */
  end(id: string, now: number, scope?: Scope): Promise<boolean>;
}

/** Result of storing a new session. */
export type CreateResult =
  | { readonly outcome: "created" }
  /** Another live session holds the visit (contract.md#rule-2). Nothing was stored. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** Another session is stored under this id. Nothing was stored: retry with another id. */
  | { readonly outcome: "id-taken" };

/** A request to associate ids with a session. */
export interface AssociationRequest {
  /** The session's id. */
  readonly id: string;
  readonly ids: Identity;
  /** Checked in the same step as the change, so that no race shows somebody else's session. */
  readonly scope: Scope;
  /** Unix ms. */
  readonly now: number;
}

/** Result of associating ids. */
export type AssociationResult =
  | { readonly outcome: "associated"; readonly session: Session }
  /** One of the ids is already set to another value, or another live session holds the visit. Nothing was changed. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** There is no live session with this id within the scope. */
  | { readonly outcome: "absent" };
