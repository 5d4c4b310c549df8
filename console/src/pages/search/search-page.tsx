import type { JSX } from "preact";
import { useLoaded } from "../../api/loading.ts";
import { REFRESH_MS } from "../../polling.ts";
import { hrefOf, place } from "../../router.ts";
import { Chips } from "../../ui/chips.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { PageHeader } from "../../ui/page.tsx";
import { Pager, pagePosition } from "../../ui/pager.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { ColumnChoice, chosenColumns } from "./columns.tsx";
import { QuickFilters } from "./filter-form.tsx";
import { chipsOf, filterOf } from "./filters.ts";
import { Matches } from "./matches.tsx";
import { countOf, loadSessionPage } from "./session-list.ts";

/** The page that finds sessions: by one text, or by filters. Everything that it shows is in its address. */
export function SearchPage(): JSX.Element {
  const { query } = place.value;
  const text = query.get("q");
  return (
    <>
      <PageHeader
        title="Sessions"
        lead="Live, expired and ended sessions, for as long as they are stored."
        actions={<CopyButton text={location.href} what="link" hasLabel />}
      />
      <QuickFilters />
      <Chips chips={chipsOf(query)} />
      {text ? <Matches key={text} text={text} /> : <Sessions />}
    </>
  );
}

function Sessions(): JSX.Element {
  const { query } = place.value;
  const { cursor } = pagePosition();
  const chips = chipsOf(query);
  const isFirst = cursor === undefined;
  const list = useLoaded(
    String(query),
    async (signal) => await loadSessionPage(filterOf(query), cursor, signal),
    // Later pages are not refreshed, so that rows do not move under the reader.
    { everyMs: isFirst ? REFRESH_MS : undefined },
  );
  return (
    <LoadedView loading={list} what="Loading sessions">
      {({ sessions, next, total }) =>
        sessions.length === 0 && next === null ? (
          <NoSessions isFiltered={chips.length > 0 || !isFirst} />
        ) : (
          <section class="card flush" aria-label="Sessions">
            <div class="card-tools">
              <p class="quiet">{summaryOf(sessions.length, next, total, chips.length > 0)}</p>
              <ColumnChoice />
            </div>
            <Table
              caption="Sessions, newest first"
              columns={chosenColumns()}
              rows={sessions}
              keyOf={({ handle }) => handle}
              rowClass={({ status }) => (status === "live" ? "" : "over")}
            />
            <Pager next={next} summary={`${countOf(sessions.length, false)} on this page`} />
          </section>
        )
      }
    </LoadedView>
  );
}

function summaryOf(shown: number, next: string | null, total: number | null, isFiltered: boolean): string {
  if (total !== null) return `${countOf(total, isFiltered)}, newest first`;
  return next === null ? `${countOf(shown, false)}, newest first` : "Newest first";
}

function NoSessions({ isFiltered }: { readonly isFiltered: boolean }): JSX.Element {
  if (!isFiltered) {
    return (
      <EmptyState icon="session" title="No session is stored yet">
        <p>A session appears here when a visitor is recognized, or when a request of theirs is recorded.</p>
      </EmptyState>
    );
  }
  return (
    <EmptyState icon="search" title="No session meets these filters">
      <p>
        <a href={hrefOf("search")}>Show all sessions</a>
      </p>
    </EmptyState>
  );
}
