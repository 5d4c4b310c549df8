import type { EventFilter, LoggedEvent } from "../../session/event.ts";

/**
 * Port: reading the event log (contract.md#events). The engine stores an event in the same atomic step as its change, and
 * readers see it soon afterwards.
 * Erasing a customer (`ErasureStore`) removes the events of its sessions: from then on no page has them.
 */
export interface EventLog {
  /**
   * Returns the bounds of the log, after the events of all changes that this process has reported. Returns `null` if
   * there is no log, by the setting `events`.
   */
  eventBounds(): Promise<EventBounds | null>;

  /**
   * Returns a page of the durable events, in the order of the log. The events of each session are in the order of its
   * changes. A reader that continues with `next` misses no event, and may see an event twice only if the process or
   * the store has failed. An event that is stored later than another one has a higher position. Returns an empty page
   * without a log.
   */
  readEvents(request: EventRequest): Promise<EventPage>;

  /**
   * Calls `listener` soon after events have become durable, and returns a function that ends this. One call may stand
   * for many events, and a call may come without new events. Listeners must return quickly and must not throw.
   */
  onEvents(listener: () => void): () => void;
}

/** The ends of the event log. An id is a position: a reader continues after it. */
export interface EventBounds {
  /** The position before the oldest event: a reader that continues after it gets all events. */
  readonly start: string;
  /** The position of the newest event: a reader that continues after it gets only events that follow. */
  readonly end: string;
  /** Number of events in the log, including those of erased sessions. */
  readonly events: number;
  /** The times (Unix ms) at which the oldest and the newest event were stored; `null` if the log is empty. */
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
}

/** A request for a page of events. */
export interface EventRequest {
  /** The id of an event, a position in `EventBounds`, or `next` of another page. The page begins after it. */
  readonly after: string;
  /**
   * Maximum number of events. The engine examines a bounded number of events for each page. So a page may have fewer
   * events, or none, although later pages have some.
   */
  readonly limit: number;
  readonly filter: EventFilter;
}

/** A page of events. */
export interface EventPage {
  /**
   * True if the position is gone: its event was purged together with later ones, or it belongs to other data, or it is
   * no position at all. Then the page is empty, and `next` is the start of the log.
   */
  readonly isGone: boolean;
  readonly events: readonly LoggedEvent[];
  /** The position after the last event that was examined for this page. */
  readonly next: string;
  /** Whether there are more events to examine now. */
  readonly hasMore: boolean;
}
