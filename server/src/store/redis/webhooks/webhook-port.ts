import type { WebhookStore } from "../../ports/webhooks.ts";
import type { Engine } from "../engine.ts";
import * as deliveries from "./deliveries.ts";
import * as endpoints from "./endpoints.ts";

/** Creates the port of webhooks. */
export function webhookPort(engine: Engine): WebhookStore {
  return {
    listEndpoints: () => endpoints.listEndpoints(engine.begin()),
    addEndpoint: (endpoint) =>
      engine.change(endpoint.createdAt, (operation) => endpoints.storeEndpoint(operation, endpoint, "add")),
    replaceEndpoint: (endpoint) =>
      engine.change(endpoint.updatedAt, (operation) => endpoints.storeEndpoint(operation, endpoint, "replace")),
    removeEndpoint: (id, now) => engine.change(now, (operation) => endpoints.removeEndpoint(operation, id)),
    readQueue: (endpointId) => deliveries.readQueue(engine.begin(), endpointId),
    queueDeliveries: (request) =>
      engine.change(request.now, (operation) => deliveries.queueDeliveries(operation, request)),
    listDue: (endpointId, dueBy, limit) => deliveries.listDue(engine.begin(), endpointId, dueBy, limit),
    storeAttempt: (result) => engine.change(result.now, (operation) => deliveries.storeAttempt(operation, result)),
    failOverdue: (endpointId, queuedBefore, limit, now) =>
      engine.change(now, (operation) => deliveries.failOverdue(operation, endpointId, queuedBefore, limit)),
    redeliver: (endpointId, deliveryId, now) =>
      engine.change(now, (operation) => deliveries.redeliver(operation, endpointId, deliveryId)),
    listDeliveries: (request) => deliveries.listDeliveries(engine.begin(), request),
    purgeDeliveries: (now) => engine.change(now, (operation) => deliveries.purgeDeliveries(operation)),
    holdLease: (holder, durationMs) => endpoints.holdLease(engine.begin(), holder, durationMs),
    releaseLease: (holder) => endpoints.releaseLease(engine.begin(), holder),
  };
}
