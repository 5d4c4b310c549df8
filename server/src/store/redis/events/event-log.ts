import { type EventFilter, isEventMatch, type LoggedEvent } from "../../../session/event.ts";
import { erasureOf, eventOf, typeOfEntry } from "../../event-entry.ts";
import { type EventPosition, formatPosition, parsePosition } from "../../event-position.ts";
import type { EventBounds, EventLog, EventPage, EventRequest } from "../../ports/events.ts";
import type { Engine, Operation } from "../engine.ts";
import { decode, implicitSession, isErased } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { parseEntry } from "./event-entries.ts";

/** Maximum number of entries that are examined for a page. */
const MAX_EXAMINED = 512;
/** Time (ms) between two looks for events that other processes have appended, while there are listeners. */
const LOOK_EVERY_MS = 25;

/** The event log over Redis. */
export class RedisEventLog implements EventLog {
  readonly #engine: Engine;
  /** Works off the notes of this process, so that their events are in the log. */
  readonly #settleOwn: () => Promise<void>;
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #isNotifying = false;
  #isClosed = false;
  /** The id of the newest entry of which listeners were notified; `undefined` before the first look. */
  #seen: string | null | undefined;

  constructor(engine: Engine, settleOwn: () => Promise<void>) {
    this.#engine = engine;
    this.#settleOwn = settleOwn;
  }

  /** Includes the events of all changes that this process has reported. */
  readonly eventBounds = async (): Promise<EventBounds> => {
    await this.#settleOwn();
    const operation = this.#engine.begin();
    const { events, eventState } = operation.keys;
    const [state, length, first, newest] = await Promise.all([
      operation.command("hmget", eventState, "last", "purged"),
      operation.command("xlen", events),
      operation.command("xrange", events, "-", "+", "COUNT", 1),
      operation.command("xrevrange", events, "+", "-", "COUNT", 1),
    ]);
    const [last, purged] = state as [string | null, string | null];
    return {
      start: positionText(purged),
      end: positionText(last),
      events: Number(length),
      oldestAt: timeOf(first),
      newestAt: timeOf(newest),
    };
  };

  readonly readEvents = async ({ after, limit, filter }: EventRequest): Promise<EventPage> => {
    const operation = this.#engine.begin();
    const { keys } = operation;
    const position = parsePosition(after);
    const count = filter.types === null && filter.customer === null ? Math.min(MAX_EXAMINED, limit) : MAX_EXAMINED;
    const names = [keys.events, keys.eventState, keys.hiddenEvents];
    const args = [idOf(position ?? START), position === undefined ? 1 : count];
    const reply = await operation.run(scripts.readEvents, names, args);
    const [last, purged, next, shown] = reply as [string | null, string | null, string | null, string[]];
    const isGone =
      position === undefined || isBefore(position, positionOf(purged)) || isBefore(positionOf(last), position);
    if (isGone) return { isGone, events: [], next: positionText(purged), hasMore: true };
    const wanted = entriesIn(shown).filter(({ entry }) => hasType(entry, filter.types));
    const sessions = await readSessions(operation, wanted);
    const events: LoggedEvent[] = [];
    for (const { id, entry } of wanted) {
      const event = this.#eventIn(entry, id, sessions);
      if (event === undefined || !isEventMatch(event, filter)) continue;
      // The page ends with its last event, although entries after it were read.
      if (events.push(event) === limit) return { isGone, events, next: id, hasMore: id !== positionText(last) };
    }
    return { isGone, events, next: positionText(next ?? last), hasMore: next !== null };
  };

  readonly onEvents = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#timer === undefined && !this.#isClosed) this.#lookLater();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  };

  /** Calls the listeners, because this process has appended entries. `last` is the id of the last one. */
  appended(last: string): void {
    // The listeners read all entries up to it, so the next look need not call them again.
    if (this.#timer !== undefined) this.#seen = last;
    this.notify();
  }

  /** Calls the listeners once, after this turn of the event loop, however often this is called in it. */
  notify(): void {
    if (this.#isNotifying || this.#listeners.size === 0) return;
    this.#isNotifying = true;
    setImmediate(() => {
      this.#isNotifying = false;
      for (const listener of this.#listeners) listener();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => void this.#look(), LOOK_EVERY_MS);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#seen = undefined;
  }

  async #look(): Promise<void> {
    const timer = this.#timer;
    try {
      const operation = this.#engine.begin();
      const last = (await operation.command("hget", operation.keys.eventState, "last")) as string | null;
      if (last !== this.#seen) this.notify();
      this.#seen = last;
    } catch {
      // The failure was reported where it occurred. The next look tries again.
    }
    // If nobody listens any more, or somebody else has begun to look, this was the last one.
    if (timer !== undefined && timer === this.#timer) this.#lookLater();
  }

  /** Returns the event of an entry; `undefined` if its session was erased or purged. `sessions` has stored texts. */
  #eventIn(entry: Entry, id: string, sessions: ReadonlyMap<string, string | null>): LoggedEvent | undefined {
    if ("customerHash" in entry) return erasureOf([entry.customerHash, entry.at], id);
    const [, handle] = entry;
    const text = sessions.get(handle) ?? null;
    if (text !== null) return isErased(text) ? undefined : eventOf(entry, id, decode(handle, text));
    // A session that has only records is not stored.
    const type = typeOfEntry(entry);
    if (type === "session.ended" || type === "session.rotated") return undefined;
    return eventOf(entry, id, implicitSession(handle, this.#engine.policy.lifetimes));
  }
}

type Entry = ReturnType<typeof parseEntry>;

/** The position before the first event. */
const START: EventPosition = { at: 0, sequence: 0 };

/** Returns the position of the stream entry with this id. */
function positionOf(id: string | null): EventPosition {
  if (id === null) return START;
  const [at = 0, sequence = 0] = id.split("-").map(Number);
  return { at, sequence };
}

function idOf({ at, sequence }: EventPosition): string {
  return `${at}-${sequence}`;
}

function positionText(id: string | null): string {
  return formatPosition(positionOf(id));
}

function isBefore(one: EventPosition, other: EventPosition): boolean {
  return one.at < other.at || (one.at === other.at && one.sequence < other.sequence);
}

/** Returns the time (Unix ms) at which the only entry of a reply was stored; `null` if there is none. */
function timeOf(reply: unknown): number | null {
  const [entry] = reply as [id: string, fields: unknown][];
  return entry === undefined ? null : positionOf(entry[0]).at;
}

/** Returns the entries in a reply that has ids and texts in turn. */
function entriesIn(reply: readonly string[]): { readonly id: string; readonly entry: Entry }[] {
  const entries: { id: string; entry: Entry }[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    entries.push({ id: positionText(reply[i] as string), entry: parseEntry(reply[i + 1] as string) });
  }
  return entries;
}

/** Returns whether an entry has one of these types; `null` stands for all. */
function hasType(entry: Entry, types: EventFilter["types"]): boolean {
  if (types === null) return true;
  const type = "customerHash" in entry ? "customer.erased" : typeOfEntry(entry);
  return type !== undefined && types.has(type);
}

/** Reads the stored sessions of entries, each once. */
async function readSessions(
  operation: Operation,
  entries: readonly { readonly entry: Entry }[],
): Promise<ReadonlyMap<string, string | null>> {
  const { keys, engine } = operation;
  const handles = [...new Set(entries.flatMap(({ entry }) => ("customerHash" in entry ? [] : [entry[1]])))];
  if (handles.length === 0) return new Map();
  const names = handles.map((handle) => keys.session(handle));
  const [first = "", ...others] = names;
  const texts = engine.connection.isOneServer
    ? ((await operation.command("mget", first, ...others)) as (string | null)[])
    : ((await Promise.all(names.map((name) => operation.command("get", name)))) as (string | null)[]);
  return new Map(handles.map((handle, i) => [handle, texts[i] ?? null]));
}
