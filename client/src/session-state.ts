import { handleOf } from "./session-id.ts";

/** The state of a visitor's session that all tabs of a site share. */
export interface SessionState {
  /** The session's id and a random suffix, which changes with the session's identity; empty if there is no session. */
  readonly entry: string;
  /** Time of the last reset in any tab (Unix ms), or a little later, so that it always rises; 0 without a reset. */
  readonly resetAt: number;
  /** Handles of the sessions that were forgotten, the most recent one last. */
  readonly forgotten: readonly string[];
}

/** The text form of a state: an entry, the time of the last reset, and handles. */
const STATE = /^([\w-]{40}\.\d+|)~(\d{1,15})((?:~[\w-]{24})*)$/;
/** Maximum number of forgotten sessions in a state. */
const MAX_FORGOTTEN = 8;

/** Returns the session's id from an entry. */
export function sessionIdOf<Entry extends string | undefined>(entry: Entry): Entry {
  return entry?.slice(0, 40) as Entry;
}

/** Formats a state as text. */
export function formatState({ entry, resetAt, forgotten }: SessionState): string {
  return [entry, resetAt, ...forgotten].join("~");
}

/** Parses the text of a state. Returns the initial state for any other text. */
export function parseState(text: string | null | undefined): SessionState {
  const [, entry = "", resetAt = "0", forgotten = ""] = STATE.exec(text ?? "") ?? [];
  return {
    entry,
    resetAt: Number(resetAt),
    forgotten: forgotten.split("~").slice(1),
  };
}

/**
 * Adds handles to the forgotten ones, of which the latest `MAX_FORGOTTEN` are kept. Removes the state's own session if
 * it is one of them.
 */
export function withForgotten(state: SessionState, handles: readonly string[]): SessionState {
  const forgotten = [...new Set([...state.forgotten, ...handles])].filter(Boolean);
  const entry = forgotten.includes(handleOf(state.entry)) ? "" : state.entry;
  return { ...state, entry, forgotten: forgotten.slice(-MAX_FORGOTTEN) };
}
