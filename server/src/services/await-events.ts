import { setTimeout as delay } from "node:timers/promises";
import type { EventLog, EventPage, EventRequest } from "../store/ports/events.ts";

/**
 * Returns the next page of the log that has an event, or the last one that has none after `waitMs`. `stop` ends the wait
 * early.
 */
export async function awaitEvents(
  log: EventLog,
  request: EventRequest,
  waitMs: number,
  stop?: AbortSignal,
): Promise<EventPage> {
  const deadline = performance.now() + waitMs;
  let { after } = request;
  for (;;) {
    using news = listenTo(log);
    const page = await log.readEvents({ ...request, after });
    const left = deadline - performance.now();
    if (page.events.length > 0 || page.isGone) return page;
    if (!page.hasMore && (left <= 0 || stop?.aborted)) return page;
    after = page.next;
    if (!page.hasMore) await news.within(left, stop);
  }
}

/** Listens from before the log is read, so that an event in between ends the wait. */
function listenTo(log: EventLog) {
  let isHeard = () => {};
  const heard = new Promise<void>((resolve) => {
    isHeard = resolve;
  });
  const stopListening = log.onEvents(isHeard);
  return {
    async within(ms: number, stop: AbortSignal | undefined): Promise<void> {
      const over = new AbortController();
      const signal = stop === undefined ? over.signal : AbortSignal.any([stop, over.signal]);
      await Promise.race([heard, delay(ms, undefined, { signal, ref: false }).catch(() => undefined)]);
      over.abort();
    },
    [Symbol.dispose]: stopListening,
  };
}
