import type { EventInfo, EventType } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { hrefOf } from "../../router.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Handle } from "../../ui/handle.tsx";
import type { Column } from "../../ui/table.tsx";
import { absoluteTime } from "../../ui/time.tsx";
import type { EventRow } from "./event-rows.ts";

/** The name and the tone of each type of event. */
export const eventTypes: Readonly<Record<EventType, { readonly name: string; readonly tone: Tone }>> = {
  "session.created": { name: "created", tone: "good" },
  "session.associated": { name: "associated", tone: "known" },
  "session.rotated": { name: "rotated", tone: "notice" },
  "session.ended": { name: "ended", tone: "notice" },
  "session.expired": { name: "expired", tone: "neutral" },
  "customer.erased": { name: "customer erased", tone: "warning" },
  "webhook.test": { name: "webhook test", tone: "neutral" },
};

/** The types that the filter offers. */
export const filteredTypes: readonly EventType[] = (Object.keys(eventTypes) as EventType[]).filter(
  (type) => type !== "webhook.test",
);

const fieldNames: Readonly<Record<string, string>> = {
  agentId: "agent",
  customerId: "customer",
  visitId: "visit",
  globalVisitId: "global visit",
};

const endReasons: Readonly<Record<string, string>> = {
  caller: "signed out",
  bulk: "ended with others",
  operator: "ended by an operator",
  logout: "signed out at the identity provider",
  idle: "not used for its idle time",
  lifetime: "its total life is over",
};

/** Returns the detail of an event besides its type and session. */
function detailOf(event: EventInfo): string {
  const { data } = event;
  if ("added" in data) return `with ${data.added.map((field) => fieldNames[field] ?? field).join(", ")}`;
  if ("reason" in data) return endReasons[data.reason] ?? data.reason;
  return "session" in data && data.session.label ? data.session.label : "";
}

/** The customer of an event, or the state of a session without one. */
function Who({ event }: { readonly event: EventInfo }): JSX.Element {
  const session = "session" in event.data ? event.data.session : undefined;
  if (session?.customerId) {
    return (
      <a href={hrefOf("customer", { id: session.customerId })}>
        <bdi class="id">{session.customerId}</bdi>
      </a>
    );
  }
  return session ? <Badge tone="neutral">{session.state}</Badge> : <span class="quiet">–</span>;
}

const timeFormat = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** The time of day of an event. A tooltip has the date. */
function TimeOfDay({ at }: { readonly at: string }): JSX.Element {
  const time = Date.parse(at);
  return (
    <time class="time" dateTime={at} title={absoluteTime(time)}>
      {timeFormat.format(time)}
    </time>
  );
}

const none = <span class="quiet">–</span>;

/** The columns of the list of events. */
export const eventColumns: readonly Column<EventRow>[] = [
  {
    id: "time",
    title: "Time",
    cell: ({ event }) => (event ? <TimeOfDay at={event.timestamp} /> : none),
  },
  {
    id: "type",
    title: "Event",
    isName: true,
    cell: ({ event }) =>
      event ? (
        <Badge tone={eventTypes[event.type].tone}>{eventTypes[event.type].name}</Badge>
      ) : (
        <Badge tone="warning">gap</Badge>
      ),
  },
  { id: "who", title: "Customer", cell: ({ event }) => (event ? <Who event={event} /> : none) },
  {
    id: "session",
    title: "Session",
    cell: ({ event }) => (event && "session" in event.data ? <Handle handle={event.data.session.handle} /> : none),
  },
  {
    id: "detail",
    title: "Detail",
    cell: (row) => <bdi>{row.event ? detailOf(row.event) || "–" : row.notice}</bdi>,
  },
];
