import type { IdField } from "./fields.ts";
import { hasTraits, type Traits } from "./traits.ts";

/** The ids of a session; `null` stands for a missing one. */
export type Identity = Readonly<Record<IdField, string | null>>;

/**
 * Returns an identity whose ids are what `idOf` returns for each field and its position in `idFields`. The members are
 * written out here, in `sessionOf` and in `hasNoIds`, because this is much faster than a loop.
 */
export function identityOf(idOf: (field: IdField, position: number) => string | null): Identity {
  return {
    agentId: idOf("agentId", 0),
    customerId: idOf("customerId", 1),
    visitId: idOf("visitId", 2),
    globalVisitId: idOf("globalVisitId", 3),
  };
}

export const noIdentity = identityOf(() => null);

/**
 * The state of a session. Immutable: each change creates another object. Times are Unix ms.
 *
 * Once one of the ids in `Identity` is set, it never changes (contract.md#rule-1). Renewals and associations set
 * `expiresAt`, so a change of the configured lifetimes affects a session from its next renewal on.
 */
export interface Session extends Identity, Traits {
  /** Names the session: the first 24 characters of its id (`id.ts`). Nobody can open the session with it. */
  readonly handle: string;
  /** The generation of the id that opens the session (contract.md#session-ids). */
  readonly generation: number;
  readonly createdAt: number;
  /** The last stored renewal. The last use may be up to a tenth of the idle time later (contract.md#rule-6). */
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  /** True if the session was ended on request. For a caller, an ended session is like an unknown one. */
  readonly ended: boolean;
}

/** Returns a session with these ids. */
export function sessionOf(
  { handle, generation, createdAt, lastActiveAt, expiresAt, ended, profile, label }: Omit<Session, IdField>,
  { agentId, customerId, visitId, globalVisitId }: Identity,
): Session {
  return {
    handle,
    generation,
    createdAt,
    lastActiveAt,
    expiresAt,
    ended,
    agentId,
    customerId,
    visitId,
    globalVisitId,
    profile,
    label,
  };
}

/** Returns whether the customer or the agent is known (contract.md#sessioninfo). */
export function isRecognized(ids: Pick<Identity, "agentId" | "customerId">): boolean {
  return ids.customerId !== null || ids.agentId !== null;
}

/** Returns whether no id is set. */
export function hasNoIds(ids: Identity): boolean {
  return ids.customerId === null && ids.agentId === null && ids.visitId === null && ids.globalVisitId === null;
}

/** Returns whether the session has neither ids nor traits, so that it need not be stored (contract.md#rule-8). */
export function isBare(session: Identity & Traits): boolean {
  return hasNoIds(session) && !hasTraits(session);
}

/** Returns whether the session can be used at `now`. */
export function isLive(session: Session, now: number): boolean {
  return now < session.expiresAt && !session.ended;
}
