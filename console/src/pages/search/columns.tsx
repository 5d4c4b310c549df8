import type { SessionSummary } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { preference } from "../../preferences.ts";
import { hrefOf } from "../../router.ts";
import { Badge, StatusBadge } from "../../ui/badge.tsx";
import { Handle } from "../../ui/handle.tsx";
import { Icon } from "../../ui/icon.tsx";
import type { Column } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";

const none = <span class="quiet">–</span>;
const text = (value: string | null | undefined) => (value ? <bdi class="id">{value}</bdi> : none);

/** All columns of a list of sessions, in order. */
const columns: readonly Column<SessionSummary>[] = [
  { id: "handle", title: "Session", isName: true, cell: ({ handle }) => <Handle handle={handle} /> },
  { id: "who", title: "Customer", cell: (session) => <Who session={session} /> },
  { id: "status", title: "Status", cell: ({ status }) => <StatusBadge status={status} /> },
  { id: "lastActiveAt", title: "Last used", cell: ({ lastActiveAt }) => <Time at={lastActiveAt} /> },
  { id: "createdAt", title: "Created", cell: ({ createdAt }) => <Time at={createdAt} /> },
  { id: "label", title: "Label", cell: ({ label }) => text(label) },
  { id: "visitId", title: "Visit", cell: ({ visitId }) => text(visitId) },
  { id: "agentId", title: "Agent", cell: ({ agentId }) => text(agentId) },
  { id: "globalVisitId", title: "Global visit", cell: ({ globalVisitId }) => text(globalVisitId) },
  { id: "expiresAt", title: "Expires", cell: ({ expiresAt }) => <Time at={expiresAt} /> },
  { id: "profile", title: "Profile", cell: ({ profile }) => text(profile) },
];

/** The customer of a session, or that it is anonymous. */
function Who({ session }: { readonly session: SessionSummary }): JSX.Element {
  if (session.customerId) {
    return (
      <a href={hrefOf("customer", { id: session.customerId })}>
        <bdi class="id">{session.customerId}</bdi>
      </a>
    );
  }
  return session.state === "anonymous" ? <Badge tone="neutral">anonymous</Badge> : none;
}

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === "string");

/** The ids of the columns that are shown. The handle always is. */
const shownColumns = preference<readonly string[]>(
  "sessionColumns",
  ["who", "status", "lastActiveAt", "createdAt", "label", "visitId"],
  isStrings,
);

/** Returns the columns that are shown, in order. */
export function chosenColumns(): readonly Column<SessionSummary>[] {
  return columns.filter(({ id }) => id === "handle" || shownColumns.value.includes(id));
}

/** The choice of columns. */
export function ColumnChoice(): JSX.Element {
  const change = (id: string, isShown: boolean) => {
    const others = shownColumns.value.filter((each) => each !== id);
    shownColumns.value = isShown ? [...others, id] : others;
  };
  return (
    <details class="menu">
      <summary class="button quiet">
        <Icon name="columns" /> Columns
      </summary>
      <fieldset class="menu-body">
        <legend class="visually-hidden">Columns</legend>
        {columns
          .filter(({ id }) => id !== "handle")
          .map(({ id, title }) => (
            <label key={id}>
              <input
                type="checkbox"
                checked={shownColumns.value.includes(id)}
                onChange={(event) => change(id, event.currentTarget.checked)}
              />
              {title}
            </label>
          ))}
      </fieldset>
    </details>
  );
}
