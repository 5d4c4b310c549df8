import type { AuditLine } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { hrefOf, place } from "../../router.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Chips } from "../../ui/chips.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Handle } from "../../ui/handle.tsx";
import { PageHeader } from "../../ui/page.tsx";
import { Pager, pagePosition } from "../../ui/pager.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { AuditFilters, chipsOf, filterOf } from "./audit-filters.tsx";
import { Verification } from "./verification.tsx";

const PAGE_SIZE = 50;

/** The page of the audit trail: what those who run the service did, and a check that nobody has changed it. */
export function AuditPage(): JSX.Element {
  const { query } = place.value;
  const { cursor } = pagePosition();
  const chips = chipsOf(query);
  const page = useLoaded(
    String(query),
    async (signal) => await administration.auditPage({ ...filterOf(query), cursor, limit: PAGE_SIZE, signal }),
  );
  return (
    <>
      <PageHeader
        title="Audit trail"
        lead="What those who run the service did, and what others tried, newest first. Customers appear as keyed hashes."
        actions={<CopyButton text={location.href} what="link" hasLabel />}
      />
      <Verification />
      <AuditFilters />
      <Chips chips={chips} />
      <LoadedView loading={page} what="Loading the audit trail">
        {({ entries, next }) => (
          <section class="card flush audit" aria-label="Entries">
            {entries.length === 0 ? (
              <Nothing isFiltered={chips.length > 0} hasMore={next !== null} />
            ) : (
              <Table caption="Entries, newest first" columns={columns} rows={entries} keyOf={({ hash }) => hash} />
            )}
            <Pager
              next={next}
              summary={entries.length === 1 ? "1 entry on this page" : `${entries.length} entries on this page`}
            />
          </section>
        )}
      </LoadedView>
    </>
  );
}

function Nothing({ isFiltered, hasMore }: { readonly isFiltered: boolean; readonly hasMore: boolean }): JSX.Element {
  if (hasMore) {
    return (
      <EmptyState icon="search" title="No entry in this part of the trail">
        <p>The newest 20,000 entries before this place were searched. The next page continues with older ones.</p>
      </EmptyState>
    );
  }
  return (
    <EmptyState icon="audit" title={isFiltered ? "No entry meets these filters" : "The trail is empty"}>
      {isFiltered && (
        <p>
          <a href={hrefOf("audit")}>Show all entries</a>
        </p>
      )}
    </EmptyState>
  );
}

const tones: Readonly<Record<AuditLine["outcome"], Tone>> = {
  begun: "notice",
  done: "good",
  refused: "warning",
  failed: "bad",
};

const columns: readonly Column<AuditLine>[] = [
  { id: "at", title: "Time", cell: ({ at }) => <Time at={at} /> },
  { id: "who", title: "Who", isName: true, cell: ({ who }) => <Who who={who} /> },
  {
    id: "what",
    title: "What",
    cell: ({ what }) => (
      <a href={hrefOf("audit", { action: what })}>
        <code>{what}</code>
      </a>
    ),
  },
  { id: "outcome", title: "Outcome", cell: ({ outcome }) => <Badge tone={tones[outcome]}>{outcome}</Badge> },
  { id: "details", title: "Details", cell: ({ details }) => <Details details={details} /> },
  { id: "from", title: "From", cell: ({ from }) => <bdi>{from}</bdi> },
  { id: "sequence", title: "Entry", isNumber: true, cell: ({ sequence }) => String(sequence) },
];

function Who({ who: { role, credential, keyName, agentId } }: { readonly who: AuditLine["who"] }): JSX.Element {
  const actor = credential ?? agentId;
  const name = agentId ?? keyName ?? credential;
  return (
    <span class="stacked">
      {actor === null ? <span>{role}</span> : <a href={hrefOf("audit", { actor })}>{<bdi>{name}</bdi>}</a>}
      {actor !== null && <span class="quiet">{role}</span>}
    </span>
  );
}

/** A handle in the details of an entry. */
const HANDLE = /^[\w-]{24}$/;

function Details({ details }: { readonly details: AuditLine["details"] }): JSX.Element {
  // These members repeat the outcome if they are true.
  const given = Object.entries(details).filter(
    ([name, value]) => value !== null && !(["isFound", "isDone"].includes(name) && value === true),
  );
  return (
    <dl class="inline-facts">
      {given.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {name === "session" && typeof value === "string" && HANDLE.test(value) ? (
              <Handle handle={value} />
            ) : (
              <bdi>{String(value)}</bdi>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
