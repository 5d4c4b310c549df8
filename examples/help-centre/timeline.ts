import type { LifeEntry, RequestEntry, Timeline, TimelineEntry } from "@antechamber/client/protocol";
import type { Transport } from "@antechamber/client/transport";

/** A part of a visit during which the visitor was anonymous, or was one customer. */
export interface Part {
  /** Id of the customer; `null` if the visitor was anonymous. */
  readonly customerId: string | null;
  /** The event with which the part began: the session was created, or the visitor signed in. */
  readonly beginning: LifeEntry | null;
  readonly entries: readonly TimelineEntry[];
}

/** The entries of a timeline that are shown, divided into parts. */
export interface VisitTimeline {
  readonly parts: readonly Part[];
  readonly total: number;
  readonly startedAt: string | null;
}

/** Maximum number of pages that are read. Each has up to 1,000 entries. */
const MAX_PAGES = 5;

/** Reads the timeline of a session. Rejects with a `ProblemError`. */
export async function readTimeline(transport: Pick<Transport, "timeline">, sessionId: string): Promise<VisitTimeline> {
  const entries: TimelineEntry[] = [];
  let page: Timeline | undefined;
  for (let count = 0; count < MAX_PAGES && page?.next !== null; count++) {
    page = await transport.timeline(sessionId, { after: page?.next, limit: 1000 });
    entries.push(...page.records);
  }
  const [first] = entries;
  return {
    parts: partsOf(entries),
    total: page?.total ?? 0,
    startedAt: first === undefined ? null : timeOf(first),
  };
}

/** Returns the time of an entry in ISO 8601. */
export function timeOf(entry: TimelineEntry): string {
  return entry.type === "request" ? entry.startedAt : entry.at;
}

/**
 * Divides a timeline into parts. Within a part, requests are sorted by time, because the browser and the server send
 * their records in batches.
 */
function partsOf(entries: readonly TimelineEntry[]): readonly Part[] {
  const parts: { customerId: string | null; beginning: LifeEntry | null; all: TimelineEntry[] }[] = [];
  for (const entry of entries) {
    // The sign-in, which gave the session its new id, is shown already.
    if (entry.type === "rotated") continue;
    const current = parts.at(-1);
    if (current !== undefined && current.customerId === entry.customerId) current.all.push(entry);
    else if (entry.type === "request") parts.push({ customerId: entry.customerId, beginning: null, all: [entry] });
    else parts.push({ customerId: entry.customerId, beginning: entry, all: [] });
  }
  return parts.map(({ customerId, beginning, all }) => ({
    customerId,
    beginning,
    entries: [...all.filter(isRequest).toSorted(byTime), ...all.filter((one) => !isRequest(one))],
  }));
}

function isRequest(entry: TimelineEntry): entry is RequestEntry {
  return entry.type === "request";
}

function byTime(one: RequestEntry, other: RequestEntry): number {
  return one.startedAt < other.startedAt ? -1 : Number(one.startedAt > other.startedAt);
}
