import type { IdField } from "../../session/fields.ts";
import type { Scope } from "../../session/permissions.ts";
import type { Identity, Session } from "../../session/session.ts";
import type { IdempotentRequest, Replay } from "./idempotency.ts";

/** Port: the life of sessions. */
export interface SessionStore {
  /**
   * Returns the session with this id if it is cached in memory, without asking the store. The only method that accepts
   * unverified ids: only verified ids are cached, so it returns `undefined` for any other text.
   */
  getCached(text: string): Session | undefined;

  /**
   * Returns the stored session with this id, even if it has ended or expired. If nothing is stored, returns the
   * implicit session of the id. This is the most frequent operation, so it returns a promise only if it has to wait.
   */
  find(id: string): Session | Promise<Session>;

  /**
   * Stores a new session that has ids. With `idempotent`, also stores the response. A session without ids is accepted
   * only with `idempotent`; then only the response is stored (contract.md#rule-8).
   */
  create(session: Session, now: number, idempotent?: IdempotentRequest): Promise<CreateResult | Replay>;

  /** Associates ids with a stored or implicit session (contract.md#rule-1, contract.md#rule-2, contract.md#rule-8). */
  associate(request: AssociationRequest): Promise<AssociationResult>;

  /**
   * Renews a session that was used at `now`. Returns the renewed session at once. From then on, `find` returns it too.
   * The engine stores the renewal soon afterwards. If that fails, a later use of the session tries again.
   */
  renew(session: Session, now: number): Session;

  /** Ends a session and frees its visit. Returns false if none is live within the scope (default: `everyone`). */
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
  readonly id: string;
  /** Ids to associate; `null` for an id that is not given. */
  readonly ids: Identity;
  /** Checked in the same atomic step as the change, so that a race never exposes the session of another customer. */
  readonly scope: Scope;
  /** Unix ms. */
  readonly now: number;
}

/** Result of associating ids. */
export type AssociationResult =
  | { readonly outcome: "associated"; readonly session: Session }
  /** The session has another value for one of the ids, or another live session holds the visit. Nothing was changed. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** There is no live session with this id within the scope. */
  | { readonly outcome: "absent" };
