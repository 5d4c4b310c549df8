import type { ListFilter } from "@antechamber/client/administration";
import type { Chip } from "../../ui/chips.tsx";
import { absoluteTime } from "../../ui/time.tsx";

/** The ids and texts by which sessions are found, with their labels. */
export const idFilters = [
  ["customerId", "Customer"],
  ["agentId", "Agent"],
  ["visitId", "Visit"],
  ["globalVisitId", "Global visit"],
  ["label", "Label"],
] as const;

/** The choices of `live`. */
export const liveChoices = [
  ["", "Any status"],
  ["true", "Live"],
  ["false", "Expired and ended"],
] as const;

/** The choices of `state`. */
export const stateChoices = [
  ["", "Any visitor"],
  ["anonymous", "Anonymous"],
  ["recognized", "Recognized"],
] as const;

/** The choices of `active`: the time within which a session was last used, with its length in milliseconds. */
export const activeChoices = [
  ["", "At any time", 0],
  ["15m", "In the last 15 minutes", 15 * 60_000],
  ["1h", "In the last hour", 60 * 60_000],
  ["24h", "In the last 24 hours", 24 * 60 * 60_000],
  ["7d", "In the last 7 days", 7 * 24 * 60 * 60_000],
  ["30d", "In the last 30 days", 30 * 24 * 60 * 60_000],
] as const;

/** Returns the filter that the address names. Invalid values have no effect. */
export function filterOf(query: URLSearchParams): ListFilter {
  const state = stateChoices.find(([value]) => value !== "" && value === query.get("state"))?.[0];
  const live = query.get("live");
  const activeMs = activeChoices.find(([value]) => value === query.get("active"))?.[2] ?? 0;
  return {
    ...Object.fromEntries(
      idFilters.flatMap(([name]) => {
        const value = query.get(name);
        return value ? [[name, value]] : [];
      }),
    ),
    ...(state ? { state } : {}),
    ...(live === "true" || live === "false" ? { live: live === "true" } : {}),
    ...(activeMs > 0 ? { activeSince: Date.now() - activeMs } : {}),
    ...timeOf(query, "since"),
    ...timeOf(query, "until"),
  };
}

function timeOf(query: URLSearchParams, name: "since" | "until"): Partial<Record<"since" | "until", string>> {
  const time = Date.parse(query.get(name) ?? "");
  return Number.isNaN(time) ? {} : { [name]: new Date(time).toISOString() };
}

/** Returns the filters that the address names, with their labels. */
export function chipsOf(query: URLSearchParams): Chip[] {
  const chips: Chip[] = [];
  const add = (name: string, label: string, show: (value: string) => string | undefined) => {
    const value = query.get(name);
    const shown = value ? show(value) : undefined;
    if (shown !== undefined) chips.push({ name, label, value: shown });
  };
  for (const [name, label] of idFilters) add(name, label, (value) => value);
  add("live", "Status", (value) => liveChoices.find(([each]) => each === value)?.[1]);
  add("state", "Visitor", (value) => stateChoices.find(([each]) => each === value)?.[1]);
  add("active", "Last used", (value) => activeChoices.find(([each]) => each === value)?.[1]);
  const shownTime = (value: string) => (Number.isNaN(Date.parse(value)) ? undefined : absoluteTime(Date.parse(value)));
  add("since", "Created from", shownTime);
  add("until", "Created before", shownTime);
  return chips;
}
