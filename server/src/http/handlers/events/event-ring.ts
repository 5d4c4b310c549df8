import { SharedPart } from "@antechamber/http1";
import { isEventMatch } from "../../../session/event.ts";
import type { EventReader } from "./event-reader.ts";
import type { EncodedEvent } from "./event-text.ts";

/** The maximum number of characters of the events in the ring, in one format. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** The number of characters at which a chunk ends. */
const CHUNK_CHARACTERS = 64 * 1024;
/** The maximum number of chunks that are kept for other readers. */
const MAX_CHUNKS = 32;

/** A part of a stream. */
export interface Chunk {
  /** `undefined` if no examined event matches. */
  readonly bytes: SharedPart | undefined;
  /** The position after the last event that was examined. */
  readonly next: string;
}

/**
 * The newest events of the log, which all readers share. Ids sort in the order of the log, so a reader needs no more than
 * the id of its last event. A reader that falls behind the ring reads the log itself.
 */
export class EventRing {
  #events: EncodedEvent[] = [];
  #characters = 0;
  /** The position before the first event of the ring. */
  #start: string;
  #end: string;
  readonly #encoder = new TextEncoder();
  /** The chunks since the last change of the ring, by position and channel. Most readers ask for the same ones. */
  readonly #chunks = new Map<string, Chunk>();

  /** Creates an empty ring that continues after the position `end`. */
  constructor(end: string) {
    this.#start = end;
    this.#end = end;
  }

  /** The position after the newest event. */
  get end(): string {
    return this.#end;
  }

  /** Appends the events that follow the ring, and the position after them. Drops the oldest ones if it is full. */
  append(events: readonly EncodedEvent[], end: string): void {
    for (const encoded of events) {
      this.#events.push(encoded);
      this.#characters += encoded.text["event-stream"].length;
    }
    this.#end = end;
    this.#chunks.clear();
    let dropped = 0;
    while (this.#characters > MAX_CHARACTERS) {
      const oldest = this.#events[dropped++] as EncodedEvent;
      this.#characters -= oldest.text["event-stream"].length;
      this.#start = oldest.event.id;
    }
    if (dropped > 0) this.#events = this.#events.slice(dropped);
  }

  /** Drops all events. Readers that have not got them read the log. */
  clear(): void {
    this.#events = [];
    this.#characters = 0;
    this.#start = this.#end;
    this.#chunks.clear();
  }

  /** Returns whether the ring has all events after this position. */
  covers(after: string): boolean {
    return after >= this.#start;
  }

  /** Returns the next chunk for a reader whose position the ring covers. */
  chunk(reader: Pick<EventReader, "after" | "filter" | "format" | "channel">): Chunk {
    const key = reader.after + reader.channel;
    const known = this.#chunks.get(key);
    if (known !== undefined) return known;
    const chunk = this.#make(reader);
    if (this.#chunks.size >= MAX_CHUNKS) this.#chunks.clear();
    this.#chunks.set(key, chunk);
    return chunk;
  }

  #make({ after, filter, format }: Pick<EventReader, "after" | "filter" | "format">): Chunk {
    let text = "";
    let next = after;
    for (let i = this.#indexAfter(after); i < this.#events.length; i++) {
      if (text.length >= CHUNK_CHARACTERS) return { bytes: this.#encode(text), next };
      const encoded = this.#events[i] as EncodedEvent;
      next = encoded.event.id;
      if (isEventMatch(encoded.event, filter)) text += encoded.text[format];
    }
    if (this.#end > next) next = this.#end;
    return { bytes: text === "" ? undefined : this.#encode(text), next };
  }

  #encode(text: string): SharedPart {
    const { buffer, byteOffset, length } = this.#encoder.encode(text);
    return new SharedPart(buffer, byteOffset, length);
  }

  /** Returns the index of the first event after a position. */
  #indexAfter(after: string): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle] as EncodedEvent).event.id > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
