import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { type DestinationStream, destination, type Logger } from "pino";
import type { Config } from "../config/config.ts";
import type { ShownSetting } from "../config/shown.ts";
import { isLoopback } from "../config/values.ts";
import { localAdmin } from "../control/operations.ts";
import { listenControl } from "../control/server.ts";
import { createApp } from "../http/app/app.ts";
import { type Authenticate, createKeyRing } from "../http/auth/api-key-auth.ts";
import { createAuthenticator } from "../http/auth/authenticator.ts";
import { type ConsoleAccess, createConsoleAccess } from "../http/auth/console-access.ts";
import { KeySets } from "../http/auth/key-sets.ts";
import { createLogoutTokenVerifier } from "../http/auth/logout-token.ts";
import { withOtherCredentials } from "../http/auth/other-credentials.ts";
import { SignOuts } from "../http/auth/sign-outs.ts";
import { ViewTokens } from "../http/auth/view-tokens.ts";
import { listen } from "../http/listen.ts";
import { listenError } from "../http/listen-error.ts";
import { createMetrics } from "../http/metrics.ts";
import { createLog } from "../logging/log.ts";
import { operator } from "../services/audit.ts";
import { Refusal } from "../session/errors.ts";
import { StoreOpenError } from "../store/open-error.ts";
import { startBackgroundJobs } from "./background-jobs.ts";
import { machineTime, type TimeSource } from "./clock.ts";
import { loadConsole } from "./console-files.ts";
import { CredentialReloader } from "./credential-reloader.ts";
import { dataFolderOf, type Opened, open } from "./open-store.ts";
import { startLimits } from "./rate-limits.ts";
import { createServerEvents } from "./server-events.ts";
import { checkClock, checkFolder } from "./start-warnings.ts";
import { StatisticsCollector, startStatistics } from "./statistics.ts";
import { version } from "./version.ts";
import { startWebhooks } from "./webhooks.ts";

/*
 * The steps of a start, in order:
 *
 *   cli/serve.ts            reads the configuration and calls `start`
 *   start.ts                refuses an unsafe address, and a port that is in use
 *   open-store.ts           opens the store, starts the clock, and creates the services
 *   start-warnings.ts       warns of a wrong clock and of a data folder that other users can enter
 *   rate-limits.ts          creates the rate limits
 *   credential-reloader.ts  loads the API keys, and reloads them when they change
 *   background-jobs.ts      purges sessions, and stores the current time
 *   statistics.ts           counts what happens in each minute, and stores it
 *   webhooks.ts             delivers events to the endpoints of webhooks
 *   control/server.ts       listens on the control socket, if the store is in a data folder
 *   console-files.ts        reads the files of the console
 *   http/auth/              creates the authenticator, and begins to fetch the key sets of issuers
 *   http/listen.ts          listens for requests
 *
 * When the server is closed, or when a step fails, everything that was opened is closed in reverse order.
 */

/** A running server. */
export interface Running {
  /** The address on which the server listens, such as `http://127.0.0.1:8080` or `unix:/run/antechamber/http.sock`. */
  readonly url: string;
  /** Waits for the admitted requests, stores their changes, and closes everything. */
  close(): Promise<void>;
}

/** Options for tests and for programs that embed the server. */
export interface StartOptions {
  readonly time?: TimeSource;
  /** The destination of log lines (JSON, one per line); standard error by default. */
  readonly logTo?: DestinationStream;
  /** The settings in the form that administrators may see; none by default. */
  readonly settings?: readonly ShownSetting[];
}

/**
 * Starts a server. Throws `TypeError` for an unsafe configuration, `StoreOpenError` if the store cannot be opened, and
 * the runtime's error if the server cannot listen. After an error nothing stays open.
 */
export async function start(config: Config, options: StartOptions = {}): Promise<Running> {
  if (config.auth === "local" && config.socket === undefined && !isLoopback(config.host)) {
    throw new TypeError("auth mode local serves loopback addresses alone; choose another mode");
  }
  await requireFreePort(config);
  const log = createLog(config.logLevel, options.logTo ?? destination(2));
  await using opening = new AsyncDisposableStack();
  const { time = machineTime, settings = [] } = options;
  const url = await openAll(config, settings, time, log, opening);
  log.info({ url, version }, "listening");
  const opened = opening.move();
  return {
    url,
    async close() {
      log.info("stopping");
      await opened.disposeAsync();
      log.info("stopped");
    },
  };
}

/** Opens every part of a server, in the order at the top of this file, and returns its URL. */
async function openAll(
  config: Config,
  settings: readonly ShownSetting[],
  time: TimeSource,
  log: Logger,
  opening: AsyncDisposableStack,
): Promise<string> {
  const metrics = createMetrics();
  const credentials = new CredentialReloader(log);
  const wakeable: { wake?: () => void } = {};
  const webhooksChanged = () => wakeable.wake?.();
  const wallClock = time.wall;
  const listed = config.statisticsServices;
  const collector = new StatisticsCollector({ counters: () => metrics.counters(), wallClock, listed });
  const events = { ...createServerEvents(metrics, log, credentials, collector), webhooksChanged };
  const opened = await open(config, time, events, "serve");
  const { store, clock, secretUsers, logHash } = opened;
  opening.defer(() => store.close());
  metrics.watch(() => store.status());
  const purgeTime = await checkData(config, time, opened, log);

  const { limits, close: closeLimits } = await startLimits(config, time);
  opening.defer(closeLimits);

  const keyRing = createKeyRing(wallClock);
  const signOuts = new SignOuts();
  await credentials.start({ store, keyRing, secretUsers, signOuts });

  const keySets = new KeySets(clock, log);
  opening.defer(() => keySets.close());
  const consoleFiles = config.console ? await loadConsole(log) : undefined;
  const credentialParts = { ...opened, ...{ config, wallClock, log, keyRing, keySets, signOuts } };
  const consoleAccess = consoleFiles && createConsoleAccess(credentialParts);
  const viewTokens = new ViewTokens({ signer: opened.signers.view, wallClock, keyRing });
  const authenticate = authenticateAs(config, createAuthenticator(credentialParts), consoleAccess, viewTokens);
  const { logout } = config;
  const verifyLogoutToken =
    logout && createLogoutTokenVerifier({ config: logout, jwks: keySets.at(logout.keySetUrl), wallClock, log });
  const app = createApp({
    ...opened,
    ...{ config, settings, version, wallClock, metrics, log, logHash },
    ...{ authenticate, verifyLogoutToken, limits, consoleFiles, consoleAccess, viewTokens },
  });
  const jobs = startBackgroundJobs({
    ...{ store, clock, purgeTime, metrics },
    answered: () => app.completed,
    storeKeyUses: () => credentials.storeKeyUses(),
  });
  opening.defer(() => jobs.close());
  opened.statistics.unsaved = () => collector.rows(store);
  const statistics = startStatistics({ collector, store, clock, wallClock });
  opening.defer(() => statistics.close());
  const dispatcher = startWebhooks(config, opened, time, metrics, log);
  wakeable.wake = dispatcher.wake;
  opening.defer(() => dispatcher.close());

  const dataDir = dataFolderOf(config);
  if (dataDir !== undefined) {
    const control = await listenControl(dataDir, (user) => localAdmin(opened, operator(user)));
    opening.defer(() => control.close());
  }

  const defect = (error: unknown) => log.error({ err: error }, "defect");
  const listener = await listen(app, { ...config, defect });
  opening.defer(() => listener.close());
  metrics.watchConnections(() => listener.connections);
  return urlOf(config, listener.port);
}

/** Adds the cookie of the console, in the modes in which people sign in there, and view tokens to the mode's credential. */
function authenticateAs(
  { auth }: Config,
  authenticate: Authenticate,
  consoleAccess: ConsoleAccess | undefined,
  viewTokens: ViewTokens,
): Authenticate {
  if (auth === "local") return authenticate;
  const sessions = auth === "proxy" ? undefined : consoleAccess?.sessions;
  return withOtherCredentials(
    authenticate,
    (request) => viewTokens.find(request) ?? sessions?.find(request)?.principal,
  );
}

/**
 * Refuses a port that is in use before the data folder is created, so that a failed start leaves no new folder. If the
 * folder already exists, nothing is checked here: listening on the port reports the error.
 */
async function requireFreePort(config: Config): Promise<void> {
  const { host, port, socket } = config;
  const dataDir = dataFolderOf(config);
  if (dataDir === undefined || existsSync(dataDir) || socket !== undefined || port === 0) return;
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("listening", resolve).once("error", reject).listen({ host, port });
    });
  } catch (error) {
    throw await listenError(error, config);
  }
  await new Promise((resolve) => probe.close(resolve));
}

/**
 * Checks the clock and the data folder, and logs warnings. Returns a function that returns the time up to which
 * sessions are purged. That is the machine's time; but if the machine's clock may be wrong, it is the latest time in
 * the data at first. Stores without a data folder have a clock of their own and are not checked.
 */
async function checkData(config: Config, time: TimeSource, opened: Opened, log: Logger): Promise<() => number> {
  const dataDir = dataFolderOf(config);
  if (dataDir === undefined) return time.wall;
  const { lastSeen } = opened;
  const startedAt = time.monotonic();
  const { warning, holdPurgeFor } = checkClock(time.wall(), lastSeen);
  for (const found of [warning, checkFolder(dataDir)]) {
    if (found !== undefined) log.warn(found.details, found.message);
  }
  await requireWriter(opened);
  return () => (time.monotonic() - startedAt < holdPurgeFor ? lastSeen : time.wall());
}

/** Throws if the store's writer cannot open the data; otherwise only the first change would show the error. */
async function requireWriter({ store, clock }: Opened): Promise<void> {
  try {
    await store.listStoredResponses("", clock());
  } catch (error) {
    // A temporary failure does not prevent the start: until the store works again, changes are refused.
    if (error instanceof Refusal && error.cause instanceof StoreOpenError) throw error.cause;
  }
}

function urlOf({ host, socket }: Config, port: number): string {
  if (socket !== undefined) return `unix:${socket.path}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
