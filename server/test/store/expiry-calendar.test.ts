// runs: once

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
    while (calendar.isDue(now)) {
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
  assert.deepEqual(
    [...calendar.due(START + MINUTE)].map(({ sessions }) => sessions),
    [1],
  );
});
