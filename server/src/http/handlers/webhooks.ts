import type {
  WebhookDelivery,
  WebhookDeliveryList,
  WebhookInfo,
  WebhookList,
  WebhookWithSecret,
} from "@antechamber/client/protocol";
import type { Outcome, WebhookAdmin } from "../../services/webhook-admin.ts";
import { Refusal } from "../../session/errors.ts";
import { deliveryInfo, webhookInfo } from "../../wire/webhook-info.ts";
import { type ApiResponse, json } from "../api-response.ts";
import type { Call } from "../call.ts";
import { deliveryQueryOf, readGraceMs, readWebhookBody } from "../parse/webhook-body.ts";
import { type InitiatorOf, noContent } from "./administration.ts";

/** The time (ms) for which an old secret stays in use if the request does not say. */
const DEFAULT_GRACE_MS = 24 * 60 * 60 * 1000;

/** Creates the handlers of webhooks (contract.md#webhooks). The service writes the audit trail before it returns. */
export function createWebhookHandlers(webhooks: WebhookAdmin, initiatorOf: InitiatorOf) {
  const idOf = ({ parameters: { webhookId = "" } }: Call) => webhookId;
  const by = ({ principal, request }: Call) => initiatorOf(principal, request);

  return {
    async list() {
      return json({ webhooks: (await webhooks.list()).map(webhookInfo) } satisfies WebhookList);
    },

    async create(call: Call): Promise<ApiResponse> {
      const {
        url = "",
        types = null,
        description = null,
        isEnabled = true,
      } = await readWebhookBody(call.request, true);
      const { view, secret } = done(await webhooks.create(by(call), { url, types, description, isEnabled }));
      const response = json({ ...webhookInfo(view), secret } satisfies WebhookWithSecret);
      return { ...response, status: 201, headers: { ...response.headers, location: `/webhooks/${view.id}` } };
    },

    async get(call: Call) {
      const view = await webhooks.get(idOf(call));
      if (view === undefined) throw unknownWebhook();
      return json(webhookInfo(view) satisfies WebhookInfo);
    },

    async update(call: Call) {
      const change = await readWebhookBody(call.request, false);
      const { view } = done(await webhooks.update(by(call), idOf(call), change));
      return json(webhookInfo(view) satisfies WebhookInfo);
    },

    async remove(call: Call) {
      if (!(await webhooks.remove(by(call), idOf(call)))) throw unknownWebhook();
      return noContent;
    },

    async rotateSecret(call: Call) {
      const graceMs = await readGraceMs(call.request, DEFAULT_GRACE_MS);
      const { view, secret } = done(await webhooks.rotateSecret(by(call), idOf(call), graceMs));
      return json({ ...webhookInfo(view), secret } satisfies WebhookWithSecret);
    },

    async test(call: Call) {
      const { delivery } = done(await webhooks.test(by(call), idOf(call)));
      return accepted(deliveryInfo(delivery));
    },

    async deliveries(call: Call) {
      const query = deliveryQueryOf(call.request.query);
      const page = await webhooks.listDeliveries({ endpointId: idOf(call), ...query });
      if (page === undefined) throw unknownWebhook();
      const { deliveries, next } = page;
      return json({ deliveries: deliveries.map(deliveryInfo), next } satisfies WebhookDeliveryList);
    },

    async redeliver(call: Call) {
      const { deliveryId = "" } = call.parameters;
      const { delivery } = done(await webhooks.redeliver(by(call), idOf(call), deliveryId));
      return accepted(deliveryInfo(delivery));
    },
  };
}

function accepted(delivery: WebhookDelivery): ApiResponse {
  return { ...json(delivery), status: 202 };
}

function unknownWebhook(): Refusal {
  return new Refusal({ code: "not-found", what: "webhook" });
}

/** Returns the result of an operation. Refuses with `invalid-request` or `not-found` if it had no effect. */
function done<Done extends object>(outcome: Outcome<Done>): Done {
  if (outcome.outcome === "done") return outcome;
  if (outcome.outcome === "not-found") throw unknownWebhook();
  const errors = outcome.faults.map((fault) => ({ in: "body", ...fault }) as const);
  throw new Refusal({ code: "invalid-request", errors });
}
