import type { WebhookDelivery, WebhookInfo } from "@antechamber/client/protocol";
import type { EndpointView } from "../services/webhook-admin.ts";
import type { Delivery } from "../session/webhook.ts";

/** Formats an endpoint, without the values of its secrets. */
export function webhookInfo(view: EndpointView): WebhookInfo {
  const { id, url, types, description, isEnabled, disabledReason, createdAt, updatedAt, secrets } = view;
  return {
    ...{ id, url, types, description, isEnabled, disabledReason },
    createdAt: timeOf(createdAt),
    updatedAt: timeOf(updatedAt),
    secrets: secrets.map((secret) => ({
      createdAt: timeOf(secret.createdAt),
      expiresAt: timeOrNull(secret.expiresAt),
    })),
    pending: view.pending,
    oldestPendingAt: timeOrNull(view.oldestQueuedAt),
  };
}

export function deliveryInfo(delivery: Delivery): WebhookDelivery {
  const { id, eventId, type, handle, state, attempts, queuedAt, dueAt, finishedAt, lastAttempt } = delivery;
  return {
    ...{ id, eventId, type, handle, state, attempts },
    queuedAt: timeOf(queuedAt),
    // A delivery that is due before all others has the time 0.
    nextAttemptAt: timeOrNull(dueAt === null ? null : Math.max(dueAt, queuedAt)),
    finishedAt: timeOrNull(finishedAt),
    lastAttempt: lastAttempt && { ...lastAttempt, at: timeOf(lastAttempt.at) },
  };
}

function timeOf(time: number): string {
  return new Date(time).toISOString();
}

function timeOrNull(time: number | null): string | null {
  return time === null ? null : timeOf(time);
}
