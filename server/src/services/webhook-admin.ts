import { randomBytes } from "node:crypto";
import type { Clock } from "../runtime/clock.ts";
import { Refusal } from "../session/errors.ts";
import { type LoggedType, loggedTypes } from "../session/event.ts";
import { faultOfText } from "../session/text.ts";
import { type Delivery, type Endpoint, type EndpointSecret, MAX_ENDPOINTS, MAX_SECRETS } from "../session/webhook.ts";
import { newWebhookSecret } from "../session/webhook-signature.ts";
import type { Act } from "../store/audit-chain.ts";
import type { EventLog } from "../store/ports/events.ts";
import type { DeliveryListRequest, DeliveryPage, WebhookStore } from "../store/ports/webhooks.ts";
import type { AuditTrail, Initiator } from "./audit.ts";

/** An endpoint as operators see it: without the values of its secrets. Times are Unix ms. */
export interface EndpointView extends Omit<Endpoint, "secrets" | "revision" | "epoch" | "startAfter" | "pausedUntil"> {
  readonly secrets: readonly Omit<EndpointSecret, "secret">[];
  /** Number of pending deliveries, and when the oldest of them was queued. */
  readonly pending: number;
  readonly oldestQueuedAt: number | null;
}

/** The members of an endpoint that operators choose. */
export interface EndpointRequest {
  readonly url: string;
  /** `null` for all types. */
  readonly types: readonly string[] | null;
  readonly description: string | null;
  readonly isEnabled: boolean;
}

/** A fault of a request: the member, and a sentence about it. */
export interface RequestFault {
  readonly name: string;
  readonly detail: string;
}

interface Invalid {
  readonly outcome: "invalid";
  readonly faults: readonly RequestFault[];
}

/** The result of an operation that may have no effect: the request has faults, or the id is unknown. */
export type Outcome<Done> = ({ readonly outcome: "done" } & Done) | Invalid | { readonly outcome: "not-found" };

/** The longest description, in Unicode characters. */
const MAX_DESCRIPTION_CHARACTERS = 256;
/** The longest time (ms) for which an old secret stays in use. */
const MAX_GRACE_MS = 7 * 24 * 60 * 60 * 1000;
/** Maximum attempts of a change. An attempt fails if another process changes the same endpoint first. */
const MAX_ATTEMPTS = 20;

interface WebhookAdminParts {
  readonly store: WebhookStore & Pick<EventLog, "eventBounds">;
  readonly trail: Pick<AuditTrail, "audited">;
  readonly clock: Clock;
  /** Returns the fault of a receiver's URL as the end of a sentence, `undefined` if it is allowed. */
  readonly faultOfUrl: (url: string) => string | undefined;
  readonly events: WebhookAdminEvents;
}

/** Handlers of a server. A command without a server has none. */
export interface WebhookAdminEvents {
  /** Called after an endpoint or its queue was changed. */
  webhooksChanged?(): void;
}

/** Manages the endpoints of webhooks. All methods refuse with `unavailable` if the store cannot be used. */
export class WebhookAdmin {
  readonly #parts: WebhookAdminParts;
  /** The last change of an endpoint, which the next one waits for: of many at the same time, each succeeds. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(parts: WebhookAdminParts) {
    this.#parts = parts;
  }

  /** Returns all endpoints, oldest first. */
  async list(): Promise<readonly EndpointView[]> {
    const endpoints = await this.#parts.store.listEndpoints();
    return Promise.all(endpoints.map((endpoint) => this.#viewOf(endpoint)));
  }

  async get(id: string): Promise<EndpointView | undefined> {
    const endpoint = await this.#find(id);
    return endpoint && this.#viewOf(endpoint);
  }

  /** Creates an endpoint. Events that happen from now on are sent to it. Returns its secret, which is shown only here. */
  async create(by: Initiator, request: EndpointRequest): Promise<Outcome<{ view: EndpointView; secret: string }>> {
    const faults = this.#faultsOf(request);
    if (faults.length > 0) return { outcome: "invalid", faults };
    const { store, clock } = this.#parts;
    const secret = newWebhookSecret();
    const now = clock();
    const endpoint: Endpoint = {
      id: `wh_${randomBytes(9).toString("hex")}`,
      ...chosen(request),
      ...{ disabledReason: null, createdAt: now, updatedAt: now, revision: 1, epoch: 1 },
      secrets: [{ secret, createdAt: now, expiresAt: null }],
      startAfter: await this.#endOfLog(),
    };
    const isAdded = await this.#audited(by, "webhook.create", endpoint, () => store.addEndpoint(endpoint));
    if (isAdded) return { outcome: "done", view: await this.#viewOf(endpoint), secret };
    return invalid("", `There are ${MAX_ENDPOINTS} endpoints, and no more are possible: remove one first.`);
  }

  /** Changes the given members of an endpoint. */
  async update(by: Initiator, id: string, change: Partial<EndpointRequest>): Promise<Outcome<{ view: EndpointView }>> {
    const updated = await this.#change(by, "webhook.update", id, async (endpoint) => {
      const request = { ...endpoint, ...change };
      const faults = this.#faultsOf(request);
      if (faults.length > 0) return { outcome: "invalid", faults };
      const isEnabling = request.isEnabled && !endpoint.isEnabled;
      const { pausedUntil: _pausedUntil, ...rest } = endpoint;
      // A pause that a receiver asked for does not hold for another one.
      const kept = isEnabling || request.url !== endpoint.url ? rest : endpoint;
      return {
        ...kept,
        ...chosen(request),
        disabledReason: request.isEnabled ? null : endpoint.disabledReason,
        ...(isEnabling && { epoch: endpoint.epoch + 1, startAfter: await this.#endOfLog() }),
      };
    });
    return "endpoint" in updated ? { outcome: "done", view: await this.#viewOf(updated.endpoint) } : updated;
  }

  /** Removes an endpoint with its deliveries. Returns false if there is none with this id. */
  async remove(by: Initiator, id: string): Promise<boolean> {
    const { store, clock } = this.#parts;
    const endpoint = await this.#find(id);
    if (endpoint === undefined) return false;
    return this.#audited(by, "webhook.delete", endpoint, () => store.removeEndpoint(id, clock()));
  }

  /** Adds a new secret. For another `graceMs`, messages are signed with the old one too. */
  async rotateSecret(
    by: Initiator,
    id: string,
    graceMs: number,
  ): Promise<Outcome<{ view: EndpointView; secret: string }>> {
    if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > MAX_GRACE_MS) {
      return invalid("graceSeconds", `graceSeconds is not a whole number of 0 to ${MAX_GRACE_MS / 1000}.`);
    }
    const secret = newWebhookSecret();
    const rotated = await this.#change(by, "webhook.rotate-secret", id, async (endpoint, now) => {
      const expiresAt = now + graceMs;
      const old = endpoint.secrets
        .map((one) => ({ ...one, expiresAt: Math.min(one.expiresAt ?? expiresAt, expiresAt) }))
        .filter((one) => one.expiresAt > now);
      const secrets = [{ secret, createdAt: now, expiresAt: null }, ...old].slice(0, MAX_SECRETS);
      return { ...endpoint, secrets };
    });
    return "endpoint" in rotated ? { outcome: "done", view: await this.#viewOf(rotated.endpoint), secret } : rotated;
  }

  /** Queues an event of the type `webhook.test`, which is sent before all others and only once. */
  async test(by: Initiator, id: string): Promise<Outcome<{ delivery: Delivery }>> {
    const endpoint = await this.#find(id);
    if (endpoint === undefined) return { outcome: "not-found" };
    if (!endpoint.isEnabled) return disabled;
    const { clock } = this.#parts;
    const eventId = `test_${randomBytes(12).toString("base64url")}`;
    const delivery = await this.#audited(by, "webhook.test", endpoint, async () => {
      const deliveryId = await this.#queueTest(endpoint, eventId, clock());
      return deliveryId === undefined ? undefined : this.#findDelivery(id, deliveryId);
    });
    return delivery === undefined ? { outcome: "not-found" } : { outcome: "done", delivery };
  }

  /** Returns a page of the deliveries of an endpoint, newest first; `undefined` if there is none with this id. */
  async listDeliveries(request: DeliveryListRequest): Promise<DeliveryPage | undefined> {
    if ((await this.#find(request.endpointId)) === undefined) return undefined;
    return this.#parts.store.listDeliveries(request);
  }

  /** Sends a delivery of any state again, before all others. */
  async redeliver(by: Initiator, id: string, deliveryId: string): Promise<Outcome<{ delivery: Delivery }>> {
    const { store, clock } = this.#parts;
    const endpoint = await this.#find(id);
    if (endpoint === undefined) return { outcome: "not-found" };
    if (!endpoint.isEnabled) return disabled;
    const redeliver = () => store.redeliver(id, deliveryId, clock());
    const delivery = await this.#audited(by, "webhook.redeliver", endpoint, redeliver, { delivery: deliveryId });
    return delivery === undefined ? { outcome: "not-found" } : { outcome: "done", delivery };
  }

  async #queueTest(endpoint: Endpoint, eventId: string, now: number): Promise<string | undefined> {
    const { store } = this.#parts;
    const { id: endpointId, epoch } = endpoint;
    const timestamp = new Date(now).toISOString();
    const body = JSON.stringify({ id: eventId, type: "webhook.test", timestamp, data: {} });
    const messages = [{ eventId, type: "webhook.test", handle: null, body, isUrgent: true }] as const;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const queue = await store.readQueue(endpointId);
      if (queue === undefined) return undefined;
      const { erasures } = queue;
      const queued = await store.queueDeliveries({ endpointId, epoch, erasures, messages, now });
      if (queued !== undefined) return queued[0];
    }
    throw outrun("the endpoint was changed, or a customer erased");
  }

  async #findDelivery(endpointId: string, id: string): Promise<Delivery | undefined> {
    const before = String(Number(id) + 1);
    const page = await this.#parts.store.listDeliveries({ endpointId, state: null, before, limit: 1 });
    return page.deliveries.find((delivery) => delivery.id === id);
  }

  async #find(id: string): Promise<Endpoint | undefined> {
    return (await this.#parts.store.listEndpoints()).find((endpoint) => endpoint.id === id);
  }

  async #viewOf(endpoint: Endpoint): Promise<EndpointView> {
    const { secrets, revision: _1, epoch: _2, startAfter: _3, pausedUntil: _4, ...rest } = endpoint;
    const queue = await this.#parts.store.readQueue(endpoint.id);
    const now = this.#parts.clock();
    return {
      ...rest,
      secrets: secrets
        .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
        .map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt })),
      pending: queue?.pending ?? 0,
      oldestQueuedAt: queue?.oldestQueuedAt ?? null,
    };
  }

  async #endOfLog(): Promise<string | null> {
    return (await this.#parts.store.eventBounds())?.end ?? null;
  }

  #faultsOf({ url, types, description }: EndpointRequest): RequestFault[] {
    const faults: RequestFault[] = [];
    const add = (name: string, fault: string | undefined) => {
      if (fault !== undefined) faults.push({ name, detail: `${name} ${fault}.` });
    };
    add("url", this.#parts.faultOfUrl(url));
    add("types", types === null ? undefined : faultOfTypes(types));
    add("description", description === null ? undefined : faultOfText(description, MAX_DESCRIPTION_CHARACTERS));
    return faults;
  }

  /** Replaces an endpoint by what `next` returns. */
  #change(by: Initiator, what: string, id: string, next: NextEndpoint): Promise<Changed> {
    const changed = this.#changing.then(() => this.#changeNow(by, what, id, next));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  /** Repeats the change if another process changes the endpoint first. */
  async #changeNow(by: Initiator, what: string, id: string, next: NextEndpoint): Promise<Changed> {
    const { store, clock } = this.#parts;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const stored = await this.#find(id);
      if (stored === undefined) return { outcome: "not-found" };
      const now = clock();
      const changed = await next(stored, now);
      if ("outcome" in changed) return changed;
      const endpoint = { ...changed, updatedAt: now, revision: stored.revision + 1 };
      if (await this.#audited(by, what, endpoint, () => store.replaceEndpoint(endpoint))) return { endpoint };
    }
    throw outrun("another process changed the endpoint");
  }

  /** Runs a change and appends an entry to the audit trail, unless the result says that nothing was changed. */
  async #audited<Result>(
    by: Initiator,
    what: string,
    endpoint: Endpoint,
    run: () => Promise<Result>,
    more: Act["details"] = {},
  ): Promise<Result> {
    const { id, url, types, isEnabled } = endpoint;
    const details = { webhook: id, url: new URL(url).origin, types: types?.join() ?? null, isEnabled, ...more };
    const change = async () => {
      const result = await run();
      this.#parts.events.webhooksChanged?.();
      return result;
    };
    const isChanged = (result: Result) => result !== false && result !== undefined;
    return this.#parts.trail.audited({ ...by, what, details }, change, (result) =>
      isChanged(result) ? {} : undefined,
    );
  }
}

/** Returns the next state of an endpoint at a time (Unix ms). */
type NextEndpoint = (endpoint: Endpoint, now: number) => Promise<Endpoint | Invalid>;
type Changed = { readonly endpoint: Endpoint } | Invalid | { readonly outcome: "not-found" };

function invalid(name: string, detail: string): Invalid {
  return { outcome: "invalid", faults: [{ name, detail }] };
}

const disabled = invalid("isEnabled", "The endpoint is disabled: enable it first (isEnabled: true).");

/** Returns the members that operators choose, in the form in which they are stored. */
function chosen({ url, types, description, isEnabled }: EndpointRequest) {
  const known = types && loggedTypes.filter((type) => types.includes(type));
  return { url, types: known as readonly LoggedType[] | null, description: description || null, isEnabled };
}

function faultOfTypes(types: readonly string[]): string | undefined {
  if (types.length === 0) return "is empty: leave it out, or send null, for all types";
  const unknown = types.find((type) => !(loggedTypes as readonly string[]).includes(type));
  return unknown === undefined ? undefined : `has an unknown type: known are ${loggedTypes.join(", ")}`;
}

/** Returns the refusal of an operation that something else prevented in each of its attempts. */
function outrun(what: string): Refusal {
  const cause = new Error(`${what} during each of ${MAX_ATTEMPTS} attempts`);
  return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
}
