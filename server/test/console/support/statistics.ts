import { DURATION_BUCKETS, durationBucket, type Histogram, histogramOf } from "../../../src/session/histogram.ts";
import { MINUTE_MS, type MinuteStatistics, type StatisticsRow } from "../../../src/session/statistics.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite-store.ts";
import { DAY, lifetimes } from "../../support/sessions.ts";
import { unheard } from "../../support/store-events.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../support/temporary-directory.ts";

/** The services of a shop: how much they do, and the middle of their durations in ms. */
const services = {
  shop: [220, 38],
  search: [140, 120],
  checkout: [22, 240],
  account: [35, 18],
  images: [300, 4],
} as const;
/** Operations of the API: how often they are called, and the bucket of most latencies. */
const operations = {
  retrieve: [520, 1],
  "forward-auth": [700, 0],
  record: [90, 2],
  create: [24, 4],
  associate: [9, 4],
} as const;

/** Returns a histogram with these numbers of observations in these buckets. */
function histogram(counts: readonly (readonly [bucket: number, count: number])[]): Histogram {
  const all = new Float64Array(DURATION_BUCKETS);
  for (const [bucket, count] of counts) all[bucket] = (all[bucket] ?? 0) + Math.ceil(count);
  return histogramOf(all);
}

/** Returns a wave over the day with some noise, around 1. The same minute always has the same value. */
function waveAt(minute: number, seed: number): number {
  const ofDay = (minute % 1440) / 1440;
  const noise = Math.sin(minute * (seed + 1) * 12.9898) * 43_758.5453;
  return 0.62 + 0.38 * Math.sin((ofDay - 0.3) * 2 * Math.PI) + 0.12 * (noise - Math.floor(noise));
}

/** Returns the statistics of a minute, or those of `factor` minutes in one. */
function statisticsOf(
  minute: number,
  isIncident: boolean,
  factor: number,
  further: readonly string[],
): MinuteStatistics {
  const scaled = (count: number, seed: number) => Math.round(count * factor * waveAt(minute, seed));
  const spread = (count: number, ms: number) =>
    histogram([0.6, 1, 1.6, 4].map((part, i) => [durationBucket(ms * part), count * ([0.3, 0.45, 0.2, 0.05][i] ?? 0)]));
  const slow = isIncident ? 6 : 1;
  const ofServices = Object.entries(services).map(([name, [count, ms]], i) => {
    const records = scaled(count, i);
    return [name, { records, durations: spread(records, name === "checkout" ? ms * slow : ms) }] as const;
  });
  const ofFurther = further.map((name) => [name, { records: 1, durations: spread(1, 10) }] as const);
  const records = ofServices.reduce((sum, [, service]) => sum + service.records, 0);
  const failed = isIncident ? Math.round(records * 0.06) : Math.round(records * 0.002);
  return {
    ...{ created: scaled(24, 7), associated: scaled(9, 8), ended: scaled(3, 9), expired: scaled(21, 10) },
    live: { at: (minute + 1) * MINUTE_MS - 1, sessions: Math.round(1400 * waveAt(minute, 0)) },
    recordStatuses: {
      "2xx": records - failed - Math.round(records * 0.11),
      ...{ "3xx": Math.round(records * 0.08), "4xx": Math.round(records * 0.03), "5xx": failed },
    },
    services: Object.fromEntries([...ofServices, ...ofFurther]),
    operations: Object.fromEntries(
      Object.entries(operations).map(([name, [count, bucket]], i) => {
        const requests = scaled(count, i + 20);
        return [
          name,
          {
            statuses: { "2xx": requests, ...(isIncident && name === "create" && { "5xx": 3 }) },
            durations: histogram([
              [bucket, requests * 0.9],
              [bucket + 3, requests * 0.1],
            ]),
          },
        ];
      }),
    ),
    refusals: {
      "invalid-request": scaled(2, 30),
      "session-not-found": scaled(5, 31),
      ...(isIncident && { unavailable: 3 }),
    },
  };
}

/**
 * Returns a data folder with the statistics of a shop for the last 14 days, each tenth minute, and for the last hours
 * each minute. Half an hour ago its checkout was slow. `further` are the names of services with a record a minute.
 */
export async function shopStatistics(now: number, further: readonly string[] = []): Promise<TemporaryDirectory> {
  const directory = temporaryDirectory();
  const store = openSqliteStore({
    ...{ dataDir: directory.path, lifetimes, events: unheard, now, maxRecords: 10, retention: 14 * DAY },
    ...{ eventRetention: DAY, maxPending: 100, timeout: 30_000, cacheSessions: 10 },
  });
  const last = Math.floor(now / MINUTE_MS);
  const isSampled = (minute: number) => minute < last - 400;
  const rows: StatisticsRow[] = [];
  // The next minutes too, in which the tests run.
  for (let minute = last - 14 * 1440; minute < last + 10; minute += isSampled(minute) ? 10 : 1) {
    const isIncident = minute >= last - 34 && minute < last - 27;
    const factor = isSampled(minute) ? 10 : 1;
    rows.push({ minute, source: "shop", counts: JSON.stringify(statisticsOf(minute, isIncident, factor, further)) });
  }
  await store.storeStatistics({ rows, keepFrom: 0, now });
  await store.close();
  return directory;
}
