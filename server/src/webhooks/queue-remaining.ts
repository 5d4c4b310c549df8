import type { WebhookStore } from "../store/ports/webhooks.ts";
import { FanOut, type FanOutParts, readQueues } from "./fan-out.ts";

/** The event log of a store, and the queues of its endpoints. */
export type EventQueues = FanOutParts["store"] & Pick<WebhookStore, "listEndpoints" | "readQueue">;

/**
 * Queues all events of the log that are not queued yet, for all enabled endpoints. No server may run on the store:
 * events that two processes queue at the same time may be delivered twice.
 */
export async function queueRemaining(store: EventQueues, clock: () => number, signal: AbortSignal): Promise<void> {
  // Events that were purged before they were queued are missing in any case: here nothing depends on it.
  const fanOut = new FanOut({ store, missed() {} });
  for (let hasMore = true; hasMore; ) {
    signal.throwIfAborted();
    const queues = await readQueues(store, await store.listEndpoints());
    const enabled = queues.filter(({ endpoint }) => endpoint.isEnabled);
    hasMore = await fanOut.queueNext(enabled, clock());
  }
}
