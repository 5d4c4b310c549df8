import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { startPolling } from "../polling.ts";
import { isAbort } from "./messages.ts";

/** The state of something that is loaded. */
export interface Loaded<T> {
  /** The newest value; `undefined` until there is one. */
  readonly value: T | undefined;
  /** The failure of the newest attempt; `undefined` if it succeeded. The value of an earlier one stays. */
  readonly error: unknown;
  readonly isLoading: boolean;
  /** Time of the last success in Unix ms; 0 before the first. */
  readonly at: number;
}

/** A `Loaded` that can be loaded again. */
export interface Loading<T> extends Loaded<T> {
  reload(): void;
}

export interface LoadOptions {
  /** Interval in milliseconds at which to load again while the page is visible; never by default. */
  readonly everyMs?: number | undefined;
}

/**
 * Loads something, and again when `key` changes. The value for another key is dropped at once; a reload of the same key
 * keeps it until the new one is there. `load` gets a signal that is aborted when its result is no longer wanted.
 */
export function useLoaded<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { everyMs }: LoadOptions = {},
): Loading<T> {
  const state: Signal<Loaded<T> & { readonly key: string }> = useSignal({ key, ...nothing<T>() });
  const newest = useRef(load);
  newest.current = load;
  const reload = useRef(() => {});

  useEffect(() => {
    if (state.peek().key !== key || state.peek().at === 0) state.value = { key, ...nothing<T>() };
    const task = async (signal: AbortSignal) => {
      state.value = { ...state.peek(), isLoading: true };
      try {
        const value = await newest.current(signal);
        if (!signal.aborted) state.value = { key, value, error: undefined, isLoading: false, at: Date.now() };
      } catch (error) {
        if (signal.aborted || isAbort(error)) return;
        state.value = { ...state.peek(), error, isLoading: false };
        throw error;
      }
    };
    const polling = startPolling(task, everyMs);
    reload.current = polling.runNow;
    return polling.stop;
  }, [key, everyMs]);

  // The value of another key must not be shown, not even until the effect has run.
  const shown = state.value.key === key ? state.value : nothing<T>();
  return { ...shown, reload: () => reload.current() };
}

function nothing<T>(): Loaded<T> {
  return { value: undefined, error: undefined, isLoading: true, at: 0 };
}
