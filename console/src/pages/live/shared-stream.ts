import { createAdministration, type EventReset } from "@antechamber/client/administration";
import type { EventInfo, EventType } from "@antechamber/client/protocol";
import type { Fetch } from "@antechamber/client/transport";
import { apiUrl, consoleFetch } from "../../api/api.ts";

/*
 * Events as they happen. All tabs of a browser that show the same events share one connection:
 *
 *   the tab with the lock --reads the stream--> its own page, and all others over a channel
 *   a tab that is hidden for a long time releases the lock; when it is shown again, it waits for the lock, and continues
 *   after the last event that it has received
 */

/** Which events to show. */
export interface EventFilter {
  readonly types: readonly EventType[] | undefined;
  readonly customerId: string | undefined;
}

/** Whether the service is connected. */
export type StreamStatus = "connecting" | "open";

export interface StreamHandlers {
  /** Called with new events, oldest first. */
  events(events: readonly (EventInfo | EventReset)[]): void;
  status(status: StreamStatus): void;
  /** Called when events may be missing, because the page was hidden for a long time. */
  gap(): void;
  /** Called when reading has failed for a reason that does not pass by itself. */
  failed(error: unknown): void;
}

type Message =
  | { readonly kind: "events"; readonly events: readonly (EventInfo | EventReset)[] }
  | { readonly kind: "status"; readonly status: StreamStatus }
  | { readonly kind: "hello" };

/** Time (ms) for which events gather before they are shown. */
const GATHER_MS = 200;
/** Number of events at which reading pauses until they are shown, so that a flood occupies neither browser nor server. */
const MAX_GATHERED = 400;
/** Time (ms) after which a hidden page stops reading. */
const HIDDEN_MS = 30_000;
/** Time (ms) after which a page that is shown again begins with the newest event, instead of where it stopped. */
const MAX_AWAY_MS = 5 * 60_000;

/** Calls the handlers with the events of a filter until the returned function is called. */
export function followEvents(filter: EventFilter, handlers: StreamHandlers): () => void {
  const name = `antechamber events ${JSON.stringify([apiUrl, filter.types ?? null, filter.customerId ?? null])}`;
  const channel = new BroadcastChannel(name);
  let last: string | undefined;
  let seenAt = performance.now();
  let status: StreamStatus = "connecting";
  let reading: AbortController | undefined;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

  function receive(message: Message): void {
    seenAt = performance.now();
    if (message.kind === "status") {
      status = message.status;
      handlers.status(status);
    } else if (message.kind === "events") {
      const fresh = message.events.filter(({ id, type }) => type === "reset" || last === undefined || id > last);
      last = fresh.at(-1)?.id ?? last;
      if (fresh.length > 0) handlers.events(fresh);
    }
  }

  function publish(message: Message): void {
    receive(message);
    channel.postMessage(message);
  }

  channel.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.kind !== "hello") receive(data);
    else if (reading !== undefined) channel.postMessage({ kind: "status", status } satisfies Message);
  });
  channel.postMessage({ kind: "hello" } satisfies Message);

  async function read(signal: AbortSignal): Promise<void> {
    const watched: Fetch = async (input, init) => {
      publish({ kind: "status", status: "connecting" });
      const response = await consoleFetch(input, init);
      if (response.ok) publish({ kind: "status", status: "open" });
      return response;
    };
    if (last !== undefined && performance.now() - seenAt > MAX_AWAY_MS) {
      last = undefined;
      handlers.gap();
    }
    const { types, customerId } = filter;
    const admin = createAdministration({ url: apiUrl, fetch: watched });
    let gathered: (EventInfo | EventReset)[] = [];
    const show = () => {
      const events = gathered;
      gathered = [];
      if (!signal.aborted) publish({ kind: "events", events });
    };
    for await (const event of admin.events({ types, customerId, after: last ?? "end", signal })) {
      if (gathered.length === 0) setTimeout(show, GATHER_MS);
      gathered.push(event);
      if (gathered.length >= MAX_GATHERED) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
  }

  async function begin(): Promise<void> {
    const ending = new AbortController();
    reading = ending;
    const { signal } = ending;
    try {
      // Pages without TLS have no locks, except on this machine. Then each reads the stream itself.
      if (navigator.locks === undefined) await read(signal);
      else await navigator.locks.request(name, { signal }, () => read(signal));
    } catch (error) {
      if (!signal.aborted) handlers.failed(error);
    } finally {
      if (reading === ending) reading = undefined;
    }
  }

  function stop(): void {
    reading?.abort();
    reading = undefined;
  }

  function onVisibility(): void {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(stop, HIDDEN_MS);
    else if (reading === undefined) void begin();
  }

  document.addEventListener("visibilitychange", onVisibility);
  onVisibility();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(hiddenTimer);
    stop();
    channel.close();
  };
}
