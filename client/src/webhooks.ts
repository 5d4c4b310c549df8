import type { CallOptions, SendRequest } from "./call.ts";
import { checkOptionNames } from "./middleware/option-names.ts";
import type { ProblemError } from "./problem-error.ts";
import type {
  WebhookDelivery,
  WebhookDeliveryList,
  WebhookInfo,
  WebhookList,
  WebhookRequest,
  WebhookRotation,
  WebhookWithSecret,
} from "./protocol.ts";

/** Which deliveries to list. */
export interface DeliveryListOptions extends CallOptions {
  readonly state?: WebhookDelivery["state"] | undefined;
  /** Maximum number of deliveries in one response, 1 to 1,000; 100 by default. All of them are yielded in any case. */
  readonly limit?: number | undefined;
}

/** The members of an endpoint. The compiler reports one that is missing here. */
const members: Record<keyof WebhookRequest, true> = { url: true, types: true, description: true, isEnabled: true };

export interface DeliveryPageOptions extends DeliveryListOptions {
  /** The `next` of the previous page. */
  readonly cursor?: string | undefined;
}

/** Operations on the endpoints of webhooks. A call about an unknown endpoint or delivery rejects with `not-found`. */
export interface WebhookAdministration {
  list(options?: CallOptions): Promise<readonly WebhookInfo[]>;
  /** Creates an endpoint. The result has its secret, which is shown only now. */
  create(endpoint: WebhookRequest, options?: CallOptions): Promise<WebhookWithSecret>;
  get(id: string, options?: CallOptions): Promise<WebhookInfo>;
  /** Changes the given members of an endpoint. */
  update(id: string, change: Partial<WebhookRequest>, options?: CallOptions): Promise<WebhookInfo>;
  /** Removes an endpoint. Resolves with `false` if there is none with this id. */
  remove(id: string, options?: CallOptions): Promise<boolean>;
  /** Queues a test event, which is sent at once and only once. */
  test(id: string, options?: CallOptions): Promise<WebhookDelivery>;
  rotateSecret(id: string, rotation?: WebhookRotation, options?: CallOptions): Promise<WebhookWithSecret>;
  /** Yields the deliveries of an endpoint, newest first. Each page is requested only when needed. */
  deliveries(id: string, options?: DeliveryListOptions): AsyncGenerator<WebhookDelivery, void>;
  /** Returns one page of them, for an application that shows pages itself. */
  deliveriesPage(id: string, options?: DeliveryPageOptions): Promise<WebhookDeliveryList>;
  /** Sends a delivery again, before all others. */
  redeliver(id: string, deliveryId: string, options?: CallOptions): Promise<WebhookDelivery>;
}

/**
 * Creates these operations. `create`, `test` and `rotateSecret` are repeated after a failure like all calls, so an
 * endpoint or a secret whose response was lost may exist in addition.
 */
export function createWebhookCalls(send: SendRequest): WebhookAdministration {
  const readPage = (id: string, { signal, ...conditions }: DeliveryPageOptions) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(conditions)) if (value !== undefined) query.set(name, String(value));
    return send<WebhookDeliveryList>({ method: "GET", path: at(id, `/deliveries?${query.toString()}`), signal });
  };
  const at = (id: string, rest = "") => `/webhooks/${encodeURIComponent(id)}${rest}`;
  return {
    list: async ({ signal } = {}) => (await send<WebhookList>({ method: "GET", path: "/webhooks", signal })).webhooks,
    async create(body, { signal } = {}) {
      // The service ignores unknown members. Without its `types`, an endpoint would get all events.
      checkOptionNames("webhooks.create()", body, Object.keys(members));
      return await send({ method: "POST", path: "/webhooks", body, signal });
    },
    get: (id, { signal } = {}) => send({ method: "GET", path: at(id), signal }),
    async update(id, body, { signal } = {}) {
      checkOptionNames("webhooks.update()", body, Object.keys(members));
      return await send({ method: "PATCH", path: at(id), body, signal });
    },
    async remove(id, { signal } = {}) {
      try {
        await send({ method: "DELETE", path: at(id), signal });
        return true;
      } catch (error) {
        if ((error as ProblemError).code === "not-found") return false;
        throw error;
      }
    },
    test: (id, { signal } = {}) => send({ method: "POST", path: at(id, "/test"), signal }),
    rotateSecret: (id, body = {}, { signal } = {}) =>
      send({ method: "POST", path: at(id, "/rotate-secret"), body, signal }),
    async *deliveries(id, options) {
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: WebhookDeliveryList = await readPage(id, { ...options, cursor });
        yield* page.deliveries;
        cursor = page.next;
      }
    },
    deliveriesPage: (id, options = {}) => readPage(id, options),
    redeliver: (id, deliveryId, { signal } = {}) =>
      send({ method: "POST", path: at(id, `/deliveries/${encodeURIComponent(deliveryId)}/redeliver`), signal }),
  };
}
