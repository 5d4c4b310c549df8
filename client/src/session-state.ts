import { handleOf } from "./session-id.ts";

/** The state of a visitor's session that all tabs of a site share. */
export interface SessionState {
  /** The session's id and a random suffix, which changes with the session's identity; empty if there is no session. */
  readonly entry: string;
  /** Time of the last reset in any tab (Unix ms), or a little later, so that it always rises; 0 without a reset. */
  readonly resetAt: number;
  /** Handles of the sessions that were forgotten, each after a `~`, the most recent one last. */
  readonly forgotten: string;
}

/** The text form of a state: an entry, the time of the last reset, and handles. */
const STATE = /^([\w-]{40}\.\d+|)~(\d{1,15})((?:~[\w-]{24})*)$/;
/** Maximum length of `forgotten`: eight handles. */
const MAX_FORGOTTEN = 8 * 25;

/** Returns the session's id from an entry; empty for an empty one. */
export function sessionIdOf(entry: string): string {
  return entry.slice(0, 40);
}

/** Returns a text that is different at each call: the given one and a random suffix, such as ".4163072395104317". */
// All suffixes have the same length, so that a new entry can replace the old one even if the storage is full.
export function withSuffix(text: string | number): string {
  return text + Math.random().toFixed(16).slice(1);
}

/** Formats a state as text. */
export function formatState({ entry, resetAt, forgotten }: SessionState): string {
  return `${entry}~${resetAt}${forgotten}`;
}

/** Parses the text of a state. Returns the initial state for any other text. */
export function parseState(text: string | null | undefined): SessionState {
  const [, entry = "", resetAt = 0, forgotten = ""] = STATE.exec(text ?? "") ?? [];
  return { entry, resetAt: Number(resetAt), forgotten };
}

/**
 * Adds handles to the forgotten ones, of which the latest are kept. Removes the state's own session if it is one of
 * them.
 */
export function withForgotten(state: SessionState, handles: readonly string[]): SessionState {
  let { forgotten } = state;
  // An empty handle is in every text.
  for (const handle of handles) if (!forgotten.includes(handle)) forgotten += `~${handle}`;
  const entry = forgotten.includes(handleOf(state.entry)) ? "" : state.entry;
  return { ...state, entry, forgotten: forgotten.slice(-MAX_FORGOTTEN) };
}
