import type { EndReason } from "../../session/event.ts";
import type { IdField } from "../../session/fields.ts";
import type { Scope } from "../../session/permissions.ts";
import type { Identity, Session } from "../../session/session.ts";
import type { Traits } from "../../session/traits.ts";
import type { IdempotentRequest, Replay } from "./idempotency.ts";

/** Port: the life of sessions. */
export interface SessionStore {
  /**
   * Returns the cached session for which `find` was called with this id, in its present state; `undefined` if there is
   * none. The session may have been rotated since then: the caller compares the generation of the id.
   */
  getCached(id: string): Session | undefined;

  /**
   * Returns the stored session with this handle, even if it has ended or expired. If nothing is stored, returns the
   * implicit session of the handle. This is the most frequent operation, so it returns a promise only if it has to wait.
   * `id` is a verified id of the session: if the session is cached, `getCached` finds it by this id from now on.
   */
  find(handle: string, id?: string): Session | Promise<Session>;

  /**
   * Returns the last byte that the handle of a new session with this visit should have, so that `create` takes fewer
   * steps. Returns `undefined` if all handles are alike, or without a visit. `create` accepts any other handle too.
   */
  lastByteOfHandle(visitId: string | null): number | undefined;

  /**
   * Stores a new session that has ids or traits. With `idempotent`, also stores the response. A bare session is
   * accepted only with `idempotent`; then only the response is stored (contract.md#rule-8).
   */
  create(session: Session, now: number, idempotent?: IdempotentRequest): Promise<CreateResult | Replay>;

  /**
   * Associates ids with a stored or implicit session (contract.md#rule-1, contract.md#rule-2, contract.md#rule-8). In
   * the same atomic step, profile and label that are given replace those of the session (contract.md#rule-10,
   * contract.md#rule-11), and with `rotate` the session gets its next id (contract.md#rule-9). If the result is not
   * `associated`, nothing was changed.
   */
  associate(request: AssociationRequest): Promise<AssociationResult | Replay>;

  /**
   * Returns the time (Unix ms) at which the id of this generation was replaced by the next one. Returns `undefined` if it
   * was not, or if nothing is stored.
   */
  rotatedAt(handle: string, generation: number): Promise<number | undefined>;

  /**
   * Renews a session that was used at `now`. Returns the renewed session at once. From then on, `find` returns it too.
   * The engine stores the renewal soon afterwards. If that fails, a later use of the session tries again.
   */
  renew(session: Session, now: number): Session;

  /** Ends a session and frees its visit. Returns false if none is live within the scope. */
  end(request: EndRequest): Promise<boolean>;
}

/** Result of storing a new session. */
export type CreateResult =
  | { readonly outcome: "created" }
  /** Another live session holds the visit (contract.md#rule-2). Nothing was stored. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** Another session is stored under this handle. Nothing was stored: retry with another id. */
  | { readonly outcome: "id-taken" };

/** A request to end a session. */
export interface EndRequest {
  readonly handle: string;
  /** The generation of the caller's id; the session must have it. Without it the session is ended in any generation. */
  readonly generation?: number;
  readonly scope: Scope;
  /** Unix ms. */
  readonly now: number;
  /** The reason that the event shows; `caller` by default. */
  readonly reason?: EndReason;
}

/** A request to associate ids with a session. */
export interface AssociationRequest {
  readonly handle: string;
  /** The generation of the caller's id. If the session has another one, the result is `absent`. */
  readonly generation: number;
  /** Ids to associate; `null` for an id that is not given. */
  readonly ids: Identity;
  /** Replace those of the session; `null` for a trait that is not given. Without it both stay. */
  readonly traits?: Traits | undefined;
  /** Checked in the same atomic step as the change, so that a race never exposes the session of another customer. */
  readonly scope: Scope;
  /** Unix ms. */
  readonly now: number;
  /** The session gets its next id, and is stored even if no id is given. */
  readonly rotate?: true;
  /**
   * Only together with `rotate`. Also stores the response. A replay is recognized before the generation is compared, so
   * that the replaced id is accepted for the repetition.
   */
  readonly idempotent?: IdempotentRequest;
}

/** Result of associating ids. */
export type AssociationResult =
  | { readonly outcome: "associated"; readonly session: Session }
  /** The session has another value for one of the ids, or another live session holds the visit. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** The session cannot be rotated once more (`MAX_GENERATION`). */
  | { readonly outcome: "rotation-limit" }
  /** There is no live session of this handle and generation within the scope. */
  | { readonly outcome: "absent" };
