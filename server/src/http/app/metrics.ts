import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { StoreStatus } from "../../store/ports/lifecycle.ts";

/** Counts of one operation. Recording is a few additions: it happens on every request. */
export interface OperationMetrics {
  record(status: number, milliseconds: number): void;
}

/** What `/metrics` tells (Prometheus text format). */
export interface Metrics {
  operation(name: string): OperationMetrics;
  readonly sessionsCreated: { inc(by: number): void };
  readonly sessionsAssociated: { inc(by: number): void };
  readonly sessionsEnded: { inc(by: number): void };
  readonly sessionsExpired: { inc(by: number): void };
  readonly recordsAccepted: { inc(by: number): void };
  /** Accepted and never stored, or not accepted while they were forwarded. */
  readonly recordsLost: { inc(by: number): void };
  refused(code: string): void;
  /** A request could not be read, and was refused with `status`. */
  unreadable(status: number): void;
  committed(changes: number, milliseconds: number): void;
  storeFailed(): void;
  /** Asks `status` how the store is whenever somebody looks. Call it once. */
  watch(status: () => StoreStatus): void;
  /** Asks how many connections there are whenever somebody looks. Call it once. */
  watchConnections(count: () => number): void;
  /** The page, and its content type. */
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Upper bounds of the latency histogram's buckets, in seconds. */
const LATENCY_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Metrics of one server. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const operations = new Map<string, RecordedOperation>();
  registerOperations(registry, operations);
  const refusals = new Counter({
    name: "antechamber_refusals_total",
    help: "Requests that were refused, by code.",
    labelNames: ["code"],
    registers: [registry],
  });
  const unreadable = new Counter({
    name: "antechamber_unreadable_requests_total",
    help: "Requests that were no valid HTTP, or not there in time, by the status of the refusal.",
    labelNames: ["status"],
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
    help: "From handing a group to the store to its being stored.",
    buckets: LATENCY_BUCKETS,
    registers: [registry],
  });
  const counter = (name: string, help: string) => registerCounter(registry, name, help);
  const failures = counter("store_failures_total", "Writes that the store could not carry out.");

  return {
    operation(name) {
      let operation = operations.get(name);
      if (operation === undefined) {
        operation = new RecordedOperation();
        operations.set(name, operation);
      }
      return operation;
    },
    sessionsCreated: counter("sessions_created_total", "Sessions created, stored or not."),
    sessionsAssociated: counter(
      "sessions_associated_total",
      "Associations that were answered 200.",
    ),
    sessionsEnded: counter("sessions_ended_total", "Sessions that were ended before their time."),
    sessionsExpired: counter("sessions_expired_total", "Sessions that were found expired."),
    recordsAccepted: counter("records_accepted_total", "Requests recorded in sessions."),
    recordsLost: counter("records_lost_total", "Requests that could not be recorded."),
    refused: (code) => refusals.inc({ code }),
    unreadable: (status) => unreadable.inc({ status }),
    committed(changes, milliseconds) {
      groups.observe(changes);
      commits.observe(milliseconds / 1000);
    },
    storeFailed: () => failures.inc(1),
    watch: (status) => registerStore(registry, status),
    watchConnections(count) {
      registerGauge(registry, "connections", "Connections that clients have open.", count);
    },
    async page() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** A counter that is nothing but a number until somebody looks. */
function registerCounter(
  registry: Registry,
  name: string,
  help: string,
): { inc(by: number): void } {
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
    inc(by) {
      count += by;
    },
  };
}

/** prom-client looks its labels up on each observation, which costs more than a cached retrieval. */
class RecordedOperation implements OperationMetrics {
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
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

function registerOperations(
  registry: Registry,
  operations: ReadonlyMap<string, RecordedOperation>,
): void {
  const requests = "antechamber_requests_total";
  const duration = "antechamber_request_duration_seconds";
  const all = <T>(samples: (operation: string, recorded: RecordedOperation) => T[]) =>
    [...operations].flatMap(([operation, recorded]) => samples(operation, recorded));
  register(registry, requests, "Requests answered, by operation and status.", "counter", () =>
    all((operation, { statuses }) =>
      [...statuses.entries()]
        .filter(([, value]) => value > 0)
        .map(([status, value]) => ({ value, labels: { operation, status } })),
    ),
  );
  register(registry, duration, "From a request's arrival to its answer.", "histogram", () =>
    all((operation, recorded) => histogramSamples(duration, operation, recorded)),
  );
}

function histogramSamples(name: string, operation: string, recorded: RecordedOperation): Sample[] {
  let count = 0;
  const samples: Sample[] = [];
  for (const [i, inBucket] of recorded.buckets.entries()) {
    count += inBucket;
    const le = LATENCY_BUCKETS[i] ?? "+Inf";
    samples.push({ value: count, labels: { le, operation }, metricName: `${name}_bucket` });
  }
  samples.push({ value: recorded.seconds, labels: { operation }, metricName: `${name}_sum` });
  samples.push({ value: count, labels: { operation }, metricName: `${name}_count` });
  return samples;
}

/** Adds a metric whose samples are made when somebody looks; prom-client asks no more of a metric. */
function register(
  registry: Registry,
  name: string,
  help: string,
  type: "counter" | "histogram",
  samples: () => Sample[],
): void {
  const metric = {
    name,
    help,
    type,
    aggregator: "sum",
    get: async () => ({ name, help, type, aggregator: "sum", values: samples() }),
    reset: () => {},
  };
  registry.registerMetric(metric as unknown as Counter);
}

function registerStore(registry: Registry, status: () => StoreStatus): void {
  const gauge = (name: string, help: string, read: (status: StoreStatus) => number | undefined) =>
    registerGauge(registry, name, help, () => read(status()));
  gauge("store_queue_depth", "Changes that wait for the store.", ({ pending }) => pending);
  gauge("store_size_bytes", "What the store takes up.", ({ bytes }) => bytes);
  gauge("store_writable", "1 when the last write succeeded.", ({ writable }) => Number(writable));
}

/** A gauge that is read at every scrape; `undefined` if the value is unknown, and the gauge is left out. */
function registerGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | undefined,
): void {
  registry.registerMetric(
    new Gauge({
      name: `antechamber_${name}`,
      help,
      registers: [],
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    }),
  );
}
