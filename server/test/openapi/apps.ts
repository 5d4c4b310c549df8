import { BodyError, type HttpRequest } from "@antechamber/http1";
import { pino } from "pino";
import { loadConfig } from "../../src/config/load.ts";
import { shownSettings } from "../../src/config/shown.ts";
import type { ApiResponse } from "../../src/http/api-response.ts";
import { type App, createApp } from "../../src/http/app/app.ts";
import { createKeyRing } from "../../src/http/auth/api-key-auth.ts";
import { ViewTokens } from "../../src/http/auth/view-tokens.ts";
import { createMetrics } from "../../src/http/metrics.ts";
import { machineTime } from "../../src/runtime/clock.ts";
import { type OpenEvents, open } from "../../src/runtime/open-store.ts";
import { version } from "../../src/runtime/version.ts";
import { AuditTrail } from "../../src/services/audit.ts";
import { CredentialAdmin } from "../../src/services/credentials.ts";
import { RequestsInProgress } from "../../src/services/idempotent-requests.ts";
import { RequestRecorder } from "../../src/services/recording.ts";
import { SessionData } from "../../src/services/session-data.ts";
import { SessionService } from "../../src/services/sessions.ts";
import { Statistics } from "../../src/services/statistics.ts";
import { WebhookAdmin } from "../../src/services/webhook-admin.ts";
import { Refusal } from "../../src/session/errors.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { basePaths, dialectBasePaths, type Mode } from "./description.ts";

const texts = [...basePaths, ...dialectBasePaths].map(({ path, dialect }) => `${path}=${dialect}`);

/** An application with a store of its own, without a server in front of it. */
export interface OpenedApp extends AsyncDisposable {
  readonly app: App;
  /** Returns an id as the service issues them. */
  newId(): string;
  /** Sends a request to the application with no headers except its host and `headers`. */
  send(method: string, path: string, headers?: Readonly<Record<string, string>>): Promise<RawResponse>;
}

/**
 * Opens an application whose callers are all administrators. `unreadable`: the store cannot read. `late`: no request
 * body arrives in time.
 */
export async function openApp(
  mode: Mode,
  { unreadable = false, late = false }: { unreadable?: boolean; late?: boolean } = {},
): Promise<OpenedApp> {
  const directory = temporaryDirectory();
  // Without an audience there is no path for the keys of assertions.
  const flags = { dataDir: directory.path, basePath: texts, assertionAudience: "shop" };
  const loaded = loadConfig({ flags, env: {}, cwd: directory.path });
  const config = { ...loaded.config, auth: mode };
  const opened = await open(config, machineTime, noEvents);
  const keyRing = createKeyRing(machineTime.wall);
  const store = unreadable ? withoutReading(opened.store) : opened.store;
  const parts = { ...opened, ...config, store, inProgress: new RequestsInProgress(), events: noEvents };
  const service = new SessionService({ ...parts, rotation: config });
  const app = createApp({
    ...opened,
    store,
    service,
    recorder: new RequestRecorder({ ...parts, service }),
    sessionData: new SessionData({ ...opened, store, service }),
    trail: new AuditTrail(store, opened.clock),
    statistics: new Statistics({ store, wallClock: machineTime.wall }),
    credentials: new CredentialAdmin({
      ...opened,
      ...{
        store,
        trail: new AuditTrail(store, opened.clock),
        logHash: (id) => id,
        wallClock: machineTime.wall,
        events: {},
      },
    }),
    webhooks: new WebhookAdmin({ ...opened, store, faultOfUrl: () => undefined, events: noEvents }),
    config,
    settings: shownSettings(loaded),
    wallClock: machineTime.wall,
    version,
    metrics: createMetrics(),
    log: pino({ level: "silent" }),
    logHash: (id) => id,
    limits: undefined,
    consoleFiles: undefined,
    consoleAccess: undefined,
    viewTokens: new ViewTokens({ signer: opened.signers.view, wallClock: machineTime.wall, keyRing }),
    verifyLogoutToken: async () => ({ customerId: "customer-4711", jti: "1" }),
    authenticate: () => ({ role: "administrator", customerId: null, agentId: null }),
  });
  return {
    app,
    newId: () => opened.ids.issue(opened.clock()).id,
    async send(method, path, given = {}) {
      const request = requestOf(method, path, given);
      const response = await app.handle(late ? withoutEnd(request) : request);
      const { status, headers, contentLocation, etag, body } = response;
      const located = {
        ...(contentLocation !== undefined && { "content-location": contentLocation }),
        ...(etag !== undefined && { etag }),
      };
      return {
        status,
        headers: new Map(new Headers({ ...headers, ...located })),
        body: await textOf(body),
      };
    },
    async [Symbol.asyncDispose]() {
      await opened.store.close();
      directory.remove();
    },
  };
}

function withoutEnd(request: HttpRequest): HttpRequest {
  return { ...request, hasBody: true, body: () => Promise.reject(new BodyError("late")) };
}

function textOf(body: ApiResponse["body"]): Promise<string> {
  const isWritable = body !== null && typeof body === "object" && "write" in body;
  if (!isWritable) return new Response(body).text();
  const bytes = Buffer.alloc(body.maxLength);
  return Promise.resolve(bytes.toString("utf8", 0, body.write(bytes, 0)));
}

const nothing = () => undefined;

/** Ignores all events. */
const noEvents: OpenEvents = {
  committed: nothing,
  failed: nothing,
  recordsLost: nothing,
  recordsDropped: nothing,
  credentialsChanged: nothing,
  noticed: () => undefined,
  suspended: () => undefined,
  created: nothing,
  associated: nothing,
  rotated: nothing,
  ended: nothing,
  recorded: nothing,
};

function withoutReading(store: StoreEngine): StoreEngine {
  const refuse = () => {
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error("the disk cannot be read"));
  };
  return {
    ...store,
    getCached: nothing,
    find: refuse,
    getCachedWithData: nothing,
    findWithData: refuse,
    lastAuditEntry: refuse,
    listApiKeys: refuse,
    listEndpoints: refuse,
    readAuditEntries: refuse,
    eventBounds: refuse,
    readStatistics: refuse,
  };
}

function requestOf(method: string, path: string, headers: Readonly<Record<string, string>>): HttpRequest {
  return {
    method,
    path,
    // A page: a stream would have no end.
    query: path === "/events" ? "after=000000000-0000000001&limit=5" : "",
    peer: "",
    header: (name) => ({ host: "localhost", accept: "application/x-ndjson", ...headers })[name] ?? null,
    hasBody: false,
    body: async () => new Uint8Array(),
    onEnd: nothing,
  };
}
