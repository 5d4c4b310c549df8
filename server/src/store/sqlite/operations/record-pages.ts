import { isReached } from "../../../session/permissions.ts";
import { isLive, type Session } from "../../../session/session.ts";
import type { EndEvent } from "../../../session/timeline.ts";
import type { WriterOptions } from "../options.ts";
import { implicitSessionOf, isErased } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { ReadOperations } from "../writer/writer-protocol.ts";

/** The number of characters at which a page ends. It is low, because reading a page blocks the writer thread. */
const MAX_CHARACTERS = 512 * 1024;

/** Creates the operation that reads pages of records, from the segments and from the journal's unmerged lines. */
export function createRecordReader(
  { sessions, segments, journal }: Tables,
  { lifetimes, maxRecords, retention }: WriterOptions,
): ReadOperations["readRecordPage"] {
  /** Returns a session if it is live, or if something of it is stored and its retention is not over. */
  function findRetained(handle: string, hasRecords: boolean, now: number): Session | undefined {
    const stored = sessions.find(handle);
    const session = stored ?? implicitSessionOf(handle, lifetimes);
    if (isLive(session, now)) return session;
    if (isErased(session, now)) return undefined;
    const isStored = stored !== undefined || hasRecords;
    return isStored && now < session.expiresAt + retention ? session : undefined;
  }

  return ({ handle, generation, scope, after, limit, now }) => {
    const unmerged = journal.unmerged(handle);
    const session = findRetained(handle, unmerged.length > 0, now);
    if (session === undefined || !isReached(session, generation, scope)) return null;
    const merged = segments.counts(handle).records;
    const total = merged + unmerged.length;
    // More records may have been dropped than `maxRecords` requires now: the setting may have been lower before.
    const dropped = Math.max(total - maxRecords, merged === 0 ? 0 : segments.dropped(handle));
    const first = Math.max(after, dropped) + 1;
    const lines = first > merged ? [] : segments.read(handle, first, limit, MAX_CHARACTERS);
    const next = first + lines.length;
    if (next > merged) appendFitting(lines, unmerged.slice(next - merged - 1), limit);
    const associations = sessions.associations(session);
    return {
      life: { session, associations, end: endOf(session, now) },
      total,
      dropped,
      first,
      lines,
    };
  };
}

/** Appends the lines that fit on the page, but at least one: otherwise a longer line would block all later ones. */
function appendFitting(lines: string[], more: readonly string[], limit: number): void {
  let room = lines.reduce((left, line) => left - line.length, MAX_CHARACTERS);
  for (const line of more) {
    if (lines.length === limit || (room <= 0 && lines.length > 0)) return;
    lines.push(line);
    room -= line.length;
  }
}

function endOf(session: Session, now: number): EndEvent | null {
  if (session.ended) return { type: "ended", at: session.expiresAt };
  return isLive(session, now) ? null : { type: "expired", at: session.expiresAt };
}
