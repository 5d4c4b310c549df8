import type { Timeline, TimelineEntry } from "@antechamber/client/protocol";
import { isRecognized } from "../session/session.ts";
import { type Entry, formatCursor, type Page, type RecordPage } from "../session/timeline.ts";

/** Formats a page of a timeline for the API. */
export function timelineInfo(records: RecordPage, page: Page): Timeline {
  return {
    handle: records.life.session.handle,
    records: page.entries.map(entryInfo),
    next: page.next === undefined ? null : formatCursor(page.next),
    total: records.total,
    dropped: records.dropped,
  };
}

/** Formats an entry of a timeline for the API. */
export function entryInfo(entry: Entry): TimelineEntry {
  const { identity } = entry;
  const who = { state: isRecognized(identity) ? "recognized" : "anonymous", ...identity } as const;
  if (entry.type !== "request") {
    const ids = Object.fromEntries(entry.fields.map((field) => [field, identity[field] ?? ""]));
    return { type: entry.type, sequence: null, at: new Date(entry.at).toISOString(), ids, ...who };
  }
  const { record } = entry;
  return {
    type: "request",
    sequence: entry.sequence,
    method: record.method,
    path: record.path,
    status: record.status,
    startedAt: new Date(record.startedAt).toISOString(),
    durationMs: record.durationMs,
    service: record.service,
    attributes: record.attributes,
    ...who,
  };
}
