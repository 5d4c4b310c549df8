import {
  type Identity,
  idFields,
  isLive,
  isRecognized,
  noIdentity,
  type Session,
} from "./session.ts";

/** Which sessions are asked for: whatever is not `null` must hold, all of it. */
export interface SessionFilter extends Identity {
  readonly state: "anonymous" | "recognized" | null;
  /** Created at this time (ms) or later. */
  readonly since: number | null;
  /** Created before this time (ms). */
  readonly until: number | null;
  /** Still to be used, or over: ended or expired. */
  readonly live: boolean | null;
}

/** Asks for any session. */
export const anySession: SessionFilter = {
  ...noIdentity,
  state: null,
  since: null,
  until: null,
  live: null,
};

/** Whether the session is asked for at `now` (ms). */
export function isMatch(session: Session, filter: SessionFilter, now: number): boolean {
  const { state, since, until, live } = filter;
  if (idFields.some((field) => filter[field] !== null && filter[field] !== session[field])) {
    return false;
  }
  if (state !== null && (state === "recognized") !== isRecognized(session)) return false;
  if (since !== null && session.createdAt < since) return false;
  if (until !== null && session.createdAt >= until) return false;
  return live === null || live === isLive(session, now);
}

/** Whether nothing is asked for that any session would not be. */
export function isUnconditional(filter: SessionFilter): boolean {
  return Object.values(filter).every((value) => value === null);
}
