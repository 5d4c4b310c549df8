import { baseUrlOf, type CallOptions, fetchOf, type TransportOptions } from "./call.ts";
import { isRetryable, ProblemError } from "./problem-error.ts";
import type { EventInfo, EventType } from "./protocol.ts";
import { readLines } from "./read-lines.ts";

export interface EventOptions extends CallOptions {
  /** Only events of these types; all by default. */
  readonly types?: readonly EventType[] | undefined;
  /** Only events about this customer. */
  readonly customerId?: string | undefined;
  /** The id of the event after which to begin, `start` for the oldest one that is kept, or `end`, the default. */
  readonly after?: string | undefined;
}

/**
 * A notice that the event to continue after is no longer kept, so events may be missing: read the present state. All
 * events that are kept follow.
 */
export interface EventReset {
  readonly type: "reset";
  readonly id: string;
}

/** The longest time (ms) without a sign of life, of which the service sends one within every 15 s. */
const SILENCE_MS = 40_000;
/** The pause (ms) before a connection is tried again: doubled after each failure, within these limits. */
const PAUSE_MS = { min: 250, max: 30_000 };

/**
 * Yields events as they happen, without an end. Connects again after a failure, and continues after the last event that
 * was yielded. Ends when the signal is aborted, or when the caller stops iterating. Rejects with a `ProblemError` that
 * another attempt cannot change, such as `role-not-permitted`, and `not-found` if the service has no event log.
 */
export async function* readEvents(
  options: TransportOptions,
  { types, customerId, after = "end", signal }: EventOptions,
): AsyncGenerator<EventInfo | EventReset, void> {
  const query = new URLSearchParams();
  if (types !== undefined) query.set("types", types.join(","));
  if (customerId !== undefined) query.set("customerId", customerId);
  query.set("after", after);
  const accept = "text/event-stream";
  for (let failures = 0; ; ) {
    if (signal?.aborted) return;
    const url = `${baseUrlOf(options)}/events?${query.toString()}`;
    try {
      let id: string | undefined;
      for await (const line of readLines({
        ...options,
        url,
        accept,
        signal,
        fetch: fetchOf(options),
        timeout: SILENCE_MS,
      })) {
        const data = line.startsWith("data: ") ? line.slice("data: ".length) : undefined;
        if (line.startsWith("id: ")) id = line.slice("id: ".length);
        else if (id !== undefined && (data !== undefined || line === "")) {
          // An event, which counts as received once it is yielded, or a sign of life with a position.
          query.set("after", id);
          failures = 0;
        }
        if (data !== undefined) yield JSON.parse(data) as EventInfo | EventReset;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!mayPass(error)) throw error;
      failures++;
    }
    await pause(Math.min(PAUSE_MS.max, PAUSE_MS.min * 2 ** failures) * (0.5 + Math.random() / 2), signal);
  }
}

/** Returns whether another attempt may succeed. */
function mayPass(error: unknown): boolean {
  return (
    error instanceof ProblemError && (isRetryable(error) || error.code === "timeout" || (error.status ?? 0) >= 500)
  );
}

/** Waits, but not longer than until the signal is aborted. */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(over, milliseconds);
    function over(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    }
    signal?.addEventListener("abort", over);
  });
}
