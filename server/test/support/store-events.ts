import type { StoreEvents } from "../../src/store/ports/lifecycle.ts";

/** Handlers of a store's events that do nothing. */
export const unheard: StoreEvents = {
  committed: () => undefined,
  failed: () => undefined,
  recordsLost: () => undefined,
  recordsDropped: () => undefined,
  credentialsChanged: () => undefined,
  noticed: () => undefined,
  suspended: () => undefined,
};
