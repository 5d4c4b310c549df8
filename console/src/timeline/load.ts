import type { TimelineEntry } from "@antechamber/client/protocol";
import type { Transport } from "@antechamber/client/transport";
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { REFRESH_MS, startPolling } from "../polling.ts";
import { withNewEntries } from "./entries.ts";

/** Number of entries that one request returns. */
const PAGE_ENTRIES = 1000;
/** Maximum number of entries that are shown: a session keeps 10,000 records by default, and has few events. */
const MAX_ENTRIES = 20_000;

/** A timeline as far as it is loaded. */
export interface LoadedTimeline {
  readonly entries: readonly TimelineEntry[];
  /** Number of all requests that were recorded. */
  readonly total: number;
  /** Number of requests that are no longer kept. */
  readonly dropped: number;
  /** Whether everything was loaded once. */
  readonly isComplete: boolean;
  /** Whether the timeline has more entries than the console shows. */
  readonly isCut: boolean;
  readonly error: unknown;
}

const nothing: LoadedTimeline = {
  entries: [],
  total: 0,
  dropped: 0,
  isComplete: false,
  isCut: false,
  error: undefined,
};

export interface TimelineSource {
  readonly read: Transport["timeline"];
  readonly handle: string;
  /** Whether later entries are loaded as they come. */
  readonly isLive: boolean;
}

/** Loads a timeline page by page, and shows each page at once. A live one is continued every ten seconds. */
export function useTimeline({
  read,
  handle,
  isLive,
}: TimelineSource): LoadedTimeline & { readonly reload: () => void } {
  const state: Signal<LoadedTimeline> = useSignal(nothing);
  const reload = useRef(() => {});
  useEffect(() => {
    state.value = nothing;
    const polling = startPolling(
      async (signal) => {
        try {
          await loadRest(read, handle, state, signal);
        } catch (error) {
          if (signal.aborted) return;
          state.value = { ...state.peek(), error };
          throw error;
        }
      },
      isLive ? REFRESH_MS : undefined,
    );
    reload.current = polling.runNow;
    return polling.stop;
  }, [handle, isLive]);
  return { ...state.value, reload: () => reload.current() };
}

/** Loads all entries that are not loaded yet. */
async function loadRest(
  read: Transport["timeline"],
  handle: string,
  state: Signal<LoadedTimeline>,
  signal: AbortSignal,
): Promise<void> {
  let after: string | number | undefined = lastSequence(state.peek().entries);
  for (;;) {
    const page = await read(handle, { after, limit: PAGE_ENTRIES, signal });
    if (signal.aborted) return;
    const entries = withNewEntries(state.peek().entries, page.records);
    const isCut = entries.length >= MAX_ENTRIES;
    const isComplete = state.peek().isComplete || page.next === null || isCut;
    const { total, dropped } = page;
    state.value = { entries, total, dropped, isComplete, isCut, error: undefined };
    if (page.next === null || isCut) return;
    after = page.next;
  }
}

function lastSequence(entries: readonly TimelineEntry[]): number | undefined {
  return entries.findLast((entry) => entry.type === "request")?.sequence ?? undefined;
}
