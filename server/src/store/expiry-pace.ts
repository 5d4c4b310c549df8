/**
 * The length (ms) of a slot. Time is divided into slots. Both engines note each session in the slot in which it may
 * expire, and examine it after the end of the slot.
 */
export const SLOT_MS = 10_000;
/** Time (ms) after the end of a slot in which its sessions are examined. With the slot itself, that is less than a minute. */
const WITHIN_MS = 35_000;
/** The part of the overdue sessions that a slice examines. Sessions are overdue after a stop or an overload. */
const OVERDUE_PART = 1 / 8;
/** The limits of the number of sessions that a slice examines. Each takes some 10 us, during which requests wait. */
const MIN_SESSIONS = 64;
const MAX_SESSIONS = 1024;

/** A slot that has ended, and the number of its sessions that are not examined yet. */
export interface DueSlot {
  /** Number of slots from 1970 to the end of this one. */
  readonly slot: number;
  readonly sessions: number;
}

/**
 * Spreads the examination of sessions that may have expired over time. Slices are as small as possible while all sessions
 * are still examined in time, so a million sessions that expire in the same second delay no request.
 */
export class ExpiryPace {
  /** The time (Unix ms) of the last slice; `undefined` since one in which no sessions were due. */
  #lastAt: number | undefined;

  /** Returns the number of sessions to examine in the slice at `now` (Unix ms). `due` has the earliest slot first. */
  next(due: Iterable<DueSlot>, now: number): number {
    const since = now - (this.#lastAt ?? now);
    this.#lastAt = now;
    let sessions = 0;
    let perMs = 0;
    let isOverdue = false;
    for (const one of due) {
      const left = one.slot * SLOT_MS + WITHIN_MS - now;
      sessions += one.sessions;
      if (left > 0) perMs = Math.max(perMs, sessions / left);
      else isOverdue = true;
    }
    const wanted = isOverdue ? sessions * OVERDUE_PART : perMs * since;
    return Math.min(MAX_SESSIONS, Math.max(MIN_SESSIONS, Math.ceil(wanted)));
  }

  /** Notes that no sessions are due. */
  rest(): void {
    this.#lastAt = undefined;
  }
}
