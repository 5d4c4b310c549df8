import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoint } from "../../src/session/webhook.ts";
import type { DueDelivery } from "../../src/store/ports/webhooks.ts";
import { EndpointWorker } from "../../src/webhooks/endpoint-worker.ts";
import { START } from "../support/sessions.ts";

const endpoint: Endpoint = {
  id: "wh_1",
  url: "https://example.com/",
  types: null,
  description: null,
  isEnabled: true,
  disabledReason: null,
  createdAt: START,
  updatedAt: START,
  secrets: [{ secret: "whsec_c2VjcmV0", createdAt: START, expiresAt: null }],
  revision: 1,
  epoch: 1,
  startAfter: null,
};

function delivery(i: number): DueDelivery {
  return {
    ...{ id: String(i), eventId: `e${i}`, type: "session.created", handle: null, body: "{}", state: "pending" },
    ...{ attempts: 0, queuedAt: START, dueAt: START, finishedAt: null, lastAttempt: null },
  };
}

test("while no result can be stored, no more is sent than fits in memory", async () => {
  const sent = new Set<string>();
  let repeated = 0;
  const unused = () => undefined;
  const worker = new EndpointWorker(
    {
      store: {
        listDue: async (_id, _dueBy, limit) => Array.from({ length: limit }, (_, i) => delivery(i)),
        storeAttempt: async () => {
          throw new Error("the disk is full");
        },
        failOverdue: async () => 0,
      },
      sender: {
        async send({ headers }) {
          const id = String(headers["webhook-id"]);
          if (sent.has(id)) repeated++;
          sent.add(id);
          // Ends the flood if there is no limit.
          if (sent.size > 1000) return new Promise(() => undefined);
          await sleep(0);
          return { status: 200, retryAfter: undefined };
        },
      },
      clock: () => START,
      wallClock: () => START,
      random: () => 0,
      events: {
        ...{ attempted: unused, paused: unused, resumed: unused },
        ...{ disabled: unused, missed: unused, overdue: unused },
      },
      disable: async () => undefined,
      mayDeliver: () => true,
    },
    endpoint,
  );
  for (let i = 0; i < 100; i++) {
    await worker.pump();
    await sleep(1);
  }
  worker.abort();
  assert.ok(sent.size <= 64, `${sent.size} deliveries`);
  assert.equal(repeated, 0);
});
