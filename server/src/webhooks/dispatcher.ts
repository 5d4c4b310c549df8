import { randomBytes } from "node:crypto";
import type { Endpoint } from "../session/webhook.ts";
import type { EventLog } from "../store/ports/events.ts";
import type { WebhookStore } from "../store/ports/webhooks.ts";
import { EndpointWorker, type WebhookEvents, type WorkerParts } from "./endpoint-worker.ts";
import { type EndpointQueue, FanOut, readQueues } from "./fan-out.ts";
import type { Sender } from "./sender.ts";

/*
 * Delivers events to the endpoints. Of all processes on a store one does this, the one with the lease:
 *
 *   event log --fan-out.ts--> queue of each endpoint (in the store) --endpoint-worker.ts--> sender.ts
 *
 * A round reads the endpoints, moves new events into the queues, and starts what is due. Rounds follow each other at
 * once while there is more to do, when events arrive, and when an operator changes something; otherwise after a pause.
 */

/** Duration (ms) of the lease, and the interval at which it is renewed. Another process takes over after the duration. */
const LEASE_MS = 10_000;
const RENEW_EVERY_MS = 3000;
/** Pause (ms) between rounds while deliveries wait for their time, and while there is nothing to do. */
const PAUSE_MS = { waiting: 200, idle: 1000 };
/** Interval (ms) at which finished deliveries are purged, and the pause between two batches. */
const PURGE_EVERY_MS = 60_000;
const PURGE_PAUSE_MS = 100;
/** Time (ms) that attempts under way get to finish when the service stops. */
const CLOSE_GRACE_MS = 2000;

export interface DispatcherParts {
  readonly store: WebhookStore & EventLog;
  readonly sender: Sender;
  readonly clock: () => number;
  readonly wallClock: () => number;
  readonly random?: () => number;
  readonly events: WebhookEvents;
}

/** The queue of an endpoint, for the metrics. */
export interface QueueStatus {
  readonly endpointId: string;
  readonly pending: number;
  /** Age (ms) of the oldest pending delivery; 0 if there is none. */
  readonly oldestMs: number;
}

/** Delivers events until it is closed. */
export class WebhookDispatcher {
  readonly #parts: DispatcherParts;
  readonly #holder = randomBytes(12).toString("base64url");
  readonly #fanOut: FanOut;
  readonly #workers = new Map<string, EndpointWorker>();
  #queues: readonly EndpointQueue[] = [];
  #leaseUntil = 0;
  #renewAt = 0;
  #purgeAt = 0;
  /** Whether there was more to purge than in the last batch. */
  #isPurging = false;
  #isClosing = false;
  #isWoken = false;
  #wake: () => void = () => undefined;
  #unsubscribe: (() => void) | undefined;
  readonly #running: Promise<void>;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#fanOut = new FanOut({ store: parts.store, missed: (endpoint) => parts.events.missed(endpoint) });
    this.#running = this.#run();
  }

  /** Begins a round at once, because endpoints or queues were changed. */
  readonly wake = (): void => {
    this.#isWoken = true;
    this.#wake();
  };

  /** Returns the queues of all endpoints if this process delivers; otherwise none. */
  status(): readonly QueueStatus[] {
    const now = this.#parts.clock();
    return this.#queues.map(({ endpoint, queue: { pending, oldestQueuedAt } }) => ({
      endpointId: endpoint.id,
      pending,
      oldestMs: oldestQueuedAt === null ? 0 : Math.max(0, now - oldestQueuedAt),
    }));
  }

  /** Waits a short time for the attempts under way, then ends them and releases the lease. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.wake();
    await this.#running;
    const end = performance.now() + CLOSE_GRACE_MS;
    const isBusy = () => [...this.#workers.values()].some(({ busy }) => busy > 0);
    while (isBusy() && performance.now() < end) await this.#pause(20);
    this.#dropWorkers();
    this.#parts.sender.close();
    await this.#parts.store.releaseLease(this.#holder).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      this.#isWoken = false;
      let wait = PAUSE_MS.idle;
      try {
        wait = await this.#round();
      } catch {
        // The store reports the failure. The next round tries again.
      }
      if (!this.#isWoken && wait > 0 && !this.#isClosing) await this.#pause(wait);
    }
    this.#unsubscribe?.();
  }

  /** Waits until the time is over or `wake` is called. */
  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Does what there is to do. Returns how long (ms) to wait for the next round. */
  async #round(): Promise<number> {
    const { store, clock } = this.#parts;
    if (!(await this.#isLeader())) return PAUSE_MS.idle;
    const endpoints = await store.listEndpoints();
    this.#update(endpoints);
    // Removed endpoints can have left deliveries.
    await this.#purge();
    if (endpoints.length === 0) return this.#isPurging ? PURGE_PAUSE_MS : PAUSE_MS.idle;
    const enabled = (await readQueues(store, endpoints)).filter(({ endpoint }) => endpoint.isEnabled);
    const hasMore = await this.#fanOut.queueNext(enabled, clock());
    if (enabled.length > 0 && hasMore) this.#isWoken = true;
    this.#queues = await readQueues(store, endpoints);
    await Promise.all(this.#queues.map((queue) => this.#pump(queue, clock())));
    if (this.#isPurging) return PURGE_PAUSE_MS;
    const isWaiting = this.#queues.some(({ queue }) => queue.pending > 0);
    return isWaiting ? PAUSE_MS.waiting : PAUSE_MS.idle;
  }

  async #pump({ endpoint, queue }: EndpointQueue, now: number): Promise<void> {
    if (queue.nextDueAt === null || queue.nextDueAt > now) return;
    // An endpoint whose queue cannot be read delays no other.
    await this.#workers
      .get(endpoint.id)
      ?.pump()
      .catch(() => undefined);
  }

  get #mayDeliver(): boolean {
    return !this.#isClosing && performance.now() < this.#leaseUntil;
  }

  async #isLeader(): Promise<boolean> {
    const asked = performance.now();
    if (asked < this.#renewAt) return this.#mayDeliver;
    this.#renewAt = asked + RENEW_EVERY_MS;
    const wasLeader = this.#mayDeliver;
    if (await this.#parts.store.holdLease(this.#holder, LEASE_MS)) {
      if (!wasLeader) this.#fanOut.reset();
      this.#leaseUntil = asked + LEASE_MS;
    } else {
      this.#leaseUntil = 0;
      this.#dropWorkers();
    }
    return this.#mayDeliver;
  }

  #dropWorkers(): void {
    for (const worker of this.#workers.values()) worker.abort();
    this.#workers.clear();
    this.#queues = [];
  }

  /** Creates the workers of new endpoints, and ends those of removed ones. */
  #update(endpoints: readonly Endpoint[]): void {
    const { store } = this.#parts;
    const ids = new Set(endpoints.map(({ id }) => id));
    for (const [id, worker] of this.#workers) {
      if (ids.has(id)) continue;
      worker.abort();
      this.#workers.delete(id);
      this.#purgeAt = 0;
    }
    for (const endpoint of endpoints) {
      const worker = this.#workers.get(endpoint.id);
      if (worker === undefined) this.#workers.set(endpoint.id, this.#createWorker(endpoint));
      else worker.use(endpoint);
    }
    // Without an enabled endpoint, events wake nobody.
    const isListening = endpoints.some(({ isEnabled }) => isEnabled);
    if (isListening) this.#unsubscribe ??= store.onEvents(this.wake);
    else {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
      this.#queues = endpoints.length === 0 ? [] : this.#queues;
    }
  }

  #createWorker(endpoint: Endpoint): EndpointWorker {
    const { random = Math.random } = this.#parts;
    const { store } = this.#parts;
    const parts: WorkerParts = {
      ...this.#parts,
      random,
      disable: (one) => this.#disable(one),
      mayDeliver: () => this.#mayDeliver,
      async storePause(one, pausedUntil) {
        const { pausedUntil: _, ...rest } = one;
        const paused = { ...rest, ...(pausedUntil !== undefined && { pausedUntil }), revision: one.revision + 1 };
        // If somebody changes the endpoint at the same time, or the store fails, the pause lasts until a restart.
        await store.replaceEndpoint(paused).catch(() => false);
      },
    };
    return new EndpointWorker(parts, endpoint);
  }

  /** Disables an endpoint whose receiver is gone, unless it was changed since the request was sent. */
  async #disable(endpoint: Endpoint): Promise<void> {
    const { store, clock, events } = this.#parts;
    const disabled: Endpoint = {
      ...endpoint,
      ...{ isEnabled: false, disabledReason: "gone", updatedAt: clock(), revision: endpoint.revision + 1 },
    };
    const isDisabled = await store.replaceEndpoint(disabled).catch(() => false);
    if (isDisabled) events.disabled(disabled);
    this.wake();
  }

  async #purge(): Promise<void> {
    const now = performance.now();
    if (now < this.#purgeAt) return;
    this.#purgeAt = now + PURGE_EVERY_MS;
    this.#isPurging = await this.#parts.store.purgeDeliveries(this.#parts.clock());
    if (this.#isPurging) this.#purgeAt = now + PURGE_PAUSE_MS;
  }
}
