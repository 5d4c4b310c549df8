// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventInfo } from "../../src/wire/event-info.ts";
import { ids, MINUTE, START } from "../support/sessions.ts";

const stamp = { id: "1", timestamp: START } as const;
const session = {
  ...ids({ customerId: "c" }),
  handle: "AZqvAAAAAAAAAAAAAAAAAAAA",
  ...{ createdAt: START - MINUTE, lastActiveAt: START, expiresAt: START + MINUTE, label: null },
};

test("an event as readers get it", () => {
  const { handle } = session;
  const shown = {
    handle,
    state: "recognized",
    ...ids({ customerId: "c" }),
    createdAt: "2026-11-23T09:59:00.000Z",
    lastActiveAt: "2026-11-23T10:00:00.000Z",
    expiresAt: "2026-11-23T10:01:00.000Z",
    label: null,
  };
  const head = { id: "1", timestamp: "2026-11-23T10:00:00.000Z" };
  assert.deepEqual(eventInfo({ ...stamp, type: "session.created", session }), {
    ...{ ...head, type: "session.created" },
    data: { session: shown },
  });
  assert.deepEqual(eventInfo({ ...stamp, type: "session.associated", session, added: ["customerId"] }).data, {
    session: shown,
    added: ["customerId"],
  });
  assert.deepEqual(eventInfo({ ...stamp, type: "session.ended", session, reason: "bulk" }).data, {
    session: shown,
    reason: "bulk",
  });
});

test("events without a session", () => {
  const { data } = eventInfo({ ...stamp, type: "customer.erased", customerHash: "hash" });
  assert.deepEqual(data, { customerHash: "hash" });
  assert.deepEqual(eventInfo({ ...stamp, type: "webhook.test" }).data, {});
});
