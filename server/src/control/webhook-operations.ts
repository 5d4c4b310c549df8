import type { WebhookDelivery, WebhookInfo } from "@antechamber/client/protocol";
import { z } from "zod";
import type { Outcome } from "../services/webhook-admin.ts";
import { eventTypes, loggedTypes } from "../session/event.ts";
import { attemptErrors, deliveryStates } from "../session/webhook.ts";
import { deliveryInfo, webhookInfo } from "../wire/webhook-info.ts";
import { define } from "./define.ts";

/*
 * The operations of webhooks. Their results have the form in which the API shows endpoints and deliveries.
 */

const text = z.string();
const number = z.number();
const webhook = z.object({
  id: text,
  url: text,
  types: z.array(z.enum(loggedTypes)).readonly().nullable(),
  description: text.nullable(),
  isEnabled: z.boolean(),
  disabledReason: z.literal("gone").nullable(),
  createdAt: text,
  updatedAt: text,
  secrets: z.array(z.object({ createdAt: text, expiresAt: text.nullable() })).readonly(),
  pending: number,
  oldestPendingAt: text.nullable(),
}) satisfies z.ZodType<WebhookInfo>;

const delivery = z.object({
  id: text,
  eventId: text,
  type: z.enum(eventTypes),
  handle: text.nullable(),
  state: z.enum(deliveryStates),
  attempts: number,
  queuedAt: text,
  nextAttemptAt: text.nullable(),
  finishedAt: text.nullable(),
  lastAttempt: z
    .object({
      at: text,
      durationMs: number,
      status: number.nullable(),
      error: z.enum(attemptErrors).nullable(),
    })
    .nullable(),
}) satisfies z.ZodType<WebhookDelivery>;

const request = {
  url: text,
  types: z.array(text).readonly().nullable(),
  description: text.nullable(),
  isEnabled: z.boolean(),
};

const noEffect = [
  z.object({ outcome: z.literal("invalid"), faults: z.array(z.object({ name: text, detail: text })).readonly() }),
  z.object({ outcome: z.literal("not-found") }),
] as const;
const done = z.literal("done");
const changed = z.discriminatedUnion("outcome", [z.object({ outcome: done, webhook }), ...noEffect]);
const withSecret = z.discriminatedUnion("outcome", [z.object({ outcome: done, webhook, secret: text }), ...noEffect]);
const queued = z.discriminatedUnion("outcome", [z.object({ outcome: done, delivery }), ...noEffect]);
const page = z.object({ deliveries: z.array(delivery).readonly(), next: text.nullable() });

export const webhookOperations = {
  listWebhooks: define(z.null(), z.array(webhook).readonly(), async (use) =>
    (await use.webhooks.list()).map(webhookInfo),
  ),
  getWebhook: define(text, webhook.optional(), async (use, _by, id) => {
    const view = await use.webhooks.get(id);
    return view && webhookInfo(view);
  }),
  createWebhook: define(z.object(request), withSecret, async (use, by, members) =>
    shown(await use.webhooks.create(by, members), ({ view, secret }) => ({ webhook: webhookInfo(view), secret })),
  ),
  updateWebhook: define(
    z.object({
      id: text,
      url: request.url.exactOptional(),
      types: request.types.exactOptional(),
      description: request.description.exactOptional(),
      isEnabled: request.isEnabled.exactOptional(),
    }),
    changed,
    async (use, by, { id, ...members }) =>
      shown(await use.webhooks.update(by, id, members), ({ view }) => ({ webhook: webhookInfo(view) })),
  ),
  removeWebhook: define(text, z.boolean(), (use, by, id) => use.webhooks.remove(by, id)),
  rotateWebhookSecret: define(z.object({ id: text, graceMs: number }), withSecret, async (use, by, { id, graceMs }) =>
    shown(await use.webhooks.rotateSecret(by, id, graceMs), ({ view, secret }) => ({
      webhook: webhookInfo(view),
      secret,
    })),
  ),
  testWebhook: define(text, queued, async (use, by, id) =>
    shown(await use.webhooks.test(by, id), (made) => ({ delivery: deliveryInfo(made.delivery) })),
  ),
  listDeliveries: define(
    z.object({ id: text, state: z.enum(deliveryStates).nullable(), before: text.nullable(), limit: number }),
    page.optional(),
    async (use, _by, { id, ...bounds }) => {
      const found = await use.webhooks.listDeliveries({ endpointId: id, ...bounds });
      return found && { deliveries: found.deliveries.map(deliveryInfo), next: found.next };
    },
  ),
  redeliver: define(z.object({ id: text, deliveryId: text }), queued, async (use, by, { id, deliveryId }) =>
    shown(await use.webhooks.redeliver(by, id, deliveryId), (made) => ({ delivery: deliveryInfo(made.delivery) })),
  ),
};

/** Converts the result of an operation that had an effect. */
function shown<Done, Shown>(outcome: Outcome<Done>, show: (made: Done) => Shown) {
  return outcome.outcome === "done" ? { outcome: "done" as const, ...show(outcome) } : outcome;
}
