import { anyEvent, type LoggedEvent } from "../session/event.ts";
import type { Endpoint } from "../session/webhook.ts";
import type { EventLog } from "../store/ports/events.ts";
import type { Message, QueueState, WebhookStore } from "../store/ports/webhooks.ts";
import { eventInfo } from "../wire/event-info.ts";

/** Maximum number of events that are read and queued at a time. It is small, because over Redis a script queues them. */
const PAGE = 64;
/** Interval (ms) at which a position is stored while an endpoint takes none of the events. */
const STORE_POSITION_EVERY_MS = 10_000;

export interface FanOutParts {
  readonly store: Pick<WebhookStore, "queueDeliveries"> & Pick<EventLog, "readEvents" | "eventBounds">;
  /** Reports that events were purged before they were queued for an endpoint. */
  readonly missed: (endpoint: Endpoint) => void;
}

/** A position in the event log that is later than the stored one: the endpoint takes none of the events between. */
interface Position {
  readonly epoch: number;
  readonly cursor: string;
  /** When a position was stored last, Unix ms. */
  readonly storedAt: number;
}

/** An endpoint and the state of its queue. */
export interface EndpointQueue {
  readonly endpoint: Endpoint;
  readonly queue: QueueState;
}

/** Reads the queues of endpoints. Leaves out endpoints that were removed in the meantime. */
export async function readQueues(
  store: Pick<WebhookStore, "readQueue">,
  endpoints: readonly Endpoint[],
): Promise<readonly EndpointQueue[]> {
  const queues = await Promise.all(endpoints.map(({ id }) => store.readQueue(id)));
  return endpoints.flatMap((endpoint, i) => {
    const queue = queues[i];
    return queue === undefined ? [] : [{ endpoint, queue }];
  });
}

/**
 * Moves events from the log into the queues of the endpoints. From then on a queue does not depend on the retention of
 * the log. Position and deliveries are stored in one step, so nothing is lost or queued twice.
 */
export class FanOut {
  readonly #parts: FanOutParts;
  readonly #positions = new Map<string, Position>();

  constructor(parts: FanOutParts) {
    this.#parts = parts;
  }

  /** Forgets all positions that are not stored, as another process may have delivered in the meantime. */
  reset(): void {
    this.#positions.clear();
  }

  /** Queues a page of events for each endpoint. Returns whether there are more. */
  async queueNext(endpoints: readonly EndpointQueue[], now: number): Promise<boolean> {
    // Most endpoints are at the same position, so each page is read once for all of them.
    const byPosition = Map.groupBy(endpoints, (one) => this.#positionOf(one));
    let hasMore = false;
    for (const [cursor, group] of byPosition) {
      const after = cursor ?? (await this.#parts.store.eventBounds())?.start;
      if (after !== undefined && (await this.#queuePage(after, group, now))) hasMore = true;
    }
    return hasMore;
  }

  #positionOf({ endpoint, queue }: EndpointQueue): string | null {
    const known = this.#positions.get(endpoint.id);
    return known !== undefined && known.epoch === endpoint.epoch ? known.cursor : queue.cursor;
  }

  async #queuePage(after: string, group: readonly EndpointQueue[], now: number): Promise<boolean> {
    const { store, missed } = this.#parts;
    const { isGone, events, next, hasMore } = await store.readEvents({ after, limit: PAGE, filter: anyEvent });
    if (isGone) for (const { endpoint } of group) missed(endpoint);
    if (next === after) return hasMore;
    const messages = events.map(messageOf);
    await Promise.all(group.map((one) => this.#queue(one, messages, next, now)));
    return hasMore || isGone;
  }

  async #queue(
    { endpoint, queue }: EndpointQueue,
    all: readonly Message[],
    cursor: string,
    now: number,
  ): Promise<void> {
    const { id, epoch, types } = endpoint;
    const messages = types === null ? all : all.filter(({ type }) => (types as readonly string[]).includes(type));
    const known = this.#positions.get(id);
    const storedAt = known?.storedAt ?? Number.NEGATIVE_INFINITY;
    if (messages.length === 0 && now - storedAt < STORE_POSITION_EVERY_MS) {
      this.#positions.set(id, { epoch, cursor, storedAt });
      return;
    }
    const { erasures } = queue;
    const queued = await this.#parts.store.queueDeliveries({ endpointId: id, epoch, erasures, cursor, messages, now });
    if (queued === undefined) this.#positions.delete(id);
    else this.#positions.set(id, { epoch, cursor, storedAt: now });
  }
}

function messageOf(event: LoggedEvent): Message {
  const handle = "session" in event ? event.session.handle : null;
  return { eventId: event.id, type: event.type, handle, body: JSON.stringify(eventInfo(event)) };
}
