import type { LoggedEvent } from "../../../session/event.ts";
import { eventInfo } from "../../../wire/event-info.ts";

/** An event of the log, encoded once for all readers. */
export interface EncodedEvent {
  readonly event: LoggedEvent;
  /** The texts of the event in both formats. */
  readonly text: Readonly<Record<EventFormat, string>>;
}

/** The format of a stream: Server-Sent Events (HTML, section 9.2), or lines of JSON. */
export type EventFormat = "event-stream" | "json-lines";

export const contentTypes: Readonly<Record<EventFormat, string>> = {
  "event-stream": "text/event-stream",
  "json-lines": "application/x-ndjson",
};

/**
 * Returns the text that opens a stream, or shows that it is alive: a comment, or an empty line. It has the position of
 * the reader, who may resume there although no event was sent; `undefined` if the position is not known to be valid.
 */
export function signOfLife(format: EventFormat, position: string | undefined): string {
  if (format === "json-lines") return "\n";
  return position === undefined ? ":\n\n" : `:\nid: ${position}\n\n`;
}

/** The time (ms) after which clients reconnect, as the field of Server-Sent Events. */
export const RETRY_FIELD = "retry: 1000\n";

export function encodeEvent(event: LoggedEvent): EncodedEvent {
  const json = JSON.stringify(eventInfo(event));
  const text = {
    "event-stream": `id: ${event.id}\nevent: ${event.type}\ndata: ${json}\n\n`,
    "json-lines": `${json}\n`,
  };
  return { event, text };
}

/** Returns the text of the notice that the position asked for is gone. The stream continues after the position `id`. */
export function resetText(format: EventFormat, id: string): string {
  const json = JSON.stringify({ id, type: "reset" });
  return format === "event-stream" ? `id: ${id}\nevent: reset\ndata: ${json}\n\n` : `${json}\n`;
}
