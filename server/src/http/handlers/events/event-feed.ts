import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import { anyEvent, type EventFilter } from "../../../session/event.ts";
import type { EventLog } from "../../../store/ports/events.ts";
import { EventReader, type ReaderOptions } from "./event-reader.ts";
import { EventRing } from "./event-ring.ts";
import { encodeEvent, resetText } from "./event-text.ts";

/*
 * The stream of events to all readers. While there are readers, the feed reads each event once, encodes it once, and
 * keeps the newest in a ring that all readers share. So a reader costs its position and one chunk on its way:
 *
 *   event log --new events--> ring --chunk--> readers that are ready
 *       `------page------> readers that begin earlier, or have fallen behind the ring, one page at a time
 *
 * A reader that does not read gets nothing more. The HTTP server closes its connection after a minute, and it may
 * resume. The work is done in slices, with pauses in proportion, so that requests are served meanwhile.
 */

/** A reader gets a heartbeat after this time (ms) without events: within 15 s (contract.md#event-stream). */
const HEARTBEAT_MS = 14_000;
const TICK_MS = 1000;
/** How long (ms) a stream lasts. Its reader then resumes, with a credential that is still valid. */
const MAX_STREAM_MS = 5 * 60_000;
/** A reader whose chunk is on its way for this time (ms) when its connection closes was cut off. */
const CUT_OFF_MS = 45_000;
/** The maximum number of events that are read at a time. */
const PAGE = 256;
/** The number of readers that get a chunk in one turn of the event loop. */
const READERS_PER_TURN = 64;
/** The pause after a slice of work, in relation to the duration of the slice. */
const PAUSE = 2;
const MAX_PAUSE_MS = 250;
/** The pause (ms) before the log is read again after a failure. */
const RETRY_MS = 1000;

export interface EventFeedParts {
  readonly log: EventLog;
  readonly metrics: { readonly eventReadersCutOff: { inc(by: number): void } };
}

export class EventFeed {
  readonly #log: EventLog;
  readonly #metrics: EventFeedParts["metrics"];
  readonly #readers = new Set<EventReader>();
  /** The readers that are ready, and whose next events are not in the ring. */
  readonly #behind = new Set<EventReader>();
  /** `undefined` while there are no readers. */
  #ring: EventRing | undefined;
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWorking = false;
  #hasNews = false;
  readonly #closing = new AbortController();

  constructor({ log, metrics }: EventFeedParts) {
    this.#log = log;
    this.#metrics = metrics;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * Opens a stream. `end` is the position of the newest event. `onGone` takes a function to call when the client has
   * closed its side of the connection: a stream has no other end, so the client is gone.
   */
  open(options: ReaderOptions, end: string, onGone: (listener: () => void) => void): EventReader["stream"] {
    const reader = new EventReader(options, {
      ready: (ready) => this.#serve(ready),
      closed: (closed) => this.#remove(closed),
    });
    if (this.closing.aborted) reader.end();
    else {
      if (this.#ring === undefined) this.#start(end);
      this.#readers.add(reader);
      onGone(() => this.#end(reader));
    }
    return reader.stream;
  }

  /** Aborted when the feed is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Ends all streams. Later ones end at once. */
  close(): void {
    this.#closing.abort();
    for (const reader of this.#readers) this.#end(reader);
  }

  #start(end: string): void {
    this.#ring = new EventRing(end);
    this.#stopListening = this.#log.onEvents(() => this.#wake());
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    // An event may have been stored after `end` was read, and before the feed listens.
    this.#wake();
  }

  #stop(): void {
    this.#stopListening?.();
    clearInterval(this.#timer);
    this.#ring = undefined;
    this.#hasNews = false;
  }

  #remove(reader: EventReader): void {
    if (!this.#readers.delete(reader)) return;
    this.#behind.delete(reader);
    const isCutOff = !reader.isReady && performance.now() - reader.sentAt > CUT_OFF_MS;
    if (isCutOff) this.#metrics.eventReadersCutOff.inc(1);
    if (this.#readers.size === 0) this.#stop();
  }

  #end(reader: EventReader): void {
    reader.end();
    this.#remove(reader);
  }

  #tick(): void {
    const now = performance.now();
    for (const reader of this.#readers) {
      if (now - reader.startedAt >= MAX_STREAM_MS) this.#end(reader);
      else if (reader.isReady && now - reader.sentAt >= HEARTBEAT_MS) reader.sendHeartbeat();
    }
  }

  #wake(): void {
    this.#hasNews = true;
    if (!this.#isWorking) void this.#work();
  }

  /** Sends a reader that is ready the events after its position, if they are known. */
  #serve(reader: EventReader): void {
    const ring = this.#ring;
    if (ring === undefined || !this.#readers.has(reader)) return;
    if (!reader.isKnown || !ring.covers(reader.after)) {
      this.#behind.add(reader);
      if (!this.#isWorking) void this.#work();
      return;
    }
    if (reader.after >= ring.end) return;
    const { bytes, next } = ring.chunk(reader);
    reader.after = next;
    if (bytes !== undefined) reader.send(bytes);
  }

  /** Works in slices until there are no more news, and no readers behind the ring. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      while (this.#ring !== undefined && (this.#hasNews || this.#behind.size > 0)) {
        const startedAt = performance.now();
        let outside = 0;
        const pause = async () => {
          await handedOver();
          const pausedAt = performance.now();
          await immediate();
          outside += performance.now() - pausedAt;
        };
        if (this.#hasNews) await this.#readNews(this.#ring, pause);
        await this.#readForOne();
        await handedOver();
        await sleep(Math.min(MAX_PAUSE_MS, PAUSE * (performance.now() - startedAt - outside)));
      }
    } finally {
      this.#isWorking = false;
    }
  }

  /** Appends the next page of new events to the ring, and sends them to the readers that are ready. */
  async #readNews(ring: EventRing, pause: () => Promise<void>): Promise<void> {
    this.#hasNews = false;
    const page = await this.#read(ring.end, anyEvent);
    if (page === undefined) {
      this.#hasNews = true;
      await sleep(RETRY_MS);
      return;
    }
    if (page.hasMore) this.#hasNews = true;
    // A ring whose position is gone begins anew; its readers read the log until they have caught up.
    if (page.isGone) {
      const bounds = await this.#log.eventBounds().catch(() => null);
      if (bounds !== null && this.#ring === ring) this.#ring = new EventRing(bounds.end);
    } else {
      // An erasure has removed events from the log. The page was read after it, so it has none of them.
      if (page.events.some(({ type }) => type === "customer.erased")) ring.clear();
      ring.append(page.events.map(encodeEvent), page.next);
    }
    let served = 0;
    for (const reader of this.#readers) {
      if (!reader.isReady) continue;
      this.#serve(reader);
      if (++served % READERS_PER_TURN === 0) await pause();
    }
  }

  /** Reads a page of the log for the reader that has waited longest for one. */
  async #readForOne(): Promise<void> {
    const [reader] = this.#behind;
    if (reader === undefined) return;
    this.#behind.delete(reader);
    const { filter, format } = reader;
    const page = await this.#read(reader.after, filter);
    if (!this.#readers.has(reader)) return;
    if (page === undefined) {
      // The store reports its failure. The reader resumes by itself.
      this.#end(reader);
      return;
    }
    reader.after = page.next;
    reader.isKnown = true;
    if (page.isGone) reader.sendText(resetText(format, page.next));
    else if (page.events.length > 0)
      reader.sendText(page.events.map((event) => encodeEvent(event).text[format]).join(""));
    else this.#serve(reader);
  }

  /** Returns a page of the log; `undefined` if the store cannot be read. */
  async #read(after: string, filter: EventFilter) {
    try {
      return await this.#log.readEvents({ after, limit: PAGE, filter });
    } catch {
      return undefined;
    }
  }
}

/**
 * Resolves when the streams have handed their chunks to the connections, so that the time of this counts as work. They do
 * it in microtasks, all of which come before the next tick.
 */
function handedOver(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
