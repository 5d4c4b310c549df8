import { existsSync } from "node:fs";
import { createServer } from "node:net";
import type { Listener } from "@antechamber/http1";
import { type DestinationStream, destination, type Logger } from "pino";
import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/values.ts";
import { createAdmin } from "../control/admin.ts";
import { type AdminFor, type Control, listenControl } from "../control/server.ts";
import { createApp } from "../http/app/app.ts";
import { createMetrics, type Metrics } from "../http/app/metrics.ts";
import { createKeyRing } from "../http/auth/api-key-auth.ts";
import { createAuthenticator } from "../http/auth/authenticator.ts";
import { listen } from "../http/listen.ts";
import { listenError } from "../http/listen-error.ts";
import { createLog } from "../logging/log.ts";
import { safeMessage } from "../logging/safe-error.ts";
import { operator } from "../services/audit.ts";
import { Refusal } from "../session/errors.ts";
import { StoreOpenError } from "../store/open-error.ts";
import { type BackgroundJobParts, startBackgroundJobs } from "./background-jobs.ts";
import { machineTime, type TimeSource } from "./clock.ts";
import { createCredentialReloader } from "./credential-reloader.ts";
import { type OpenEvents, type Opened, open } from "./open-store.ts";
import { type RunningLimits, startLimits } from "./rate-limits.ts";
import { type ClockCheck, checkClock, checkFolder } from "./start-warnings.ts";
import { version } from "./version.ts";

/** A server that runs. */
export interface Running {
  /** Where it answers, such as `http://127.0.0.1:8080` or `unix:/run/antechamber/http.sock`. */
  readonly url: string;
  /** Finishes what was admitted, stores it, and lets go of everything. */
  close(): Promise<void>;
}

/** What a caller may put in the place of the machine's own; for tests and embedders. */
export interface StartOptions {
  readonly time?: TimeSource;
  /** Where log lines go (JSON, one a line); standard error by default. */
  readonly logTo?: DestinationStream;
}

/**
 * Starts a server. Throws `TypeError` for a set-up that is unsafe, `StoreOpenError` when the data cannot be opened, and the runtime's error
 * when the address cannot be listened on; nothing is left open then.
 */
export async function start(config: Config, options: StartOptions = {}): Promise<Running> {
  if (config.auth === "local" && config.socket === undefined && !isLoopback(config.host)) {
    throw new TypeError("auth mode local serves loopback addresses alone; choose another mode");
  }
  await requireFreePort(config);
  const log = createLog(config.logLevel, options.logTo ?? destination(2));
  const metrics = createMetrics();
  // A change that nobody listens to yet is told again, as one that could not be read.
  let changed = () => Promise.reject<void>(new Error("the server is not started yet"));
  const time = options.time ?? machineTime;
  const opened = await open(
    config,
    time,
    eventsOf(metrics, log, () => changed()),
    "serve",
  );
  let limits: RunningLimits | undefined;
  try {
    const { warning, holdSweepFor } = clockOf(config, time.wall(), opened.lastSeen);
    for (const { message, details } of [warning, checkFolder(config)].filter(
      (one) => one !== undefined,
    )) {
      log.warn(details, message);
    }
    await requireWriter(config, opened);
    limits = await startLimits(config, time);
    const parts = {
      ...opened,
      limits,
      purgeTime: purgeTimeOf(time, opened.lastSeen, holdSweepFor),
    };
    return await serve(config, parts, metrics, log, (listener) => {
      changed = listener;
    });
  } catch (error) {
    limits?.close();
    await opened.store.close();
    throw error;
  }
}

/**
 * Refuses a port that is in use before a new data folder is created for a server that cannot run. If the
 * folder exists, listening itself reports it.
 */
async function requireFreePort({ store, dataDir, ...place }: Config): Promise<void> {
  const { host, port, socket } = place;
  if (store.engine !== "sqlite" || existsSync(dataDir) || socket !== undefined || port === 0)
    return;
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("listening", resolve).once("error", reject).listen({ host, port });
    });
  } catch (error) {
    throw await listenError(error, place);
  }
  await new Promise((resolve) => probe.close(resolve));
}

/** Checks the clock; not with Redis, which has its own clock and removes expired keys itself. */
function clockOf({ store }: Config, wall: number, lastSeen: number): ClockCheck {
  if (store.engine === "redis") return { warning: undefined, holdSweepFor: 0 };
  return checkClock(wall, lastSeen);
}

/** Returns the machine's clock, but the previous time of the data for the first `heldFor` ms. */
function purgeTimeOf(time: TimeSource, lastSeen: number, heldFor: number): () => number {
  const startedAt = time.monotonic();
  return () => (time.monotonic() - startedAt < heldFor ? lastSeen : time.wall());
}

/** Throws if the writer of the embedded store cannot open the data, which otherwise only the first change would notice. */
async function requireWriter(
  { store: { engine } }: Config,
  { store, clock }: Opened,
): Promise<void> {
  if (engine === "redis") return;
  try {
    await store.listStoredResponses("", clock());
  } catch (error) {
    // Callers get temporary faults as refusals of their changes.
    if (error instanceof Refusal && error.cause instanceof StoreOpenError) throw error.cause;
  }
}

/** Puts the use cases on the network and on the control socket. */
async function serve(
  config: Config,
  opened: Opened & Pick<BackgroundJobParts, "purgeTime"> & { readonly limits: RunningLimits },
  metrics: Metrics,
  log: Logger,
  whenChanged: (listener: () => Promise<void>) => void,
): Promise<Running> {
  const { store, clock, wallClock, service, ids, limits, administration, trail, logHash } = opened;
  metrics.watch(() => store.status());
  const keyRing = createKeyRing(wallClock);
  const { readKeys: keysChanged, readAll } = createCredentialReloader({ store, keyRing, ids, log });
  whenChanged(readAll);
  await keysChanged();
  const noteKeyUses = async () => {
    const uses = keyRing.uses();
    if (uses.length === 0) return;
    await store.recordApiKeyUse(uses);
    await keysChanged();
  };
  const access = createAuthenticator({ config, clock, wallClock, log, keyRing });
  const app = createApp({
    config,
    version,
    service,
    store,
    clock,
    metrics,
    log,
    logHash,
    administration,
    trail,
    keysChanged,
    authenticate: access.authenticate,
    limits: limits.limits,
  });
  const adminFor: AdminFor = (user) =>
    createAdmin({ ...opened, who: operator(user), keysChanged, noteKeyUses });
  const control = await controlOf(config, adminFor);
  const listener = await listen(app, {
    ...config,
    defect: (error) => log.error({ err: error }, "defect"),
  }).catch(async (error: unknown) => {
    await control.close();
    throw error;
  });
  metrics.watchConnections(() => listener.connections);
  const answered = () => app.answered;
  const maintenance = startBackgroundJobs({
    ...{ store, clock, metrics, answered, noteKeyUses },
    purgeTime: opened.purgeTime,
  });
  const url = urlOf(config, listener.port);
  log.info({ url, version }, "listening");
  return { url, close: () => stop([listener, access, control, maintenance, limits, store], log) };
}

function urlOf({ host, socket }: Config, port: number): string {
  if (socket !== undefined) return `unix:${socket.path}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** On Redis there is none: the command line opens the store itself, beside any number of servers. */
async function controlOf(
  { store, dataDir }: Config,
  adminFor: AdminFor,
): Promise<Pick<Control, "close">> {
  if (store.engine === "sqlite") return listenControl(dataDir, adminFor);
  return { close: async () => undefined };
}

/** Closes the parts in turn, the store last: what was admitted before is stored. */
async function stop(
  parts: readonly (Listener | { close(): void | Promise<void> })[],
  log: Logger,
): Promise<void> {
  log.info("stopping");
  for (const part of parts) await part.close();
  log.info("stopped");
}

/** How often (ms) a loss of records is logged: each of many requests may lose one. */
const LOSS_LOGGED_EVERY = 10_000;

/** The maximum number of causes logged for one outage. */
const MAX_CAUSES_LOGGED = 10;
/**
 * How long (ms) no write may fail before the log says that writes work again: on a nearly full disk small
 * writes succeed while large ones fail, and in a cluster those of other primaries succeed.
 */
const CALM = 5000;

function eventsOf(
  metrics: Metrics,
  log: Logger,
  credentialsChanged: OpenEvents["credentialsChanged"],
): OpenEvents {
  let isFailing = false;
  const causes = new Set<string>();
  let failedAt = Number.NEGATIVE_INFINITY;
  let lost = 0;
  let lossLoggedAt = Number.NEGATIVE_INFINITY;
  return {
    created: () => metrics.sessionsCreated.inc(1),
    associated: () => metrics.sessionsAssociated.inc(1),
    ended: () => metrics.sessionsEnded.inc(1),
    recorded: (records) => metrics.recordsAccepted.inc(records),
    credentialsChanged,
    noticed: (level, message) => log[level](message),
    suspended: () => undefined,
    recordsLost(records) {
      metrics.recordsLost.inc(records);
      lost += records;
      if (performance.now() - lossLoggedAt < LOSS_LOGGED_EVERY) return;
      log.error({ records: lost }, "records are lost");
      lossLoggedAt = performance.now();
      lost = 0;
    },
    committed(changes, milliseconds) {
      metrics.committed(changes, milliseconds);
      if (!isFailing || performance.now() - failedAt < CALM) return;
      log.info("the store takes writes again");
      isFailing = false;
      causes.clear();
    },
    failed(error) {
      metrics.storeFailed();
      // Each cause is logged once per outage: a full disk fails every write, and the log may be on that disk.
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
