import type { LifeEntry, RequestEntry, TimelineEntry } from "@antechamber/client/protocol";

/** A pause without requests that is shown as a gap, in milliseconds. */
const GAP_MS = 60_000;
/** A pause that divides the bars of durations into bursts, each with a scale of its own, in milliseconds. */
const BURST_MS = 3000;

/** The identity of a part of a timeline. */
export interface Band {
  readonly customerId: string | null;
  readonly agentId: string | null;
  readonly isRecognized: boolean;
}

/** The bar of a request among those of its burst, as parts of the width: 0 to 1. */
export interface Bar {
  readonly left: number;
  readonly width: number;
}

/** A line of a timeline. */
export type Row =
  | { readonly kind: "band"; readonly key: string; readonly band: Band }
  | { readonly kind: "life"; readonly key: string; readonly band: Band; readonly entry: LifeEntry }
  | {
      readonly kind: "request";
      readonly key: string;
      readonly band: Band;
      readonly entry: RequestEntry;
      readonly bar: Bar;
    }
  | { readonly kind: "gap"; readonly key: string; readonly band: Band; readonly ms: number };

/** A request's filter. An empty text has no effect. */
export interface EntryFilter {
  readonly service: string;
  /** `errors`, `slow`, or the first digit of the status. */
  readonly status: string;
  /** A part of the path. */
  readonly path: string;
}

/** A request that takes this long or longer counts as slow, in milliseconds. */
export const SLOW_MS = 1000;

/** The times of entries. Sorting 10,000 of them would read each text some thirty times. */
const times = new WeakMap<TimelineEntry, number>();

/** Returns the time of an entry in Unix ms. */
export function timeOf(entry: TimelineEntry): number {
  let time = times.get(entry);
  if (time === undefined) {
    time = Date.parse(entry.type === "request" ? entry.startedAt : entry.at);
    times.set(entry, time);
  }
  return time;
}

/** Returns whether a request has failed: its status is 400 or more. */
export function isError(entry: TimelineEntry): boolean {
  return entry.type === "request" && (entry.status ?? 0) >= 400;
}

/** Returns whether the filter shows an entry. Events of the session's life are always shown. */
function shows({ service, status, path }: EntryFilter, entry: TimelineEntry): boolean {
  if (entry.type !== "request") return true;
  if (service !== "" && (entry.service ?? "") !== service) return false;
  if (path !== "" && !entry.path.toLowerCase().includes(path.toLowerCase())) return false;
  if (status === "errors") return isError(entry);
  if (status === "slow") return (entry.durationMs ?? 0) >= SLOW_MS;
  return status === "" || String(entry.status ?? "").startsWith(status);
}

/** Returns the names of the services in a timeline, in alphabetical order. */
export function servicesOf(entries: readonly TimelineEntry[]): string[] {
  const names = new Set<string>();
  for (const entry of entries) if (entry.type === "request" && entry.service) names.add(entry.service);
  return [...names].toSorted();
}

/** Returns a key of an entry within its session. */
function keyOf(entry: TimelineEntry): string {
  return entry.type === "request" ? String(entry.sequence) : `${entry.type} ${entry.at}`;
}

/** Adds entries that were loaded later, and drops those that are there already. */
export function withNewEntries(
  entries: readonly TimelineEntry[],
  more: readonly TimelineEntry[],
): readonly TimelineEntry[] {
  // Only the last entries can be repeated, because reading continues after the last request.
  const known = new Set(entries.slice(-1100).map(keyOf));
  const added = more.filter((entry) => !known.has(keyOf(entry)));
  return added.length === 0 ? entries : [...entries, ...added];
}

/** Returns the lines of a timeline: bands of identity, events, requests with their bars, and gaps. */
export function rowsOf(entries: readonly TimelineEntry[], filter: EntryFilter): Row[] {
  const isFiltered = filter.service !== "" || filter.status !== "" || filter.path !== "";
  const rows: Row[] = [];
  for (const part of partsOf(entries)) {
    const [first] = part;
    if (first === undefined) continue;
    const band = bandOf(first);
    rows.push({ kind: "band", key: `band ${keyOf(first)}`, band });
    const shown = part.filter((entry) => shows(filter, entry));
    const bars = barsOf(shown);
    let quietSince: number | undefined;
    for (const [index, entry] of shown.entries()) {
      const at = timeOf(entry);
      if (!isFiltered && quietSince !== undefined && at - quietSince >= GAP_MS) {
        rows.push({ kind: "gap", key: `gap ${keyOf(entry)}`, band, ms: at - quietSince });
      }
      if (entry.type === "request") {
        rows.push({ kind: "request", key: keyOf(entry), band, entry, bar: bars[index] ?? { left: 0, width: 0 } });
        quietSince = Math.max(quietSince ?? 0, at + (entry.durationMs ?? 0));
      } else {
        rows.push({ kind: "life", key: keyOf(entry), band, entry });
        quietSince = Math.max(quietSince ?? 0, at);
      }
    }
  }
  return rows;
}

function bandOf({ customerId, agentId, state }: TimelineEntry): Band {
  return { customerId, agentId, isRecognized: state === "recognized" };
}

/**
 * Divides a timeline where the identity changes. Within a part, entries are sorted by time, because browsers and servers
 * send their records in batches; the event that began the part stays first.
 */
function partsOf(entries: readonly TimelineEntry[]): TimelineEntry[][] {
  const parts: TimelineEntry[][] = [];
  for (const entry of entries) {
    const last = parts.at(-1)?.at(-1);
    if (last && last.customerId === entry.customerId && last.agentId === entry.agentId) parts.at(-1)?.push(entry);
    else parts.push([entry]);
  }
  return parts.map(([first, ...others]) => {
    const sorted = others.toSorted((one, other) => timeOf(one) - timeOf(other));
    if (first === undefined) return [];
    return first.type === "request"
      ? [first, ...others].toSorted((one, other) => timeOf(one) - timeOf(other))
      : [first, ...sorted];
  });
}

/** Returns the bar of each entry, by its position. */
function barsOf(entries: readonly TimelineEntry[]): Bar[] {
  const bars: Bar[] = [];
  let burst: { at: number; end: number; index: number }[] = [];
  const finish = () => {
    const start = Math.min(...burst.map(({ at }) => at));
    const span = Math.max(1, Math.max(...burst.map(({ end }) => end)) - start);
    for (const { at, end, index } of burst) bars[index] = { left: (at - start) / span, width: (end - at) / span };
    burst = [];
  };
  let burstEnd = Number.NEGATIVE_INFINITY;
  for (const [index, entry] of entries.entries()) {
    if (entry.type !== "request") continue;
    const at = timeOf(entry);
    if (at - burstEnd > BURST_MS && burst.length > 0) finish();
    const end = at + (entry.durationMs ?? 0);
    burstEnd = Math.max(burst.length === 0 ? end : burstEnd, end);
    burst.push({ at, end, index });
  }
  if (burst.length > 0) finish();
  return bars;
}
