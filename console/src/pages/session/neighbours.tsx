import type { SessionSummary } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { useActions } from "../../keyboard/actions.ts";
import { hrefOf, navigate } from "../../router.ts";
import { StatusBadge } from "../../ui/badge.tsx";
import { Section } from "../../ui/page.tsx";
import { LoadedView } from "../../ui/states.tsx";
import { announce } from "../../ui/status.tsx";
import { Time } from "../../ui/time.tsx";

/** Number of sessions that are shown beside a session. */
const SHOWN = 12;

/** The other sessions of a customer, to switch between them. */
export function Neighbours({
  customerId,
  handle,
}: {
  readonly customerId: string;
  readonly handle: string;
}): JSX.Element {
  const list = useLoaded(customerId, (signal) => administration.listPage({ customerId }, { limit: SHOWN, signal }));
  const found = list.value?.sessions ?? [];
  const position = found.findIndex((session) => session.handle === handle);
  const step = (by: 1 | -1, absence: string) => {
    const next = found[position + by];
    if (position === -1 || next === undefined) announce(absence);
    else navigate(hrefOf("sessions", { handle: next.handle }));
  };
  useActions([
    {
      title: "Older session of this customer",
      key: "]",
      icon: "next",
      run: () => step(1, "There is no older session here"),
    },
    {
      title: "Newer session of this customer",
      key: "[",
      icon: "previous",
      run: () => step(-1, "There is no newer session"),
    },
  ]);
  return (
    <Section
      title="Customer’s sessions"
      actions={
        <a class="small-link" href={hrefOf("customer", { id: customerId })}>
          {list.value?.total === null || list.value === undefined
            ? "All"
            : `All ${list.value.total.toLocaleString("en")}`}
        </a>
      }
    >
      <LoadedView loading={list}>
        {({ sessions }) => (
          <ul class="neighbours">
            {sessions.map((session) => (
              <li key={session.handle}>
                <Neighbour session={session} isCurrent={session.handle === handle} />
              </li>
            ))}
          </ul>
        )}
      </LoadedView>
    </Section>
  );
}

function Neighbour({
  session,
  isCurrent,
}: {
  readonly session: SessionSummary;
  readonly isCurrent: boolean;
}): JSX.Element {
  const { handle, label, lastActiveAt, status } = session;
  return (
    <a href={hrefOf("sessions", { handle })} aria-current={isCurrent ? "page" : undefined}>
      <span>
        {label ? <bdi>{label}</bdi> : <code>…{handle.slice(-8)}</code>}
        <span class="quiet">
          <Time at={lastActiveAt} />
        </span>
      </span>
      <StatusBadge status={status} />
    </a>
  );
}
