import { idFields } from "./fields.ts";
import { timeAndCount } from "./id.ts";
import { type Identity, isLive, isRecognized, noIdentity, type Session } from "./session.ts";

/** Conditions on sessions, all of which must be met; `null` stands for no condition. */
export interface SessionFilter extends Identity {
  readonly handle: string | null;
  /** The label of the session, exactly (contract.md#rule-11). No index exists for it. */
  readonly label: string | null;
  readonly state: "anonymous" | "recognized" | null;
  /** The session was created at this time (Unix ms) or later. */
  readonly since: number | null;
  /** The session was created before this time (Unix ms). */
  readonly until: number | null;
  /** The session was last used at this time (Unix ms) or later. */
  readonly activeSince: number | null;
  /** True: the session has neither ended nor expired. False: the session has ended or expired. */
  readonly live: boolean | null;
}

/** The filter that matches every session. */
export const anySession: SessionFilter = {
  ...noIdentity,
  handle: null,
  label: null,
  state: null,
  since: null,
  until: null,
  activeSince: null,
  live: null,
};

/** Returns whether the session meets the conditions at `now` (Unix ms). */
export function isMatch(session: Session, filter: SessionFilter, now: number): boolean {
  const { handle, label, state, since, until, activeSince, live } = filter;
  if (handle !== null && handle !== session.handle) return false;
  if (idFields.some((field) => filter[field] !== null && filter[field] !== session[field])) {
    return false;
  }
  if (label !== null && label !== session.label) return false;
  if (state !== null && (state === "recognized") !== isRecognized(session)) return false;
  if (since !== null && session.createdAt < since) return false;
  if (until !== null && session.createdAt >= until) return false;
  if (activeSince !== null && session.lastActiveAt < activeSince) return false;
  return live === null || live === isLive(session, now);
}

/** Returns whether the filter matches every session. */
export function isUnconditional(filter: SessionFilter): boolean {
  return Object.values(filter).every((value) => value === null);
}

/**
 * Returns when the sessions that match the filter were created (Unix ms): from `since` inclusive to `until` exclusive;
 * `null` stands for no bound. A handle contains the time, so an engine need not search the other sessions.
 */
export function creationRange({ handle, since, until }: SessionFilter): Pick<SessionFilter, "since" | "until"> {
  if (handle === null) return { since, until };
  const { createdAt } = timeAndCount(handle);
  return { since: Math.max(createdAt, since ?? createdAt), until: Math.min(createdAt + 1, until ?? Infinity) };
}
