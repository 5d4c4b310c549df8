import type { Logger } from "pino";
import type { Metrics } from "../http/metrics.ts";
import { safeMessage } from "../logging/safe-error.ts";
import type { CredentialReloader } from "./credential-reloader.ts";
import type { OpenEvents } from "./open-store.ts";
import type { StatisticsCollector } from "./statistics.ts";

/** How often (ms) lost records are logged. Under load every request may lose a record. */
const LOSS_LOGGED_EVERY_MS = 10_000;
/** Maximum number of different causes that are logged for one outage. */
const MAX_CAUSES_LOGGED = 10;
/**
 * How long (ms) no write may fail before the log says that writes work again. Shortly after a failure a success proves
 * little: on a nearly full disk small writes succeed while large ones fail, and in a cluster writes to other primaries
 * succeed.
 */
const CALM_MS = 5000;

/** Returns the event handlers of a server, which count events, log them, and reload credentials. */
export function createServerEvents(
  metrics: Metrics,
  log: Logger,
  credentials: CredentialReloader,
  collector: StatisticsCollector,
): OpenEvents {
  let lost = 0;
  let lossLoggedAt = Number.NEGATIVE_INFINITY;
  return {
    created: () => metrics.sessionsCreated.inc(1),
    associated: () => metrics.sessionsAssociated.inc(1),
    rotated: () => metrics.sessionsRotated.inc(1),
    ended: () => metrics.sessionsEnded.inc(1),
    recorded(sent) {
      metrics.recordsAccepted.inc(sent.records.length);
      collector.recorded(sent);
    },
    credentialsChanged: () => credentials.reloadAll(),
    keysChanged: () => credentials.reloadKeys(),
    listingKeys: () => credentials.storeKeyUses(),
    noticed: (level, message) => log[level](message),
    suspended: () => undefined,
    recordsDropped: (records) => metrics.recordsDropped.inc(records),
    recordsLost(records) {
      metrics.recordsLost.inc(records);
      lost += records;
      if (performance.now() - lossLoggedAt < LOSS_LOGGED_EVERY_MS) return;
      log.error({ records: lost }, "records are lost");
      lossLoggedAt = performance.now();
      lost = 0;
    },
    ...createOutageLog(metrics, log),
  };
}

function createOutageLog(metrics: Metrics, log: Logger): Pick<OpenEvents, "committed" | "failed"> {
  let isFailing = false;
  const causes = new Set<string>();
  let failedAt = Number.NEGATIVE_INFINITY;
  return {
    committed(changes, milliseconds) {
      metrics.committed(changes, milliseconds);
      if (!isFailing || performance.now() - failedAt < CALM_MS) return;
      log.info("the store takes writes again");
      isFailing = false;
      causes.clear();
    },
    failed(error) {
      metrics.storeFailed();
      // Each cause is logged once per outage. On a full disk every write fails, and the log may be on the same disk.
      const cause = safeMessage(error);
      if (causes.size < MAX_CAUSES_LOGGED && !causes.has(cause)) {
        causes.add(cause);
        log.error({ err: error }, "the store does not take writes");
      }
      isFailing = true;
      failedAt = performance.now();
    },
  };
}
