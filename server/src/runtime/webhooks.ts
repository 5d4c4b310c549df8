import { availableParallelism } from "node:os";
import type { Logger } from "pino";
import type { Config } from "../config/config.ts";
import type { Metrics } from "../http/metrics.ts";
import type { Attempt, Endpoint } from "../session/webhook.ts";
import { WebhookDispatcher } from "../webhooks/dispatcher.ts";
import type { WebhookEvents } from "../webhooks/endpoint-worker.ts";
import { limitLookups } from "../webhooks/look-ups.ts";
import { createSender, systemLookup } from "../webhooks/sender.ts";
import type { TimeSource } from "./clock.ts";
import type { Opened } from "./open-store.ts";
import { version } from "./version.ts";

/** Starts to deliver events to the endpoints of webhooks. */
export function startWebhooks(
  { webhookAllowedHosts: allowed }: Config,
  { store, clock }: Opened,
  time: TimeSource,
  metrics: Metrics,
  log: Logger,
): WebhookDispatcher {
  const lookup = limitLookups(systemLookup, maxLookups());
  const sender = createSender({ allowed, userAgent: `Antechamber-Webhooks/${version}`, lookup });
  const dispatcher = new WebhookDispatcher({ store, sender, clock, wallClock: time.wall, events: logOf(metrics, log) });
  metrics.watchWebhooks(() => dispatcher.status());
  return dispatcher;
}

/**
 * Returns the number of look-ups that may run at the same time: half of the threads of the runtime. Node and Bun read this
 * variable when they start. Without it Node has four threads, and Bun one for each core, but at least two.
 */
function maxLookups(): number {
  const threads = Number(process.env["UV_THREADPOOL_SIZE"]) || Math.min(4, availableParallelism());
  return Math.max(1, Math.floor(threads / 2));
}

/**
 * Returns the callbacks that count and log. The log names an endpoint by its id and the origin of its URL: path and query
 * may have a secret. An endpoint that does not work is logged once, not for each attempt.
 */
function logOf(metrics: Metrics, log: Logger): WebhookEvents {
  const about = ({ id, url }: Endpoint, attempt?: Attempt) => ({
    webhook: id,
    origin: new URL(url).origin,
    ...(attempt && { status: attempt.status, failure: attempt.error }),
  });
  return {
    attempted(endpoint, outcome, attempt) {
      metrics.webhookAttempted(outcome, 1);
      if (outcome === "failed") log.warn(about(endpoint, attempt), "a webhook delivery has failed for good");
    },
    paused: (endpoint, attempt) =>
      log.warn(about(endpoint, attempt), "a webhook endpoint does not work: deliveries wait for it"),
    resumed: (endpoint) => log.info(about(endpoint), "a webhook endpoint works again"),
    disabled: (endpoint) =>
      log.warn(about(endpoint), "a webhook endpoint was disabled, because its receiver responded 410 (gone)"),
    missed: (endpoint) =>
      log.error(
        about(endpoint),
        "events were purged from the event log before they were sent to a webhook endpoint: raise eventRetention",
      ),
    overdue(endpoint, deliveries) {
      metrics.webhookAttempted("failed", deliveries);
      log.warn(
        { ...about(endpoint), deliveries },
        "webhook deliveries have failed for good: they waited for three days",
      );
    },
  };
}
