import { handleOf } from "./session-id.ts";

/** A visitor's session as all tabs of a site know it. */
export interface SessionState {
  /** The session's id and a random suffix, which changes with its identity; empty without a session. */
  readonly entry: string;
  /** The time of the last reset in any tab, Unix ms, always later than the one before; 0 without a reset. */
  readonly generation: number;
  /** Handles of forgotten sessions, the latest at the end. */
  readonly forgotten: readonly string[];
}

/** An entry, the generation, and handles. */
const STATE = /^([\w-]{40}\.\d+|)~(\d{1,15})((?:~[\w-]{24})*)$/;
/** The maximum number of forgotten sessions in a state. */
const MAX_FORGOTTEN = 8;

/** Returns the session's id in an entry. */
export function sessionIdOf<Entry extends string | undefined>(entry: Entry): Entry {
  return entry?.slice(0, 40) as Entry;
}

/** Returns the text form of a state. */
export function formatState({ entry, generation, forgotten }: SessionState): string {
  return [entry, generation, ...forgotten].join("~");
}

/** Returns the state in a text; the initial state if there is none. */
export function parseState(text: string | null | undefined): SessionState {
  const [, entry = "", generation = "0", forgotten = ""] = STATE.exec(text ?? "") ?? [];
  return {
    entry,
    generation: Number(generation),
    forgotten: forgotten.split("~").slice(1),
  };
}

/** Returns the state with these handles added to the forgotten ones, of which only the latest are kept. */
export function withForgotten(state: SessionState, handles: readonly string[]): SessionState {
  const forgotten = [...new Set([...state.forgotten, ...handles])].filter(Boolean);
  const entry = forgotten.includes(handleOf(state.entry)) ? "" : state.entry;
  return { ...state, entry, forgotten: forgotten.slice(-MAX_FORGOTTEN) };
}
