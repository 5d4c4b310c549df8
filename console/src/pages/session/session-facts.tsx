import type { SessionSummary } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { useLoaded } from "../../api/loading.ts";
import { hrefOf } from "../../router.ts";
import type { LoadedTimeline } from "../../timeline/load.ts";
import { Facts, Section } from "../../ui/page.tsx";
import { formatDuration, now, Time } from "../../ui/time.tsx";
import { loadEndReason } from "./end-reason.ts";

export interface SessionFactsProps {
  readonly session: SessionSummary;
  readonly timeline: LoadedTimeline;
}

/** The facts of a session: its ids and its lifetime. */
export function SessionFacts({ session, timeline }: SessionFactsProps): JSX.Element {
  const { customerId, agentId, visitId, globalVisitId, label, profile, createdAt, lastActiveAt, expiresAt, status } =
    session;
  const link = (path: string, values: Readonly<Record<string, string>>, text: string) => (
    <a href={hrefOf(path, values)}>
      <bdi class="id">{text}</bdi>
    </a>
  );
  const reason = useLoaded(`${session.handle} ${status}`, (signal) => loadEndReason(session, signal));
  const end = timeline.entries.findLast(({ type }) => type === "ended" || type === "expired");
  const endedAt = end !== undefined && end.type !== "request" ? end.at : undefined;
  const ending = status === "live" ? "Expires" : status === "ended" ? "Ended" : "Expired";
  const endTime = status === "ended" ? endedAt : (endedAt ?? expiresAt);
  return (
    <>
      <Section title="Who">
        <Facts
          facts={[
            ["Customer", customerId && link("customer", { id: customerId }, customerId)],
            ["Agent", agentId && link("search", { agentId }, agentId)],
            ["Visit", visitId && link("search", { visitId }, visitId)],
            ["Global visit", globalVisitId && link("search", { globalVisitId }, globalVisitId)],
            ["Label", label && <bdi key="label">{label}</bdi>],
            ["Visitor", session.state],
          ]}
        />
      </Section>
      <Section title="Life">
        <LifeBar session={session} endedAt={endedAt} />
        <Facts
          facts={[
            ["Created", <Time key="created" at={createdAt} />],
            ["Last used", <Time key="used" at={lastActiveAt} />],
            [ending, endTime && <Time key="end" at={endTime} />],
            ["Ended by", reason.value],
            ["Age", formatDuration(Math.max(0, (endedAt ? Date.parse(endedAt) : now.value) - Date.parse(createdAt)))],
            ["Requests", timeline.total.toLocaleString("en")],
            ["Profile", profile && <bdi key="profile">{profile}</bdi>],
          ]}
        />
      </Section>
    </>
  );
}

/** A bar from the creation to the expiry. It shows the time in which the session was used, and the current time. */
function LifeBar({ session, endedAt }: { readonly session: SessionSummary; readonly endedAt: string | undefined }) {
  const start = Date.parse(session.createdAt);
  const end = Math.max(start + 1, Date.parse(endedAt ?? session.expiresAt), Date.parse(session.lastActiveAt));
  const part = (time: number) => `${Math.max(0, Math.min(1, (time - start) / (end - start))) * 100}%`;
  return (
    <div class={`life-bar ${session.status}`} aria-hidden="true">
      <span class="used" style={{ width: part(Date.parse(session.lastActiveAt)) }} />
      {session.status === "live" && <span class="present" style={{ left: part(now.value) }} />}
    </div>
  );
}
