import assert from "node:assert/strict";
import type { EventInfo } from "@antechamber/client/protocol";

/** A frame of a stream of Server-Sent Events: an event, a comment or a reconnection time. */
export interface Frame {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  /** The text of a comment. */
  readonly comment?: string;
}

/** A stream of events that a test reads, frame by frame. */
export interface EventStream extends AsyncDisposable {
  readonly response: Response;
  /** Returns the next frame with an event; `undefined` at the end of the stream. */
  next(): Promise<Frame | undefined>;
  /** Returns the next events; fails if the stream ends before. */
  take(count: number): Promise<EventInfo[]>;
  /** The frames without an event so far. */
  readonly others: readonly Frame[];
}

/** Opens a stream of events. `query` begins with `?`, or is "". */
export async function openEvents(
  url: string,
  query = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<EventStream> {
  const abort = new AbortController();
  const response = await fetch(`${url}/events${query}`, { headers, signal: abort.signal });
  assert.equal(response.status, 200, response.status === 200 ? "" : await response.text());
  const frames = framesOf(response);
  const others: Frame[] = [];
  const next = async () => {
    for (;;) {
      const { done, value } = await frames.next();
      if (done) return undefined;
      if (value.event !== undefined) return value;
      others.push(value);
    }
  };
  return {
    response,
    others,
    next,
    async take(count) {
      const events: EventInfo[] = [];
      while (events.length < count) {
        const frame = await next();
        assert.ok(frame !== undefined, `the stream ended after ${events.length} events`);
        const event = JSON.parse(frame.data ?? "") as EventInfo;
        assert.deepEqual([frame.id, frame.event], [event.id, event.type]);
        events.push(event);
      }
      return events;
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await frames.return(undefined).catch(() => undefined);
    },
  };
}

async function* framesOf({ body }: Response): AsyncGenerator<Frame, undefined, undefined> {
  let text = "";
  for await (const part of (body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      yield frameOf(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
  assert.equal(text, "", "the stream ends between two events");
  return undefined;
}

function frameOf(text: string): Frame {
  const fields = text.split("\n").map((line) => {
    const colon = line.indexOf(":");
    return [colon === 0 ? "comment" : line.slice(0, colon), line.slice(colon + 1).trimStart()];
  });
  return Object.fromEntries(fields) as Frame;
}
