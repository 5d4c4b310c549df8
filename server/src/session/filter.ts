import { idFields } from "./fields.ts";
import { type Identity, isLive, isRecognized, noIdentity, type Session } from "./session.ts";

/** Conditions on sessions, all of which must be met; `null` stands for no condition. */
export interface SessionFilter extends Identity {
  /** The label of the session, exactly (contract.md#rule-11). No index exists for it. */
  readonly label: string | null;
  readonly state: "anonymous" | "recognized" | null;
  /** The session was created at this time (Unix ms) or later. */
  readonly since: number | null;
  /** The session was created before this time (Unix ms). */
  readonly until: number | null;
  /** True: the session has neither ended nor expired. False: the session has ended or expired. */
  readonly live: boolean | null;
}

/** The filter that matches every session. */
export const anySession: SessionFilter = {
  ...noIdentity,
  label: null,
  state: null,
  since: null,
  until: null,
  live: null,
};

/** Returns whether the session meets the conditions at `now` (Unix ms). */
export function isMatch(session: Session, filter: SessionFilter, now: number): boolean {
  const { label, state, since, until, live } = filter;
  if (idFields.some((field) => filter[field] !== null && filter[field] !== session[field])) {
    return false;
  }
  if (label !== null && label !== session.label) return false;
  if (state !== null && (state === "recognized") !== isRecognized(session)) return false;
  if (since !== null && session.createdAt < since) return false;
  if (until !== null && session.createdAt >= until) return false;
  return live === null || live === isLive(session, now);
}

/** Returns whether the filter matches every session. */
export function isUnconditional(filter: SessionFilter): boolean {
  return Object.values(filter).every((value) => value === null);
}
