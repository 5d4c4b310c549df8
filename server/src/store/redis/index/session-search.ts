import { Refusal } from "../../../session/errors.ts";
import { type IdField, idsBySelectivity } from "../../../session/fields.ts";
import { creationRange, isMatch, isUnconditional, type SessionFilter } from "../../../session/filter.ts";
import { timeAndCount } from "../../../session/id.ts";
import { purgeAfter } from "../../../session/retention.ts";
import { hasNoIds, isLive, type Session } from "../../../session/session.ts";
import { type ListRequest, MAX_COUNTED, type SessionPage } from "../../ports/search.ts";
import { refusal } from "../connection/connection.ts";
import { RedisFault } from "../connection/faults.ts";
import type { Operation } from "../engine.ts";
import { incompleteShard } from "../globals/due-repair.ts";
import { decode, hasHadData, implicitSession } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { DAY_MS, dayOf, indexHash, placeOf, sessionTags } from "./index-entry.ts";
import { longestRetained } from "./index-writer.ts";
import { boundAt, entryOf, handleOfEntry, LAST } from "./sort-order.ts";

/** Number of index entries after which a page ends, even if few of their sessions match. */
const MAX_SCANNED = 1024;
/** Minimum number of index entries that are read at once. */
const MIN_STEP = 64;

/** The handles to read. Handles and bounds are as they are in indexes. */
interface Selection {
  readonly tags: readonly string[];
  /** The hash of the id whose handles are read; `""` for those of all sessions. */
  readonly field: string;
  /** The days of the indexes to read, newest first. */
  readonly days: readonly number[];
  /** Exclusive. */
  readonly before: string;
  readonly from: string;
}

/** The newest selected handles. */
interface Found {
  readonly entries: readonly string[];
  /** Whether there are no more. */
  readonly isComplete: boolean;
  /** Number of all handles that may be of retained sessions, if it was asked for. */
  readonly count: number;
}

/**
 * Reads a page of sessions, newest first. `incomplete` has the tags of the shards whose indexes may lack sessions; if one of
 * them would have to be read, refuses.
 */
export async function listSessions(
  operation: Operation,
  request: ListRequest,
  incomplete: ReadonlySet<string>,
): Promise<SessionPage> {
  const { filter, after } = request;
  const field = idsBySelectivity.find((one) => filter[one] !== null);
  const selection = selectionOf(operation, filter, field, after);
  if (selection.tags.some((tag) => incomplete.has(tag))) {
    throw refusal(
      operation,
      new RedisFault("", "the index cannot be completed while a node of the cluster fails or a slot is moved"),
    );
  }
  const page = await readPage(operation, request, field, selection);
  if (request.mustBeComplete === true && !operation.engine.connection.isOneServer) {
    const missing = await incompleteShard(operation, selection.tags);
    if (missing !== undefined) throw underRepair();
  }
  return page;
}

function underRepair(): Refusal {
  const text =
    "index entries of sessions were lost with a node of the cluster and are being written again; /readyz shows the progress";
  const reason = { code: "unavailable", retryAfterSeconds: 30, why: "index-repair" } as const;
  return new Refusal(reason, new RedisFault("", text));
}

async function readPage(
  operation: Operation,
  request: ListRequest,
  field: IdField | undefined,
  selected: Selection,
): Promise<SessionPage> {
  const { filter, after, limit, now, includePurgeable = false } = request;
  let selection = selected;
  const isCounted = after === null && isCountable(filter, field);
  let total: number | null = null;
  const sessions: Session[] = [];
  const step = Math.min(MAX_SCANNED, Math.max(MIN_STEP, limit + 1));
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += step) {
    const { entries, isComplete, count } = await newest(operation, selection, step, isCounted && scanned === 0);
    if (isCounted && scanned === 0) total = field === undefined ? count : Math.min(MAX_COUNTED, count);
    const found = await Promise.all(
      entries.map((entry) => sessionOf(operation, handleOfEntry(entry), includePurgeable)),
    );
    for (const session of found) {
      if (session === undefined || !isMatch(session, filter, now)) continue;
      if (sessions.length === limit) {
        return { sessions, next: sessions.at(-1)?.handle ?? "", total };
      }
      sessions.push(session);
    }
    const last = entries.at(-1);
    if (isComplete || last === undefined) return { sessions, next: null, total };
    selection = { ...selection, before: last };
  }
  return { sessions, next: handleOfEntry(selection.before), total };
}

/** Selects the handles of the id in `field`, or of all sessions. */
function selectionOf(
  { engine, now }: Operation,
  filter: SessionFilter,
  field: IdField | undefined,
  after: string | null,
): Selection {
  const { since, until } = creationRange(filter);
  // A bound may be only the beginning of a handle. A handle that begins with the bound sorts after the bound.
  const bounds = [after === null ? LAST : entryOf(after), until === null ? LAST : boundAt(until)];
  const [before = LAST] = bounds.toSorted();
  // The clock of a process that has created a session may be ahead.
  const newestDay = dayOf(
    Math.min(now + DAY_MS, until ?? Infinity, after === null ? Infinity : timeAndCount(after).createdAt),
  );
  const oldestDay = dayOf(Math.max(now - longestRetained(engine.policy), since ?? 0));
  const days = Array.from({ length: Math.max(0, newestDay - oldestDay + 1) }, (_, i) => newestDay - i);
  const range = { days, before, from: since === null ? "" : boundAt(since) };
  if (field === undefined) return { ...range, tags: sessionTags, field: "" };
  const place = placeOf(indexHash(field, filter[field] ?? ""));
  return { ...range, tags: [place.tag], field: place.field };
}

/** Returns whether the filter has no conditions besides that on `field`. */
function isCountable(filter: SessionFilter, field: IdField | undefined): boolean {
  return isUnconditional(field === undefined ? filter : { ...filter, [field]: null });
}

/** Reads the newest selected handles, at most `limit`. */
async function newest(operation: Operation, selection: Selection, limit: number, isCounted: boolean): Promise<Found> {
  const { tags, field, days, before, from } = selection;
  const { keys, engine, now } = operation;
  if (days.length === 0) return { entries: [], isComplete: true, count: 0 };
  const countedFrom = isCounted ? boundAt(now - longestRetained(engine.policy)) : "-";
  const args = [field, before, from, limit, countedFrom];
  const replies = await Promise.all(
    tags.map((tag) => {
      const names =
        field === ""
          ? days.map((day) => keys.sessionIndex(tag, day))
          : [...days.map((day) => keys.overflow(tag, day, field)), ...days.map((day) => keys.idIndex(tag, day))];
      return operation.run(scripts.findHandles, names, args);
    }),
  );
  const parts = replies as [count: number, handles: string[]][];
  const entries = parts.flatMap(([, handles]) => handles);
  if (parts.length > 1) entries.sort((a, b) => (a < b ? 1 : -1));
  return {
    entries: entries.slice(0, limit),
    isComplete: entries.length < limit,
    count: parts.reduce((sum, [count]) => sum + count, 0),
  };
}

/**
 * Reads the session of an entry. Returns `undefined` if its retention is over and `includePurgeable` is false.
 * Also returns `undefined` if the session has had neither ids nor records nor data, and is implicit or not live.
 */
async function sessionOf(operation: Operation, handle: string, includePurgeable: boolean) {
  const { keys, policy } = operation.engine;
  const { now } = operation;
  const text = (await operation.command("get", keys.session(handle))) as string | null;
  const session = text === null ? implicitSession(handle, policy.lifetimes) : decode(handle, text);
  if (hasNoIds(session) && (text === null || (!isLive(session, now) && !hasHadData(text)))) {
    const count = await operation.command("exists", keys.records(handle));
    if (count !== 1) return undefined;
  }
  const isKept = isLive(session, now) || now < purgeAfter(session, true, policy);
  return isKept || includePurgeable ? session : undefined;
}
