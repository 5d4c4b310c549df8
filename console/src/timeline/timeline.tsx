import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { useActions } from "../keyboard/actions.ts";
import { Icon } from "../ui/icon.tsx";
import { type CurrentRow, RowList } from "../ui/row-list.tsx";
import { EmptyState, ErrorState, LoadingState } from "../ui/states.tsx";
import { announce } from "../ui/status.tsx";
import { Density } from "./density.tsx";
import { type EntryFilter, isError, type Row, rowsOf, timeOf } from "./entries.ts";
import { EntryDialog } from "./entry-dialog.tsx";
import type { LoadedTimeline } from "./load.ts";
import { TimelineFilters } from "./timeline-filters.tsx";
import { heightOfRow, TimelineRow } from "./timeline-rows.tsx";

export interface TimelineProps {
  readonly timeline: LoadedTimeline & { readonly reload: () => void };
  readonly filter: EntryFilter;
  readonly onFilter: (filter: EntryFilter) => void;
  /** Address of a trace, with `{traceId}` in it; `null` without one. */
  readonly traceUrl: string | null;
}

/** The timeline of a session: an overview, filters, and its entries. */
export function Timeline({ timeline, filter, onFilter, traceUrl }: TimelineProps): JSX.Element {
  const { entries, isComplete, error, reload } = timeline;
  const rows = useMemo(() => rowsOf(entries, filter), [entries, filter.service, filter.status, filter.path]);
  const current = useSignal<CurrentRow>({ index: -1, focus: false });
  const open = useSignal<number | undefined>(undefined);
  const startedAt = useMemo(
    () => entries.reduce((least, entry) => Math.min(least, timeOf(entry)), Infinity),
    [entries],
  );
  const heightOf = useMemo(
    () => (index: number, isNarrow: boolean) => {
      const row = rows[index];
      return row === undefined ? 0 : heightOfRow(row, isNarrow);
    },
    [rows],
  );
  const jump = (index: number) => {
    current.value = { index, focus: true };
  };
  const jumps = jumpsOf(rows, current, jump);
  useActions(jumps.actions);

  if (entries.length === 0) {
    if (error !== undefined) return <ErrorState error={error} onRetry={reload} />;
    if (!isComplete) return <LoadingState what="Loading the timeline" />;
    return (
      <EmptyState icon="session" title="Nothing was recorded in this session">
        <p>Requests appear here when your applications or your proxy record them.</p>
      </EmptyState>
    );
  }
  const shown = rows.filter(({ kind }) => kind === "request").length;
  const openRow = open.value === undefined ? undefined : rows[open.value];
  return (
    <>
      <Density rows={rows} onJump={jump} />
      <TimelineFilters entries={entries} filter={filter} onFilter={onFilter} />
      <div class="tl-summary">
        <p role="status">{summaryOf(timeline, shown)}</p>
        <div class="buttons">
          <button type="button" class="small" disabled={jumps.firstError === -1} onClick={() => jump(jumps.firstError)}>
            <Icon name="alert" /> First error
          </button>
          {jumps.signIn !== -1 && (
            <button type="button" class="small" onClick={() => jump(jumps.signIn)}>
              <Icon name="customer" /> Sign-in
            </button>
          )}
        </div>
      </div>
      {shown === 0 && timeline.total > 0 ? (
        <EmptyState icon="filter" title="No request meets these filters" />
      ) : (
        <RowList
          label="Timeline"
          count={rows.length}
          keyOf={(index) => rows[index]?.key ?? String(index)}
          heightOf={heightOf}
          hasButton={(index) => hasButton(rows[index])}
          current={current}
          render={(index, isCurrent) => {
            const row = rows[index];
            if (row === undefined) return null;
            const onOpen = () => {
              current.value = { index, focus: false };
              open.value = index;
            };
            return <TimelineRow row={row} startedAt={startedAt} isCurrent={isCurrent} onOpen={onOpen} />;
          }}
        />
      )}
      {openRow && (
        <EntryDialog
          row={openRow}
          traceUrl={traceUrl}
          onClose={() => {
            const index = open.value ?? -1;
            open.value = undefined;
            // The dialog returns the focus to the entry that opened it, but the reader may have moved to another one.
            setTimeout(() => jump(index));
          }}
          onStep={(step) => {
            const next = nextIndex(rows, open.value ?? 0, step, hasButton);
            if (next !== -1) open.value = next;
          }}
        />
      )}
    </>
  );
}

const hasButton = (row: Row | undefined) => row?.kind === "request" || row?.kind === "life";
const hasError = (row: Row | undefined) => row?.kind === "request" && isError(row.entry);

/** Returns the index of the next wanted row after `index`, in the direction of `step`; -1 if there is none. */
function nextIndex(
  rows: readonly Row[],
  index: number,
  step: 1 | -1,
  isWanted: (row: Row | undefined) => boolean,
): number {
  for (let at = index + step; at >= 0 && at < rows.length; at += step) if (isWanted(rows[at])) return at;
  return -1;
}

/** The actions that jump within a timeline. */
function jumpsOf(rows: readonly Row[], current: Signal<CurrentRow>, jump: (index: number) => void) {
  const isSignIn = (row: Row | undefined) => row?.kind === "life" && row.entry.ids.customerId !== undefined;
  const firstError = nextIndex(rows, -1, 1, hasError);
  const signIn = nextIndex(rows, -1, 1, isSignIn);
  const go = (index: number, absence: string) => (index === -1 ? announce(absence) : jump(index));
  const from = () => current.peek().index;
  return {
    firstError,
    signIn,
    actions: [
      {
        title: "Jump to the first error",
        key: "e",
        icon: "alert" as const,
        run: () => go(firstError, "No request has failed"),
      },
      {
        title: "Jump to the next error",
        key: "n",
        icon: "alert" as const,
        run: () => go(nextIndex(rows, from(), 1, hasError), "No later request has failed"),
      },
      { title: "Jump to the sign-in", key: "i", icon: "customer" as const, run: () => go(signIn, "Nobody signed in") },
      {
        title: "Next entry",
        key: "j",
        icon: "down" as const,
        run: () => go(nextIndex(rows, from(), 1, hasButton), "The end"),
      },
      {
        title: "Previous entry",
        key: "k",
        icon: "down" as const,
        run: () => go(nextIndex(rows, Math.max(0, from()), -1, hasButton), "The start"),
      },
    ],
  };
}

function summaryOf({ total, dropped, isComplete, isCut, entries }: LoadedTimeline, shown: number): string {
  const number = (count: number) => count.toLocaleString("en");
  const parts = [`${number(shown)} of ${number(total)} ${total === 1 ? "request" : "requests"}`];
  if (dropped > 0) parts.push(`the ${number(dropped)} oldest are no longer kept`);
  if (isCut) parts.push(`the first ${number(entries.length)} entries are shown`);
  if (!isComplete) parts.push("loading more");
  return parts.join(" · ");
}
