import type { EventLog } from "./ports/events.ts";

/** The event log of a store that has none. */
export const noEventLog: EventLog = {
  eventBounds: async () => null,
  readEvents: async ({ after }) => ({ isGone: false, events: [], next: after, hasMore: false }),
  onEvents: () => () => undefined,
};
