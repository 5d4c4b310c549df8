// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoint } from "../../src/session/webhook.ts";
import type { DueDelivery } from "../../src/store/ports/webhooks.ts";
import { EndpointWorker, type WorkerParts } from "../../src/webhooks/endpoint-worker.ts";
import type { SendResult } from "../../src/webhooks/sender.ts";
import { until } from "../support/eventually.ts";
import { MINUTE, START } from "../support/sessions.ts";
import { sampleEndpoint } from "./sample-endpoint.ts";

function delivery(i: number, more: Partial<DueDelivery> = {}): DueDelivery {
  return {
    ...{ id: String(i), eventId: `e${i}`, type: "session.created", handle: null, body: "{}", state: "pending" },
    ...{ attempts: 0, queuedAt: START, dueAt: START, finishedAt: null, lastAttempt: null },
    ...more,
  };
}

/** Creates a worker whose queue is `due`, in order, and whose receiver is `send`. */
function createWorker(
  due: DueDelivery[],
  send: (eventId: string) => Promise<SendResult>,
  more: Partial<WorkerParts> = {},
) {
  const unused = () => undefined;
  const endpoint = sampleEndpoint("wh_1");
  const parts: WorkerParts = {
    store: {
      listDue: async (_id, dueBy, limit) => due.filter(({ dueAt }) => (dueAt ?? 0) <= dueBy).slice(0, limit),
      async storeAttempt({ deliveryId }) {
        const index = due.findIndex(({ id }) => id === deliveryId);
        if (index !== -1) due.splice(index, 1);
      },
      failOverdue: async () => 0,
    },
    sender: { send: ({ headers }) => send(String(headers["webhook-id"])) },
    clock: () => START,
    wallClock: () => START,
    random: () => 0,
    events: {
      ...{ attempted: unused, paused: unused, resumed: unused },
      ...{ disabled: unused, missed: unused, overdue: unused },
    },
    disable: async () => undefined,
    storePause: async () => undefined,
    mayDeliver: () => true,
    ...more,
  };
  return { worker: new EndpointWorker(parts, endpoint), parts, endpoint };
}

test("while no result can be stored, no more is sent than fits in memory", async () => {
  const sent = new Set<string>();
  let repeated = 0;
  const send = async (id: string): Promise<SendResult> => {
    if (sent.has(id)) repeated++;
    sent.add(id);
    // Ends the flood if there is no limit.
    if (sent.size > 1000) return new Promise(() => undefined);
    await sleep(0);
    return { status: 200, retryAfter: undefined };
  };
  const { worker } = createWorker([], send, {
    store: {
      listDue: async (_id, _dueBy, limit) => Array.from({ length: limit }, (_, i) => delivery(i)),
      storeAttempt: async () => {
        throw new Error("the disk is full");
      },
      failOverdue: async () => 0,
    },
  });
  for (let i = 0; i < 100; i++) {
    await worker.pump();
    await sleep(1);
  }
  worker.abort();
  assert.ok(sent.size <= 64, `${sent.size} deliveries`);
  assert.equal(repeated, 0);
});

test("an erasure overtakes no request that is under way, and what follows does not overtake it", async () => {
  const sent: string[] = [];
  const waiting = new Map<string, () => void>();
  const send = async (id: string): Promise<SendResult> => {
    sent.push(id);
    await new Promise<void>((resolve) => waiting.set(id, resolve));
    return { status: 204, retryAfter: undefined };
  };
  const due = [delivery(1, { handle: "a" }), delivery(2, { type: "customer.erased" }), delivery(3, { handle: "b" })];
  const { worker } = createWorker(due, send);
  await worker.pump();
  await worker.pump();
  assert.deepEqual(sent, ["e1"]);
  waiting.get("e1")?.();
  await until("the rest is sent", () => sent.length === 3);
  assert.deepEqual(sent, ["e1", "e2", "e3"]);
  for (const finish of waiting.values()) finish();
  worker.abort();
});

test("a pause that a receiver asks for is stored, and holds after a restart until its end", async () => {
  const stored: (number | undefined)[] = [];
  const storePause: WorkerParts["storePause"] = async (_endpoint, end) => {
    stored.push(end);
  };
  const busy = async (): Promise<SendResult> => ({ status: 429, retryAfter: "3600" });
  const first = createWorker([delivery(1)], busy, { storePause });
  await first.worker.pump();
  await until("the pause is stored", () => stored.length > 0);
  const pausedUntil = START + 60 * MINUTE;
  assert.deepEqual(stored, [pausedUntil]);

  let now = START + 59 * MINUTE;
  let sent = 0;
  const send = async (): Promise<SendResult> => {
    sent++;
    return { status: 204, retryAfter: undefined };
  };
  const { parts } = createWorker([delivery(2)], send, { storePause, clock: () => now });
  const paused: Endpoint = sampleEndpoint("wh_1", { pausedUntil });
  const second = new EndpointWorker(parts, paused);
  await second.pump();
  assert.equal(sent, 0);
  now = pausedUntil;
  await second.pump();
  await until("the next delivery is sent", () => sent === 1);
  await until("the pause is removed", () => stored.length === 2);
  assert.equal(stored[1], undefined);
});
