import assert from "node:assert/strict";
import { test } from "node:test";
import { ExpiryCalendar } from "../../src/store/sqlite/events/expiry-calendar.ts";
import { DAY, MINUTE, START } from "../support/sessions.ts";

test("the calendar returns every session soon after its expiry, in slices, whatever the order", () => {
  const calendar = new ExpiryCalendar();
  const expiry = (key: number) => START + ((key * 7919) % 1000) * MINUTE;
  for (let key = 0; key < 1000; key++) calendar.add(key, expiry(key));
  const found: number[] = [];
  for (let now = START; now < START + DAY; now += MINUTE) {
    while (calendar.due(now) > 0) {
      const keys = calendar.take(now, 3);
      assert.ok(keys.length > 0 && keys.length <= 3);
      for (const key of keys) assert.ok(now >= expiry(key) && now < expiry(key) + 2 * MINUTE);
      calendar.commit();
      found.push(...keys);
    }
  }
  assert.deepEqual(
    found.toSorted((a, b) => a - b),
    Array.from({ length: 1000 }, (_, key) => key),
  );
});

test("a slice that is rolled back is repeated", () => {
  const calendar = new ExpiryCalendar();
  for (const key of [1, 2, 3]) calendar.add(key, START);
  const first = calendar.take(START + MINUTE, 2);
  calendar.rollback();
  assert.deepEqual(calendar.take(START + MINUTE, 2), first);
  calendar.commit();
  assert.equal(calendar.due(START + MINUTE), 1);
});

test("the pace suffices for every slot in time, and is no faster than necessary", () => {
  const calendar = new ExpiryCalendar();
  const within = 30_000;
  const add = (count: number, at: number) => {
    for (let key = 0; key < count; key++) calendar.add(key, at);
  };
  add(300, START);
  add(6000, START + 10_000);
  assert.equal(calendar.pace(START - 1, within), 0, "none are due");
  assert.equal(calendar.pace(START, within), 300 / 30_000);
  assert.equal(
    calendar.pace(START + 10_000, within),
    6300 / 30_000,
    "a small slot does not delay the large one after it",
  );
  assert.equal(calendar.pace(START + 30_000, within), Number.POSITIVE_INFINITY, "some are overdue");
  let taken = 0;
  for (let now = START; calendar.due(now) > 0 || now <= START + 10_000; now += 20) {
    const count = Math.ceil(calendar.pace(now, within) * 20);
    assert.ok(count <= 7, `${count} at once`);
    taken += calendar.take(now, count).length;
    calendar.commit();
    assert.ok(now <= START + 10_000 + within);
  }
  assert.equal(taken, 6300);
});
