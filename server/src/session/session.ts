import type { IdField } from "./errors.ts";

/** The ids of the caller that a session has; `null` where there is none (yet). */
export type Identity = Readonly<Record<IdField, string | null>>;

/** The ids in the order in which they are checked, stored and shown. */
export const idFields: readonly IdField[] = ["agentId", "customerId", "visitId", "globalVisitId"];

/** No ids at all. */
export const noIdentity: Identity = {
  agentId: null,
  customerId: null,
  visitId: null,
  globalVisitId: null,
};

/**
 * A session at one moment; immutable, a change makes a new one. Times are milliseconds since 1970.
 *
 * An id, once set, stays (contract.md#rule-1). `expiresAt` is fixed by the last renewal or association,
 * so a change of the configured lifetimes reaches a session with its next renewal.
 */
export interface Session extends Identity {
  /** 40 characters, made by the server (see `id.ts`). */
  readonly id: string;
  readonly createdAt: number;
  /** The last renewal: a use may be up to a tenth of the idle time later (contract.md#rule-6). */
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  /** Ended before its time. Callers see an ended session as unknown. */
  readonly ended: boolean;
}

/** Whether there is a customer or an agent (contract.md#sessioninfo). */
export function isRecognized(ids: Pick<Identity, "agentId" | "customerId">): boolean {
  return ids.customerId !== null || ids.agentId !== null;
}

/** Whether no id is associated: such a session can exist in its own id only (contract.md#rule-8). */
export function hasNoIds(ids: Identity): boolean {
  return (
    ids.agentId === null &&
    ids.customerId === null &&
    ids.visitId === null &&
    ids.globalVisitId === null
  );
}

/** Whether the session can still be used at `now`. */
export function isLive(session: Session, now: number): boolean {
  return now < session.expiresAt && !session.ended;
}
