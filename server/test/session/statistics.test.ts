// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addHistogram,
  DURATION_BUCKETS,
  durationBounds,
  durationBucket,
  histogramOf,
  quantileOf,
} from "../../src/session/histogram.ts";
import { MAX_SERVICES, ServiceNames, StatisticsSum, statusClass } from "../../src/session/statistics.ts";
import { rangeOf } from "../../src/session/statistics-range.ts";

const NOON = Date.parse("2026-11-30T12:00:30Z");
const MINUTE = 60_000;

test("percentiles of durations are within 20 % of the exact ones, however the durations are spread", () => {
  const spreads = [(u: number) => 5 + 90 * u, (u: number) => 0.2 * 10 ** (5 * u), (u: number) => -30 * Math.log(1 - u)];
  for (const durationOf of spreads) {
    const durations = Array.from({ length: 5000 }, (_, i) => durationOf((i + 0.5) / 5000));
    const counts = new Float64Array(DURATION_BUCKETS);
    for (const ms of durations) counts[durationBucket(ms)] = (counts[durationBucket(ms)] ?? 0) + 1;
    for (const quantile of [0.5, 0.95, 0.99]) {
      const exact = durations[Math.floor(quantile * 5000)] as number;
      const found = quantileOf(counts, durationBounds, quantile) as number;
      assert.ok(Math.abs(found / exact - 1) < 0.2, `${quantile}: ${found} instead of ${exact}`);
    }
  }
});

test("a duration is in the bucket whose bounds contain it, also 0, NaN or a huge one", () => {
  for (let i = 1; i < durationBounds.length; i++) {
    const [from, to] = [durationBounds[i - 1] as number, durationBounds[i] as number];
    assert.equal(durationBucket((from + to) / 2), i);
  }
  assert.equal(durationBucket(0), 0);
  assert.equal(durationBucket(Number.NaN), 0);
  assert.equal(durationBucket(1e12), durationBounds.length);
  assert.equal(quantileOf([...durationBounds.map(() => 0), 3], durationBounds, 0.5), durationBounds.at(-1));
  assert.equal(quantileOf([], durationBounds, 0.5), null);
});

test("a histogram in compact form adds up to the observations that it was made of", () => {
  const counts = Float64Array.from({ length: DURATION_BUCKETS }, (_, i) => (i === 3 || i === 7 || i === 57 ? i : 0));
  const sums = new Float64Array(DURATION_BUCKETS);
  for (let i = 0; i < 2; i++) addHistogram(sums, histogramOf(counts));
  assert.deepEqual(
    sums,
    counts.map((count) => 2 * count),
  );
  assert.deepEqual(histogramOf([0, 0, 5, 0, 2, 0]), [2, 5, 0, 2]);
  assert.deepEqual([histogramOf([0, 0]), histogramOf([])], [[], []]);
});

test("services beyond the first 50 add up as other, and any name can be counted", () => {
  const sum = new StatisticsSum();
  const empty = sum.toStatistics();
  const services = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, { records: 1, durations: [7, 1] }]));
  sum.add({ ...empty, services: services(["__proto__", "constructor"]) });
  sum.add({ ...empty, services: services(Array.from({ length: MAX_SERVICES + 10 }, (_, i) => `s${i}`)) });
  const { services: sums } = JSON.parse(JSON.stringify(sum.toStatistics())) as typeof empty;
  assert.equal(Object.keys(sums).length, MAX_SERVICES + 1);
  assert.deepEqual(sums["other"], { records: 12, durations: [7, 12] });
  assert.deepEqual(Object.getOwnPropertyDescriptor(sums, "__proto__")?.value, { records: 1, durations: [7, 1] });
});

test("a long name is cut at a whole character, and a missing one is none", () => {
  const nameOf = (service: string | null) => new ServiceNames([]).nameOf(service, false);
  assert.equal(nameOf("é".repeat(300)), "é".repeat(128));
  assert.ok(nameOf(`${"x".repeat(127)}\u{1F600}`).isWellFormed());
  assert.deepEqual([nameOf(null), nameOf("")], ["none", "none"]);
  assert.deepEqual([statusClass(null), statusClass(204), statusClass(503)], ["none", "2xx", "5xx"]);
});

test("visitors cannot add names of services, and count under those that servers have used", () => {
  const names = new ServiceNames([]);
  assert.equal(names.nameOf("shop", true), "other");
  assert.equal(names.nameOf("shop", false), "shop");
  assert.equal(names.nameOf("shop", true), "shop");
  assert.deepEqual([names.nameOf(null, true), names.nameOf("", true)], ["none", "none"]);
  for (let i = 0; i < 2 * MAX_SERVICES; i++) assert.equal(names.nameOf(`server ${i}`, false), `server ${i}`);
  assert.equal(names.nameOf("server 3", true), "server 3");
  assert.equal(names.nameOf(`server ${2 * MAX_SERVICES - 1}`, true), "other", "the memory for names is limited");
});

test("a range has whole steps, an hour by minute by default, and longer steps if it is long", () => {
  const minutes = (range: ReturnType<typeof rangeOf>) => {
    assert.ok("since" in range, JSON.stringify(range));
    return [(NOON - range.since) / MINUTE, (range.until - NOON) / MINUTE, range.stepMinutes];
  };
  assert.deepEqual(minutes(rangeOf({}, NOON)), [60.5, 0.5, 1]);
  assert.deepEqual(minutes(rangeOf({ step: 900 }, NOON)), [60.5, 14.5, 15]);
  assert.deepEqual(minutes(rangeOf({ since: NOON - 14 * 24 * 60 * MINUTE }, NOON))[2], 15);
  assert.deepEqual(minutes(rangeOf({ until: NOON - 60 * MINUTE }, NOON)), [120.5, -59.5, 1]);
});

test("an invalid range is refused with the name of the parameter", () => {
  const day = 24 * 60 * MINUTE;
  const faults = (request: Parameters<typeof rangeOf>[0]) => {
    const range = rangeOf(request, NOON);
    return "since" in range ? [] : range.map(({ name }) => name);
  };
  for (const step of [0, 59, 61, 90.5, -60, Number.NaN, 1e9])
    assert.deepEqual(faults({ step }), ["step"], String(step));
  assert.deepEqual(faults({ since: NOON + MINUTE }), ["since"]);
  assert.deepEqual(faults({ since: NOON - 5, until: NOON - 10 }), ["since"]);
  assert.deepEqual(faults({ until: 5 }), ["since"]);
  assert.deepEqual(faults({ since: NOON - 15 * day }), ["since"]);
  assert.deepEqual(faults({ since: NOON - 2 * day, step: 60 }), ["step"]);
  assert.deepEqual(faults({ since: NOON - day, step: 60 }), []);
});
