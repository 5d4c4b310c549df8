import { setTimeout as sleep } from "node:timers/promises";
import { type Attempt, type Endpoint, RETRIED_NEVER } from "../session/webhook.ts";
import {
  FAILURES_BEFORE_PAUSE,
  nextAttemptAt,
  parseRetryAfter,
  pauseMs,
  RETRY_PERIOD_MS,
} from "../session/webhook-retries.ts";
import { sign } from "../session/webhook-signature.ts";
import type { DueDelivery, WebhookStore } from "../store/ports/webhooks.ts";
import type { Sender, SendResult } from "./sender.ts";

/*
 * Delivers the queue of one endpoint. The states of a worker:
 *
 *   working: up to CONCURRENCY deliveries at a time, each of another session
 *      `--FAILURES_BEFORE_PAUSE failures in a row--> paused (only deliveries that an operator asked for)
 *   paused --pauseMs--> trying: one delivery at a time --failure--> paused
 *                                                      `--success--> working
 */

/** Maximum number of requests to an endpoint at a time. */
const CONCURRENCY = 16;
/**
 * Maximum number of deliveries of an endpoint in memory: attempts under way, and results that are not stored yet. While
 * the store refuses changes, no more is sent, because all of it would be sent again after a restart.
 */
const MAX_BUSY = 64;
/** Interval (ms) at which deliveries that are too old are failed while the endpoint does not work. */
const FAIL_OVERDUE_EVERY_MS = 10_000;
/** Maximum number of deliveries that are failed in one step. */
const OVERDUE_SLICE = 100;
/** Shortest pause (ms) that is stored, because a receiver asked for it. */
const LONG_PAUSE_MS = 10_000;
/** Pause (ms) before the result of an attempt is stored again after the store has refused it. */
const STORE_AGAIN_MS = 1000;

/** Callbacks for the log and the metrics. */
export interface WebhookEvents {
  attempted(endpoint: Endpoint, outcome: "delivered" | "retried" | "failed", attempt: Attempt): void;
  /** Reports that an endpoint does not work (`attempt` is the last failure), and that it works again. */
  paused(endpoint: Endpoint, attempt: Attempt): void;
  resumed(endpoint: Endpoint): void;
  /** Reports that the receiver has responded 410, and that the endpoint is disabled. */
  disabled(endpoint: Endpoint): void;
  /** Reports that events were purged from the log before they were queued. */
  missed(endpoint: Endpoint): void;
  overdue(endpoint: Endpoint, deliveries: number): void;
}

export interface WorkerParts {
  readonly store: Pick<WebhookStore, "listDue" | "storeAttempt" | "failOverdue">;
  readonly sender: Pick<Sender, "send">;
  /** The clock of the queue, and that of the timestamps that receivers check. */
  readonly clock: () => number;
  readonly wallClock: () => number;
  readonly random: () => number;
  readonly events: WebhookEvents;
  /** Disables an endpoint whose receiver is gone. */
  readonly disable: (endpoint: Endpoint) => Promise<void>;
  /** Stores until when (Unix ms) an endpoint is paused, for the time after a restart; `undefined` if it is not. */
  readonly storePause: (endpoint: Endpoint, until: number | undefined) => Promise<void>;
  /** Returns whether this process may still send: it has the lease, and it is not closing. */
  readonly mayDeliver: () => boolean;
}

export class EndpointWorker {
  readonly #parts: WorkerParts;
  readonly #ending = new AbortController();
  #endpoint: Endpoint;
  /** The deliveries whose attempts are under way or not stored yet, with the handles of their sessions. */
  readonly #busy = new Map<string, string | null>();
  #sending = 0;
  #failuresInARow = 0;
  #pausedUntil = 0;
  #overdueCheckedAt = 0;
  #pumping: Promise<void> | undefined;

  constructor(parts: WorkerParts, endpoint: Endpoint) {
    this.#parts = parts;
    this.#endpoint = endpoint;
    this.#pausedUntil = endpoint.pausedUntil ?? 0;
  }

  /** Takes the present state of the endpoint. */
  use(endpoint: Endpoint): void {
    const isNewUrl = endpoint.url !== this.#endpoint.url || endpoint.epoch !== this.#endpoint.epoch;
    this.#endpoint = endpoint;
    if (isNewUrl) this.#resume();
  }

  /** Number of attempts that are under way or not stored yet. */
  get busy(): number {
    return this.#busy.size;
  }

  /** Ends the attempts that are under way, and starts no more. They are repeated later, as their results are not stored. */
  abort(): void {
    this.#ending.abort();
  }

  /** Starts attempts of deliveries that are due. */
  async pump(): Promise<void> {
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
    await this.#pumping;
  }

  get #isWorking(): boolean {
    return this.#failuresInARow < FAILURES_BEFORE_PAUSE;
  }

  async #pump(): Promise<void> {
    const { store, clock, mayDeliver } = this.#parts;
    if (this.#ending.signal.aborted || !mayDeliver()) return;
    const now = clock();
    // Deliveries that wait for a disabled endpoint must not stay for ever, because they have personal data.
    if (!this.#endpoint.isEnabled || !this.#isWorking) await this.#failOverdue(now);
    if (!this.#endpoint.isEnabled) return;
    const room = Math.min((this.#isWorking ? CONCURRENCY : 1) - this.#sending, MAX_BUSY - this.#busy.size);
    if (room <= 0) return;
    // A delivery that an operator asked for is due at 0, so it is sent even during a pause.
    const dueBy = now < this.#pausedUntil ? 0 : now;
    const due = await store.listDue(this.#endpoint.id, dueBy, this.#busy.size + room);
    if (!mayDeliver()) return;
    const sessions = new Set(this.#busy.values());
    let left = room;
    for (const delivery of due) {
      const { id, type, handle } = delivery;
      if (left === 0) return;
      if (this.#busy.has(id) || (handle !== null && sessions.has(handle))) continue;
      // An erasure must not overtake requests with data of the customer, which may be under way.
      if (type === "customer.erased" && this.#busy.size > 0) return;
      sessions.add(handle);
      left--;
      void this.#attempt(delivery);
    }
  }

  async #attempt(delivery: DueDelivery): Promise<void> {
    const { sender, clock, wallClock } = this.#parts;
    const endpoint = this.#endpoint;
    const { id, handle, eventId, body } = delivery;
    this.#busy.set(id, handle);
    this.#sending++;
    const at = clock();
    const startedAt = performance.now();
    const secrets = endpoint.secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > at);
    const headers = sign(
      eventId,
      body,
      secrets.map(({ secret }) => secret),
      wallClock(),
    );
    const request = { pool: endpoint.id, url: endpoint.url, headers: { ...headers }, body };
    const result = await sender.send(request, this.#ending.signal);
    this.#sending--;
    const durationMs = Math.round(performance.now() - startedAt);
    if (!this.#ending.signal.aborted || "status" in result)
      await this.#settle(endpoint, delivery, result, { at, durationMs });
    this.#busy.delete(id);
    if (this.#sending <= CONCURRENCY / 2) await this.pump().catch(() => undefined);
  }

  /** Decides what follows from the result of an attempt, and stores it. */
  async #settle(
    endpoint: Endpoint,
    delivery: DueDelivery,
    result: SendResult,
    when: Pick<Attempt, "at" | "durationMs">,
  ): Promise<void> {
    const { clock, events, random, disable } = this.#parts;
    const now = clock();
    const status = "status" in result ? result.status : null;
    const attempt: Attempt = { ...when, status, error: "error" in result ? result.error : null };
    const isDelivered = status !== null && status >= 200 && status < 300;
    const isGone = status === 410;
    const retryAfterMs = "status" in result ? parseRetryAfter(result.retryAfter, now) : undefined;
    const attempts = { attempts: delivery.attempts + 1, queuedAt: delivery.queuedAt };
    const mayRetry = !isDelivered && !isGone && delivery.type !== RETRIED_NEVER;
    const dueAt = mayRetry ? (nextAttemptAt(attempts, now, { retryAfterMs, random: random() }) ?? null) : null;
    if (isDelivered) this.#succeeded(endpoint);
    else if (!isGone) this.#failed(endpoint, attempt, now, retryAfterMs);
    await this.#store({ endpointId: endpoint.id, deliveryId: delivery.id, attempt, isDelivered, dueAt, now });
    events.attempted(endpoint, isDelivered ? "delivered" : dueAt === null ? "failed" : "retried", attempt);
    if (isGone) await disable(endpoint);
  }

  #succeeded(endpoint: Endpoint): void {
    if (!this.#isWorking) this.#parts.events.resumed(endpoint);
    if (this.#endpoint.pausedUntil !== undefined) void this.#parts.storePause(endpoint, undefined);
    this.#resume();
  }

  #resume(): void {
    this.#failuresInARow = 0;
    this.#pausedUntil = 0;
  }

  #failed(endpoint: Endpoint, attempt: Attempt, now: number, retryAfterMs = 0): void {
    this.#failuresInARow++;
    if (this.#failuresInARow === FAILURES_BEFORE_PAUSE) this.#parts.events.paused(endpoint, attempt);
    // "Too many requests" and "unavailable" are about the receiver, not about this delivery.
    const asked = attempt.status === 429 || attempt.status === 503 ? retryAfterMs : 0;
    const wait = Math.max(asked, pauseMs(this.#failuresInARow, this.#parts.random()));
    if (wait > 0) this.#pausedUntil = Math.max(this.#pausedUntil, now + wait);
    const isLong = asked > LONG_PAUSE_MS && now + asked > (this.#endpoint.pausedUntil ?? 0);
    if (isLong) void this.#parts.storePause(endpoint, now + asked);
  }

  /** Stores a result. Tries again until it is stored, as the delivery would otherwise be sent again. */
  async #store(result: Parameters<WebhookStore["storeAttempt"]>[0]): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await this.#parts.store.storeAttempt(result);
        return;
      } catch {
        // The store reports the failure.
        await sleep(STORE_AGAIN_MS, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      }
    }
  }

  /** Fails deliveries that have waited for the whole time of the retries while the endpoint did not work. */
  async #failOverdue(now: number): Promise<void> {
    if (now - this.#overdueCheckedAt < FAIL_OVERDUE_EVERY_MS) return;
    const { store, events } = this.#parts;
    const count = await store.failOverdue(this.#endpoint.id, now - RETRY_PERIOD_MS, OVERDUE_SLICE, now);
    if (count > 0) events.overdue(this.#endpoint, count);
    // If there are more, the next call continues.
    if (count < OVERDUE_SLICE) this.#overdueCheckedAt = now;
  }
}
