import { setTimeout as delay, setImmediate as immediate } from "node:timers/promises";
import type { EventLog, EventPage, EventRequest } from "../store/ports/events.ts";

/** The pause after a page was read, in relation to the duration of the reading. */
const PAUSE = 2;
/** The shortest pause (ms) that is made. Shorter ones add up until they are this long. */
const MIN_PAUSE_MS = 2;

/**
 * Lets requests that wait for events read the log one after another, with pauses in proportion. Otherwise each change
 * would make all of them read at once, and a long search would hold up the thread, so other requests would wait.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  #pauseMs = 0;

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const before = this.#last;
    const turn = Promise.withResolvers<void>();
    this.#last = turn.promise;
    await before;
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#pauseMs += PAUSE * (performance.now() - startedAt);
      void this.#pause().then(turn.resolve);
    }
  }

  async #pause(): Promise<void> {
    const pauseMs = this.#pauseMs;
    if (pauseMs < MIN_PAUSE_MS) return immediate();
    this.#pauseMs = 0;
    return delay(pauseMs);
  }
}

/** How a request waits for events. */
export interface Wait {
  /** Maximum time in ms. */
  readonly ms: number;
  /** Ends the wait early, also a search through many events. */
  readonly stop?: AbortSignal;
  /** Shared by all requests that wait on the same log. */
  readonly turns?: Turns;
}

/** Returns the next page of the log that has an event, or the last one that has none after the wait. */
export async function awaitEvents(
  log: EventLog,
  request: EventRequest,
  { ms, stop, turns = new Turns() }: Wait,
): Promise<EventPage> {
  const deadline = performance.now() + ms;
  let { after } = request;
  for (let isFirst = true; ; isFirst = false) {
    using news = listenTo(log);
    const read = () => log.readEvents({ ...request, after });
    const page = isFirst ? await read() : await turns.run(read);
    const left = deadline - performance.now();
    if (page.events.length > 0 || page.isGone || stop?.aborted) return page;
    if (!page.hasMore && left <= 0) return page;
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
