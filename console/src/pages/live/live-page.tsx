import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { useActions } from "../../keyboard/actions.ts";
import { place } from "../../router.ts";
import { Badge } from "../../ui/badge.tsx";
import { Chips } from "../../ui/chips.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Icon } from "../../ui/icon.tsx";
import { PageHeader } from "../../ui/page.tsx";
import { EmptyState, ErrorState } from "../../ui/states.tsx";
import { announce } from "../../ui/status.tsx";
import { Table } from "../../ui/table.tsx";
import { eventColumns } from "./event-columns.tsx";
import { EventRows } from "./event-rows.ts";
import { chipsIn, filterIn, LiveFilters } from "./live-filters.tsx";
import { followEvents, type StreamStatus } from "./shared-stream.ts";

/** Distance (pixels) from the top at which scrolling pauses the list, so that rows do not move under the reader. */
const SCROLLED = 160;
/** Time (ms) without a connection after which the page says so. It is not 0, because streams end regularly. */
const DISCONNECTED_AFTER_MS = 2000;
/** Minimum time (ms) between two announcements of new events to screen readers. */
const ANNOUNCE_EVERY_MS = 15_000;

/** The page that shows events as they happen. */
export function LivePage(): JSX.Element {
  const { query } = place.value;
  const filter = filterIn(query);
  return (
    <>
      <PageHeader
        title="Live"
        lead="What happens to sessions, as it happens."
        actions={<CopyButton text={location.href} what="link" hasLabel />}
      />
      <LiveFilters />
      <Chips chips={chipsIn(query)} />
      <Stream key={JSON.stringify(filter)} filter={filter} />
    </>
  );
}

function Stream({ filter }: { readonly filter: ReturnType<typeof filterIn> }): JSX.Element {
  const rows = useMemo(() => new EventRows(), []);
  const status = useSignal<StreamStatus>("open");
  const failure = useSignal<unknown>(undefined);
  const attempt = useSignal(0);
  const isPaused = useSignal(false);
  const isScrolled = useSignal(false);
  const isHeld = useComputed(() => isPaused.value || isScrolled.value);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let announcedAt = 0;
    let unannounced = 0;
    const stop = followEvents(filter, {
      events(events) {
        rows.isHeld.value = isHeld.peek();
        rows.add(events);
        unannounced += events.length;
        if (performance.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
        announce(unannounced === 1 ? "1 new event" : `${unannounced} new events`);
        announcedAt = performance.now();
        unannounced = 0;
      },
      status(next) {
        clearTimeout(timer);
        if (next === "open") status.value = next;
        else {
          timer = setTimeout(() => {
            status.value = next;
          }, DISCONNECTED_AFTER_MS);
        }
      },
      gap: () =>
        rows.addNotice(
          "The page was hidden for a long time: events between the rows above and below this one are missing.",
        ),
      failed(error) {
        failure.value = error;
      },
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [attempt.value]);

  useEffect(() => {
    const update = () => {
      isScrolled.value = scrollY > SCROLLED;
      if (!isHeld.value) rows.show();
    };
    addEventListener("scroll", update, { passive: true });
    return () => removeEventListener("scroll", update);
  }, []);

  const toggle = () => {
    isPaused.value = !isPaused.value;
    if (!isPaused.value) rows.show();
    announce(isPaused.value ? "Paused. New events wait." : "Continues");
  };
  const showNew = () => {
    rows.show();
    scrollTo(0, 0);
  };
  useActions([
    { title: isPaused.value ? "Continue the list" : "Pause the list", key: "p", icon: "pause", run: toggle },
    { title: "Show new events", key: "n", run: showNew },
  ]);

  if (failure.value !== undefined) {
    const retry = () => {
      failure.value = undefined;
      attempt.value += 1;
    };
    return <ErrorState error={failure.value} onRetry={retry} />;
  }
  const waiting = rows.waiting.value;
  return (
    <section class="card flush live" aria-label="Events">
      <div class="card-tools">
        <StatusText status={status.value} isPaused={isPaused.value} />
        <div class="buttons">
          {waiting > 0 && (
            <button type="button" class="primary" onClick={showNew}>
              {waiting === 1 ? "1 new event" : `${waiting.toLocaleString("en")} new events`}
            </button>
          )}
          <button type="button" aria-pressed={isPaused.value} onClick={toggle}>
            <Icon name={isPaused.value ? "play" : "pause"} /> {isPaused.value ? "Continue" : "Pause"}
          </button>
          <button type="button" class="quiet" onClick={() => rows.clear()}>
            Clear
          </button>
        </div>
      </div>
      {rows.shown.value.length === 0 ? (
        <EmptyState icon="live" title="Waiting for events">
          <p>They appear here as soon as something happens to a session that meets the filters.</p>
        </EmptyState>
      ) : (
        <Table
          caption="Events, newest first"
          columns={eventColumns}
          rows={rows.shown.value}
          keyOf={({ key }) => key}
          rowClass={({ event }) => (event ? "" : "over")}
        />
      )}
    </section>
  );
}

function StatusText({ status, isPaused }: { readonly status: StreamStatus; readonly isPaused: boolean }): JSX.Element {
  if (status === "connecting") return <Badge tone="warning">connecting again</Badge>;
  return isPaused ? <Badge tone="neutral">paused</Badge> : <Badge tone="good">live</Badge>;
}
