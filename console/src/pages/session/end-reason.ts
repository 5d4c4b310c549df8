import type { EventInfo, SessionSummary } from "@antechamber/client/protocol";
import { apiUrl, consoleFetch } from "../../api/api.ts";
import { viewer } from "../../api/viewer.ts";

type EndReason = Extract<EventInfo, { type: "session.ended" }>["data"]["reason"];

const words: Readonly<Record<EndReason, string>> = {
  caller: "a caller, for this session only",
  bulk: "a caller, together with other sessions",
  operator: "an operator on the command line",
  logout: "a sign-out at the identity provider",
};

/**
 * Returns who or what ended a session, in words, while the event log has the event. Returns `null` if that is unknown: the
 * log keeps a day by default, can be searched by customer only, and not every role may read it.
 */
export async function loadEndReason({ handle, customerId, status }: SessionSummary, signal: AbortSignal) {
  if (status !== "ended" || customerId === null || !viewer.value?.may.includes("events")) return null;
  const query = new URLSearchParams({ types: "session.ended", customerId, after: "start", limit: "1000" });
  const headers = { accept: "application/x-ndjson" };
  const response = await consoleFetch(`${apiUrl}/events?${query.toString()}`, { headers, signal });
  if (!response.ok) return null;
  const events = (await response.text())
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as EventInfo);
  const event = events.find((each) => each.type === "session.ended" && each.data.session.handle === handle);
  return event?.type === "session.ended" ? words[event.data.reason] : null;
}
