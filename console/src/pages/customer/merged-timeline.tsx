import type { SessionSummary, TimelineEntry } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { sessions as calls } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { timeForm } from "../../preferences.ts";
import { hrefOf, navigate } from "../../router.ts";
import { isError, timeOf } from "../../timeline/entries.ts";
import { Status } from "../../timeline/timeline-rows.tsx";
import { lifeText } from "../../timeline/words.ts";
import { Section } from "../../ui/page.tsx";
import { type CurrentRow, RowList } from "../../ui/row-list.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { absoluteTime, formatDuration, relativeTime } from "../../ui/time.tsx";

/** Interval in milliseconds at which the timelines of live sessions are read again: they are many requests. */
const REFRESH_MS = 30_000;
/** The newest sessions whose timelines are merged, and how many entries are read of each. */
const MERGED_SESSIONS = 10;
const ENTRIES = 1000;

interface MergedEntry {
  readonly entry: TimelineEntry;
  readonly at: number;
  readonly session: SessionSummary;
  /** Position of the session in the list, for its colour. */
  readonly lane: number;
}

async function loadMerged(sessions: readonly SessionSummary[], signal: AbortSignal): Promise<readonly MergedEntry[]> {
  const timelines = await Promise.all(
    sessions.map(async (session, lane) => {
      const { records } = await calls.timeline(session.handle, { limit: ENTRIES, signal });
      return records.map((entry) => ({ entry, at: timeOf(entry), session, lane }));
    }),
  );
  return timelines.flat().toSorted((one, other) => other.at - one.at);
}

/** The entries of all sessions of a customer in one list, newest first. */
export function MergedTimeline({ sessions }: { readonly sessions: readonly SessionSummary[] }): JSX.Element {
  const merged = sessions.slice(0, MERGED_SESSIONS);
  const key = merged.map(({ handle }) => handle).join(" ");
  const isLive = merged.some(({ status }) => status === "live");
  const everyMs = isLive ? REFRESH_MS : undefined;
  const loading = useLoaded(key, (signal) => loadMerged(merged, signal), { everyMs });
  return (
    <Section title="Everything that happened" class="timeline-card">
      <LoadedView loading={loading} what="Loading the timelines">
        {(entries) =>
          entries.length === 0 ? (
            <EmptyState icon="session" title="Nothing was recorded" />
          ) : (
            <Entries entries={entries} isCut={sessions.length > MERGED_SESSIONS} />
          )
        }
      </LoadedView>
    </Section>
  );
}

function Entries({
  entries,
  isCut,
}: {
  readonly entries: readonly MergedEntry[];
  readonly isCut: boolean;
}): JSX.Element {
  const current = useSignal<CurrentRow>({ index: -1, focus: false });
  const heightOf = useMemo(() => (_index: number, isNarrow: boolean) => (isNarrow ? 3.5 : 2.125), []);
  return (
    <>
      <p class="tl-summary">
        {entries.length.toLocaleString("en")} entries, newest first
        {isCut && `, of the ${MERGED_SESSIONS} newest sessions on this page`}
      </p>
      <RowList
        label="Entries of all sessions"
        count={entries.length}
        keyOf={(index) => keyOf(entries[index])}
        heightOf={heightOf}
        hasButton={() => true}
        current={current}
        render={(index, isCurrent) => {
          const merged = entries[index];
          return merged && <MergedRow merged={merged} isCurrent={isCurrent} />;
        }}
      />
    </>
  );
}

function keyOf(merged: MergedEntry | undefined): string {
  return merged === undefined
    ? ""
    : `${merged.session.handle} ${merged.entry.type} ${merged.entry.sequence ?? merged.at}`;
}

function MergedRow({ merged, isCurrent }: { readonly merged: MergedEntry; readonly isCurrent: boolean }): JSX.Element {
  const { entry, at, session, lane } = merged;
  const tone = entry.state === "recognized" ? "tl-known" : "tl-anonymous";
  return (
    <button
      type="button"
      class={`tl-row tl-merged ${tone}${isError(entry) ? " error" : ""}${entry.type === "request" ? " tl-request" : ""}`}
      tabIndex={isCurrent ? 0 : -1}
      onClick={() => navigate(hrefOf("sessions", { handle: session.handle }))}
    >
      <time class="tl-time" dateTime={new Date(at).toISOString()}>
        {timeForm.value === "relative" ? relativeTime(at) : absoluteTime(at)}
      </time>
      <span class="tl-lane">
        <span class={`lane-dot lane-${(lane % 8) + 1}`} aria-hidden="true" />
        {session.label && <bdi>{session.label}</bdi>} <code>…{session.handle.slice(-8)}</code>
      </span>
      {entry.type === "request" ? (
        <>
          <Status status={entry.status} />
          <span class="tl-what">
            <b>{entry.method}</b> <bdi>{entry.path}</bdi>
          </span>
          <span class="tl-service">{entry.service}</span>
          <span class="tl-duration">{entry.durationMs !== null && formatDuration(entry.durationMs)}</span>
        </>
      ) : (
        <span class="tl-what tl-life-text">
          <bdi>{lifeText(entry)}</bdi>
        </span>
      )}
    </button>
  );
}
