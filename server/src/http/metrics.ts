import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { latencyBounds as LATENCY_BUCKETS } from "../session/histogram.ts";
import type { EventBounds } from "../store/ports/events.ts";
import type { StoreStatus } from "../store/ports/lifecycle.ts";

/** The metrics of a server, in the Prometheus text format. */
export type Metrics = ReturnType<typeof createMetrics>;

/** The counters from which statistics are made. They count from the start of the process. */
export interface Counters {
  readonly created: number;
  readonly associated: number;
  readonly ended: number;
  readonly expired: number;
  /** By code. */
  readonly refusals: ReadonlyMap<string, number>;
  /** By operation. */
  readonly operations: ReadonlyMap<string, CountedRequests>;
}

/** The requests of an operation: by the first digit of the status, and in the buckets of `latencyBounds`. */
export interface CountedRequests {
  readonly statuses: readonly number[];
  readonly buckets: readonly number[];
}

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const operations = new Map<string, RecordedOperation>();
  registerRequests(registry, operations);
  const refusals = new Map<string, number>();
  registerRefusals(registry, refusals);
  const unreadable = new Counter({
    name: "antechamber_unreadable_requests_total",
    help: "Requests that were not valid HTTP or did not arrive in time, by the status of the refusal.",
    labelNames: ["status"],
    registers: [registry],
  });
  const webhookAttempts = new Counter({
    name: "antechamber_webhook_attempts_total",
    help: "Attempts of webhook deliveries, by outcome: delivered, retried later, or failed for good.",
    labelNames: ["outcome"],
    registers: [registry],
  });
  const groups = new Histogram({
    name: "antechamber_commit_group_size",
    help: "Changes that were committed together.",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048],
    registers: [registry],
  });
  const commits = new Histogram({
    name: "antechamber_commit_duration_seconds",
    help: "Time from handing a group to the store until it is stored.",
    buckets: [...LATENCY_BUCKETS],
    registers: [registry],
  });
  const counter = (name: string, help: string) => registerCounter(registry, name, help);
  const failures = counter("store_failures_total", "Writes that failed in the store.");
  const sessions = {
    created: counter("sessions_created_total", "Sessions created, stored or not."),
    associated: counter("sessions_associated_total", "Associations with response 200."),
    ended: counter("sessions_ended_total", "Sessions that were ended before they expired."),
    expired: counter("sessions_expired_total", "Sessions that were found expired."),
  };

  return {
    operation(name: string): RecordedOperation {
      let operation = operations.get(name);
      if (operation === undefined) {
        operation = new RecordedOperation();
        operations.set(name, operation);
      }
      return operation;
    },
    sessionsCreated: sessions.created,
    sessionsAssociated: sessions.associated,
    sessionsRotated: counter("sessions_rotated_total", "Sessions that got a new id."),
    sessionsEnded: sessions.ended,
    sessionsExpired: sessions.expired,
    eventReadersCutOff: counter(
      "event_readers_cut_off_total",
      "Readers of events that were cut off: they did not read.",
    ),
    recordsAccepted: counter("records_accepted_total", "Requests accepted for recording in sessions."),
    /** Counts accepted records that were set aside and not stored, because their visitors did not come back. */
    recordsDropped: counter("provisional_records_dropped_total", "First requests of visitors who did not come back."),
    /** Counts records that were accepted but not stored, and `/forward-auth` records that the store refused. */
    recordsLost: counter("records_lost_total", "Requests that could not be recorded."),
    refused(code: string): void {
      refusals.set(code, (refusals.get(code) ?? 0) + 1);
    },
    unreadable: (status: number) => unreadable.inc({ status }),
    committed(changes: number, milliseconds: number): void {
      groups.observe(changes);
      commits.observe(milliseconds / 1000);
    },
    storeFailed: () => failures.inc(1),
    /** Adds gauges of the store, which are read at each scrape. Must be called only once. */
    watch: (status: () => StoreStatus) => registerStore(registry, status),
    /** Adds gauges of the event log, which are read at each scrape. Must be called only once. */
    watchEvents(bounds: () => Promise<EventBounds | null>, readers: () => number): void {
      registerEvents(registry, bounds, readers);
    },
    /** Counts attempts of webhook deliveries by their outcome. */
    webhookAttempted: (outcome: "delivered" | "retried" | "failed", count: number) =>
      webhookAttempts.inc({ outcome }, count),
    /** Adds gauges of the queues of webhooks, which are read at each scrape. Must be called only once. */
    watchWebhooks: (queues: () => readonly WebhookQueue[]) => registerWebhooks(registry, queues),
    /** Adds a gauge of connections, which is read at each scrape. Must be called only once. */
    watchConnections(count: () => number): void {
      registerGauge(registry, "connections", "Connections that clients have open.", count);
    },
    /** Returns a copy of the counters from which statistics are made. */
    counters: (): Counters => ({
      created: sessions.created.count(),
      associated: sessions.associated.count(),
      ended: sessions.ended.count(),
      expired: sessions.expired.count(),
      refusals: new Map(refusals),
      operations: new Map(Array.from(operations, ([name, operation]) => [name, operation.counted()])),
    }),
    async page(): Promise<{ readonly contentType: string; readonly text: string }> {
      const text = (await registry.metrics()) + durationText(operations);
      return { contentType: registry.contentType, text };
    },
  };
}

/** Registers a counter. Between two scrapes the count is in a plain number, because `inc` of prom-client is slower. */
function registerCounter(registry: Registry, name: string, help: string) {
  let count = 0;
  const counter = new Counter({
    name: `antechamber_${name}`,
    help,
    registers: [],
    collect() {
      this.reset();
      this.inc(count);
    },
  });
  registry.registerMetric(counter);
  return {
    inc(by: number): void {
      count += by;
    },
    count: () => count,
  };
}

/** The counts of an operation. prom-client would look up labels each time, which takes longer than a retrieval. */
class RecordedOperation {
  readonly statuses = new Float64Array(600);
  readonly buckets = new Float64Array(LATENCY_BUCKETS.length + 1);
  seconds = 0;

  record(status: number, milliseconds: number): void {
    this.statuses[status] = (this.statuses[status] as number) + 1;
    const seconds = milliseconds / 1000;
    this.seconds += seconds;
    let bucket = 0;
    while (seconds > (LATENCY_BUCKETS[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
  }

  counted(): CountedRequests {
    const statuses = [0, 0, 0, 0, 0, 0];
    // Most operations are never requested.
    if (this.buckets.every((count) => count === 0)) return { statuses, buckets: [...this.buckets] };
    for (let status = 0; status < this.statuses.length; status++) {
      const first = Math.floor(status / 100);
      statuses[first] = (statuses[first] as number) + (this.statuses[status] as number);
    }
    return { statuses, buckets: [...this.buckets] };
  }
}

function registerRefusals(registry: Registry, refusals: ReadonlyMap<string, number>): void {
  const counter = new Counter({
    name: "antechamber_refusals_total",
    help: "Requests that were refused, by code.",
    labelNames: ["code"],
    registers: [],
    collect() {
      this.reset();
      for (const [code, count] of refusals) this.inc({ code }, count);
    },
  });
  registry.registerMetric(counter);
}

function registerRequests(registry: Registry, operations: ReadonlyMap<string, RecordedOperation>): void {
  const counter = new Counter({
    name: "antechamber_requests_total",
    help: "Requests with a response, by operation and status.",
    labelNames: ["operation", "status"],
    registers: [],
    collect() {
      this.reset();
      for (const [operation, { statuses }] of operations) {
        for (const [status, count] of statuses.entries()) {
          if (count > 0) this.inc({ operation, status }, count);
        }
      }
    },
  });
  registry.registerMetric(counter);
}

/** Returns the histogram of durations as text. prom-client cannot: it accepts observations, not counts. */
function durationText(operations: ReadonlyMap<string, RecordedOperation>): string {
  const name = "antechamber_request_duration_seconds";
  const help = "Time from the arrival of a request to its response.";
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const [operation, { buckets, seconds }] of operations) {
    let count = 0;
    for (const [i, inBucket] of buckets.entries()) {
      count += inBucket;
      const bound = LATENCY_BUCKETS[i] ?? "+Inf";
      lines.push(`${name}_bucket{le="${bound}",operation="${operation}"} ${count}`);
    }
    lines.push(`${name}_sum{operation="${operation}"} ${seconds}`);
    lines.push(`${name}_count{operation="${operation}"} ${count}`);
  }
  return `\n${lines.join("\n")}\n`;
}

function registerStore(registry: Registry, status: () => StoreStatus): void {
  const gauge = (name: string, help: string, read: (status: StoreStatus) => number | undefined) =>
    registerGauge(registry, name, help, () => read(status()));
  gauge("store_queue_depth", "Changes that wait for the store.", ({ pending }) => pending);
  const unindexedHelp = "Changes whose index entries and events are not written yet; only over Redis.";
  gauge("store_unindexed_changes", unindexedHelp, ({ unindexed }) => unindexed);
  gauge("store_size_bytes", "Size of the store.", ({ bytes }) => bytes);
  const lostHelp = "Shards of a Redis Cluster, of 256, whose data were found to be lost within the last day.";
  gauge("store_lost_shards", lostHelp, ({ lostShards }) => lostShards);
  const repairHelp = "Shards of a Redis Cluster, of 256, whose sessions may lack index entries since a loss.";
  gauge("store_shards_to_repair", repairHelp, ({ shardsToRepair }) => shardsToRepair);
  gauge("store_writable", "1 when the last write succeeded.", ({ writable }) => Number(writable));
}

function registerEvents(registry: Registry, read: () => Promise<EventBounds | null>, readers: () => number): void {
  const bounds = () => read().catch(() => null);
  const ageOf = (time: number | null | undefined) => (time ? Math.max(0, Date.now() - time) / 1000 : undefined);
  const gauge = (name: string, help: string, value: (bounds: EventBounds) => number | undefined) =>
    registerGauge(registry, name, help, async () => {
      const found = await bounds();
      return found === null ? undefined : value(found);
    });
  gauge("event_log_events", "Events in the event log.", ({ events }) => events);
  gauge("event_log_oldest_age_seconds", "Age of the oldest event.", ({ oldestAt }) => ageOf(oldestAt));
  gauge("event_log_newest_age_seconds", "Age of the newest event.", ({ newestAt }) => ageOf(newestAt));
  registerGauge(registry, "event_readers", "Readers of the stream of events.", readers);
}

type MaybePromise<T> = T | Promise<T>;
/** The queue of an endpoint of webhooks. */
interface WebhookQueue {
  readonly endpointId: string;
  readonly pending: number;
  /** Age (ms) of the oldest pending delivery. */
  readonly oldestMs: number;
}

/** Registers gauges with a label for each endpoint; their number is limited (`MAX_ENDPOINTS`). */
function registerWebhooks(registry: Registry, queues: () => readonly WebhookQueue[]): void {
  const gauge = (name: string, help: string, read: (queue: WebhookQueue) => number) =>
    registry.registerMetric(
      new Gauge({
        name: `antechamber_${name}`,
        help,
        labelNames: ["webhook"],
        registers: [],
        collect() {
          this.reset();
          for (const queue of queues()) this.set({ webhook: queue.endpointId }, read(queue));
        },
      }),
    );
  gauge("webhook_pending", "Deliveries that are not finished, by endpoint.", ({ pending }) => pending);
  const oldestHelp = "Age of the oldest delivery that is not finished, by endpoint.";
  gauge("webhook_oldest_pending_seconds", oldestHelp, ({ oldestMs }) => oldestMs / 1000);
}

/** Registers a gauge that is read at each scrape. The gauge is left out if `read` returns `undefined`. */
function registerGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => MaybePromise<number | undefined>,
): void {
  registry.registerMetric(
    new Gauge({
      name: `antechamber_${name}`,
      help,
      registers: [],
      async collect() {
        const value = await read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    }),
  );
}
