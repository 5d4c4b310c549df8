import type { EventFilter } from "../../../session/event.ts";
import { type EventFormat, RETRY_FIELD, signOfLife } from "./event-text.ts";

/** The controls of a stream that `EventReader` uses. */
type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** Where a reader begins, and the events that it gets. */
export type ReaderOptions = Pick<EventReader, "filter" | "format" | "after" | "isKnown">;

/** Called when a reader has taken its last chunk, and when its connection has closed. */
export interface ReaderEvents {
  ready(reader: EventReader): void;
  closed(reader: EventReader): void;
}

const encoder = new TextEncoder();

/**
 * A reader of the stream. At most one chunk is on its way to it:
 *
 *   ready --send--> sending --the connection has taken the chunk--> ready
 *   ready --end--> ended        sending --end--> ended after the chunk
 *   any --the connection closes--> ended
 */
export class EventReader {
  readonly filter: EventFilter;
  readonly format: EventFormat;
  /** The same text for all readers with the same filter and format. At the same position they get the same chunk. */
  readonly channel: string;
  /** The position after the last event that was sent, or examined and not sent. */
  after: string;
  /** Whether the log has this position. Otherwise it is what a client has sent. */
  isKnown: boolean;
  /** Whether the reader waits for a chunk. */
  isReady = false;
  /** The time (`performance.now()`) of the last chunk, and of the start. */
  sentAt = performance.now();
  readonly startedAt = this.sentAt;
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller: Controller | undefined;
  #isEnded = false;

  constructor({ filter, format, after, isKnown }: ReaderOptions, events: ReaderEvents) {
    this.filter = filter;
    this.format = format;
    this.channel = JSON.stringify([format, filter.types && [...filter.types].toSorted(), filter.customer]);
    this.after = after;
    this.isKnown = isKnown;
    const source = {
      start: (controller: Controller) => {
        this.#controller = controller;
        const retry = format === "event-stream" ? RETRY_FIELD : "";
        controller.enqueue(encoder.encode(retry + this.#signOfLife()));
      },
      pull: () => {
        this.isReady = true;
        events.ready(this);
      },
      cancel: () => {
        this.#isEnded = true;
        events.closed(this);
      },
    };
    this.stream = new ReadableStream(source, { highWaterMark: 0 });
  }

  /** Sends a chunk. The reader must be ready. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isEnded) return;
    this.isReady = false;
    this.sentAt = performance.now();
    this.#controller?.enqueue(bytes);
  }

  sendText(text: string): void {
    this.send(encoder.encode(text));
  }

  sendHeartbeat(): void {
    this.sendText(this.#signOfLife());
  }

  #signOfLife(): string {
    return signOfLife(this.format, this.isKnown ? this.after : undefined);
  }

  /** Ends the stream after the chunk that is on its way. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#controller?.close();
  }
}
