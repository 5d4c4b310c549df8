import { awaitEvents, Turns } from "../../../services/await-events.ts";
import { Refusal } from "../../../session/errors.ts";
import { anyEvent, type EventFilter } from "../../../session/event.ts";
import type { EventBounds, EventLog, EventPage } from "../../../store/ports/events.ts";
import { type ApiResponse, apiFields } from "../../api-response.ts";
import type { Call } from "../../call.ts";
import { type EventQuery, readEventQuery } from "../../parse/event-query.ts";
import type { EventFeed } from "./event-feed.ts";
import { contentTypes, encodeEvent, resetText } from "./event-text.ts";

export interface EventHandlerParts {
  readonly log: EventLog;
  readonly feed: EventFeed;
  /** Returns the keyed hash of a customer's id, as events have it. */
  readonly logHash: (id: string) => string;
}

/**
 * Creates the handler of the stream of events (contract.md#event-stream). Refuses with `not-found` if the store has no
 * event log.
 */
export function createEventHandler({ log, feed, logHash }: EventHandlerParts) {
  const turns = new Turns();
  return async ({ request }: Call): Promise<ApiResponse> => {
    const query = readEventQuery(request);
    const bounds = await log.eventBounds();
    if (bounds === null) throw new Refusal({ code: "not-found" });
    const filter = filterOf(query, logHash);
    const after = positionIn(query, bounds);
    if (query.poll !== null) {
      const { limit, waitMs } = query.poll;
      // Nobody waits for the response to a client that has gone.
      const gone = new AbortController();
      request.onEnd(() => gone.abort());
      const stop = AbortSignal.any([feed.closing, gone.signal]);
      return pollResponse(await awaitEvents(log, { after, limit, filter }, { ms: waitMs, stop, turns }));
    }
    const isKnown = query.after === "start" || query.after === "end";
    const options = { filter, format: query.format, after, isKnown };
    const body = feed.open(options, bounds.end, (listener) => request.onEnd(listener));
    // nginx otherwise keeps events back until its buffer is full.
    const headers = { ...apiFields, "content-type": contentTypes[query.format], "x-accel-buffering": "no" };
    return { status: 200, headers, body };
  };
}

function filterOf({ types, customerId }: EventQuery, logHash: (id: string) => string): EventFilter {
  if (types === null && customerId === null) return anyEvent;
  return { types, customer: customerId === null ? null : { id: customerId, hash: logHash(customerId) } };
}

function positionIn({ after }: EventQuery, { start, end }: EventBounds): string {
  if (after === "start") return start;
  return after === "end" ? end : after;
}

/** Returns the response to a poll. It has the position after the page. */
function pollResponse({ isGone, events, next }: EventPage): ApiResponse {
  const lines = events.map((event) => encodeEvent(event).text["json-lines"]);
  const body = isGone ? resetText("json-lines", next) : lines.join("");
  return {
    status: 200,
    headers: { ...apiFields, "content-type": contentTypes["json-lines"], "last-event-id": next },
    body,
  };
}
