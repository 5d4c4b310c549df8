import type { IdField } from "./errors.ts";

/** The ids of a session; `null` stands for a missing one. */
export type Identity = Readonly<Record<IdField, string | null>>;

/** The names of the ids in the order in which they are checked, stored and shown. */
export const idFields: readonly IdField[] = ["agentId", "customerId", "visitId", "globalVisitId"];

export const noIdentity: Identity = {
  agentId: null,
  customerId: null,
  visitId: null,
  globalVisitId: null,
};

/**
 * The state of a session. Immutable: each change creates another object. Times are Unix ms.
 *
 * An id that is set never changes (contract.md#rule-1). Renewals and associations set `expiresAt`, so a change of the
 * configured lifetimes affects a session from its next renewal on.
 */
export interface Session extends Identity {
  /** 40 characters, issued by the server (`id.ts`). */
  readonly id: string;
  readonly createdAt: number;
  /** The last stored renewal; the last use may be up to a tenth of the idle time later (contract.md#rule-6). */
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  /** True if it was ended on request. For callers an ended session is unknown. */
  readonly ended: boolean;
}

/** Returns whether there is a customer or an agent (contract.md#sessioninfo). */
export function isRecognized(ids: Pick<Identity, "agentId" | "customerId">): boolean {
  return ids.customerId !== null || ids.agentId !== null;
}

/** Returns whether no id is set. Such a session may exist without being stored (contract.md#rule-8). */
export function hasNoIds(ids: Identity): boolean {
  return (
    ids.agentId === null &&
    ids.customerId === null &&
    ids.visitId === null &&
    ids.globalVisitId === null
  );
}

/** Returns whether the session can be used at `now`. */
export function isLive(session: Session, now: number): boolean {
  return now < session.expiresAt && !session.ended;
}
