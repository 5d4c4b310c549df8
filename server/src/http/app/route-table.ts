import type { BasePath } from "../../config/base-path.ts";
import {
  adminRoles,
  dataRolesOf,
  eventRoles,
  monitoringRoles,
  recordingRoles,
  roles,
  viewTokenRoles,
} from "../../session/permissions.ts";
import type { Call } from "../call.ts";
import { createAdministrationHandlers, type InitiatorOf } from "../handlers/administration.ts";
import { createApiKeyHandlers } from "../handlers/api-keys.ts";
import { createKeySetHandler } from "../handlers/assertion-keys.ts";
import { createAuditHandlers } from "../handlers/audit.ts";
import { createBackchannelLogout, logoutError } from "../handlers/backchannel-logout.ts";
import { createConsolePages } from "../handlers/console/console-pages.ts";
import { createSignInHandlers } from "../handlers/console/sign-in.ts";
import { type AuditDataRead, createAuditDataRead } from "../handlers/data-reads.ts";
import { envelopeOfV1, envelopeOfV2 } from "../handlers/dialects/envelopes.ts";
import { createHandlersOfV851 } from "../handlers/dialects/v8-5-1.ts";
import { createDocsHandlers } from "../handlers/docs.ts";
import type { EventFeed } from "../handlers/events/event-feed.ts";
import { createEventHandler } from "../handlers/events/events.ts";
import { FORWARD_AUTH_PATH, ForwardAuth, forwardAuthStatus } from "../handlers/forward-auth.ts";
import { createHealthHandlers } from "../handlers/health.ts";
import { createOperationHandlers } from "../handlers/operations.ts";
import { createRecordHandlers } from "../handlers/records.ts";
import { createDataHandlers } from "../handlers/session-data.ts";
import { createSessionHandlers } from "../handlers/sessions.ts";
import { createStatisticsHandler } from "../handlers/statistics.ts";
import { createViewTokenHandler } from "../handlers/view-tokens.ts";
import { createWebhookHandlers } from "../handlers/webhooks.ts";
import type { AppParts } from "./app-parts.ts";
import type { Base, Route } from "./router.ts";

// The kinds of access. Each one has the roles that may use a route, whether the route also exists below the base paths,
// and the action that the rate limits count.
const api = { roles, isUnderBasePath: true, rateLimitAs: "requests" } as const;
const creating = { ...api, rateLimitAs: "creates" } as const;
const recording = { ...api, roles: recordingRoles } as const;
const admins = { ...api, roles: adminRoles, isUnderBasePath: false } as const;
const viewTokenCreation = { ...api, roles: viewTokenRoles, isUnderBasePath: false } as const;
const reading = { ...api, roles: eventRoles, isUnderBasePath: false } as const;
const forwardAuth = { ...recording, isUnderBasePath: false } as const;
const open = { roles: "everybody", isUnderBasePath: false, rateLimitAs: "requests" } as const;
/** Probes have no rate limit. Otherwise a monitoring system could mistake a busy process for a dead one. */
const probing = { ...open, rateLimitAs: undefined } as const;
const monitoring = { ...open, roles: monitoringRoles } as const;

/**
 * Returns the routes of one base path. Each row has: method, path, access, operation, handler, and the name of the act
 * in the audit trail. `session` has the routes that depend on the dialect of the base path.
 */
function routeTable(
  handlers: Handlers,
  session: readonly Route[],
  dataRoles: ReturnType<typeof dataRolesOf>,
): readonly Route[] {
  const readingData = { ...api, roles: dataRoles.reading };
  const changingData = { ...api, roles: dataRoles.changing };
  const { admin, records, data, proxy, health, docs } = handlers;
  const ofProxy = { refusalStatus: forwardAuthStatus, isSubRequest: true };
  return [
    { ...row("GET", "/sessions", api, "list", admin.list, "sessions.list"), isForViews: true },
    row("POST", "/sessions/end", recording, "end-by-filter", admin.endByFilter, "sessions.end"),
    row("GET", "/customers/:customerId/export", admins, "export", admin.exportCustomer, "customer.export"),
    row("DELETE", "/customers/:customerId", admins, "erase", admin.erase, "customer.erase"),
    ...operatorRoutes(handlers),
    row("GET", "/stats", reading, "stats", handlers.statistics),
    ...webhookRoutes(handlers.webhooks),
    ...session,
    row("DELETE", "/sessions/:sessionId", recording, "end", admin.end, "session.end"),
    row("POST", "/sessions/:sessionId/requests", recording, "record", records.record),
    { ...row("GET", "/sessions/:sessionId/requests", api, "timeline", records.timeline), isForViews: true },
    row("GET", "/sessions/:sessionId/data", readingData, "read-data", data.read),
    row("PATCH", "/sessions/:sessionId/data", changingData, "merge-data", data.merge),
    row("PUT", "/sessions/:sessionId/data", changingData, "replace-data", data.replace),
    row("DELETE", "/sessions/:sessionId/data", changingData, "clear-data", data.clear),
    { ...row("*", FORWARD_AUTH_PATH, forwardAuth, "forward-auth", proxy), ...ofProxy },
    { ...row("*", `${FORWARD_AUTH_PATH}/*`, forwardAuth, "forward-auth", proxy), ...ofProxy },
    ...optionalRoutes(handlers),
    row("GET", "/healthz", probing, "health", health.health),
    row("GET", "/readyz", probing, "readiness", health.ready),
    row("GET", "/metrics", monitoring, "metrics", health.metrics),
    row("GET", "/openapi.json", open, "docs", docs.document),
    row("GET", "/", open, "docs", docs.root),
    row("GET", "/docs", open, "docs", docs.page),
    row("GET", "/docs/*", open, "docs", docs.page),
    ...consoleRoutes(handlers),
  ];
}

/** Returns the routes that exist only with certain settings. Without these, their paths are unknown with every method. */
function optionalRoutes({ events, logout, keySet }: Handlers): Route[] {
  const routes: Route[] = [];
  if (events) routes.push(row("GET", "/events", reading, "events", events));
  if (logout) {
    const route = row("POST", "/oidc/backchannel-logout", open, "backchannel-logout", logout);
    routes.push({ ...route, restate: logoutError });
  }
  if (keySet) routes.push(row("GET", "/.well-known/jwks.json", open, "key-set", keySet));
  return routes;
}

/** Returns the routes of the console; none if it is not served. */
function consoleRoutes({ consolePages: pages, signIn }: Handlers): Route[] {
  if (pages === undefined || signIn === undefined) return [];
  return [
    row("GET", "/console/viewer", open, "console-session", signIn.session),
    row("POST", "/console/sign-in", open, "console-sign-in", signIn.signIn),
    row("POST", "/console/sign-out", open, "console-sign-out", signIn.signOut),
    row("GET", "/console/sign-in/provider", open, "console-sign-in", signIn.toProvider),
    row("GET", "/console/callback", open, "console-sign-in", signIn.callback),
    // The general row is first, because the other one also matches `/console/`.
    row("GET", "/console/*", open, "console", pages.file),
    row("GET", "/console", open, "console", pages.root),
  ];
}

/** Returns the routes of API keys, the audit trail, and the state of the service. */
function operatorRoutes({ apiKeys, audit, operations, viewToken }: Handlers): Route[] {
  return [
    row("GET", "/api-keys", admins, "list-keys", apiKeys.list, "keys.list"),
    row("POST", "/api-keys", admins, "create-key", apiKeys.create, "key.create"),
    row("POST", "/api-keys/:keyId/rotate", admins, "rotate-key", apiKeys.rotate, "key.rotate"),
    row("DELETE", "/api-keys/:keyId", admins, "revoke-key", apiKeys.revoke, "key.revoke"),
    row("GET", "/audit", admins, "audit", audit.list, "audit.read"),
    row("GET", "/audit/verify", admins, "verify-audit", audit.verify, "audit.verify"),
    row("POST", "/view-tokens", viewTokenCreation, "create-view-token", viewToken, "view-token.create"),
    row("GET", "/configuration", admins, "configuration", operations.configuration, "configuration.read"),
    row("GET", "/health", admins, "health-details", operations.health, "health.read"),
  ];
}

/** Returns the routes of webhooks (contract.md#webhooks). */
function webhookRoutes(webhooks: Handlers["webhooks"]): Route[] {
  const one = "/webhooks/:webhookId";
  return [
    row("GET", "/webhooks", admins, "list-webhooks", webhooks.list, "webhooks.list"),
    row("POST", "/webhooks", admins, "create-webhook", webhooks.create, "webhook.create"),
    row("GET", one, admins, "get-webhook", webhooks.get, "webhook.get"),
    row("PATCH", one, admins, "update-webhook", webhooks.update, "webhook.update"),
    row("DELETE", one, admins, "delete-webhook", webhooks.remove, "webhook.delete"),
    row("POST", `${one}/test`, admins, "test-webhook", webhooks.test, "webhook.test"),
    row(
      "POST",
      `${one}/rotate-secret`,
      admins,
      "rotate-webhook-secret",
      webhooks.rotateSecret,
      "webhook.rotate-secret",
    ),
    row("GET", `${one}/deliveries`, admins, "list-deliveries", webhooks.deliveries, "webhook.deliveries"),
    row(
      "POST",
      `${one}/deliveries/:deliveryId/redeliver`,
      admins,
      "redeliver",
      webhooks.redeliver,
      "webhook.redeliver",
    ),
  ];
}

/** Returns the routes of the operations on a session in the dialect of a base path (contract.md#dialects). */
function sessionRoutes(
  { service, sessionData, limits, config }: AppParts,
  { path: base, dialect }: BasePath,
  auditRead: AuditDataRead,
): Route[] {
  const dataReaders = dataRolesOf(config.customerData).reading;
  const parts = { service, sessionData, auditRead, limits, base, dataReaders };
  if (dialect === "v2") {
    const v2 = createSessionHandlers({ ...parts, form: envelopeOfV2 });
    return [
      row("POST", "/sessions", creating, "create", v2.create),
      row("PATCH", "/sessions/:sessionId", api, "associate", v2.associate),
    ];
  }
  const session =
    dialect === "8.5.1"
      ? createHandlersOfV851(parts)
      : createSessionHandlers(dialect === "current" ? { ...parts, form: envelopeOfV1 } : parts);
  return [
    row("PUT", "/sessions/new", creating, "create", session.create),
    row("GET", "/sessions/:sessionId", api, "retrieve", session.retrieve),
    row("HEAD", "/sessions/:sessionId", api, "head", session.head),
    row("POST", "/sessions/:sessionId", api, "associate", session.associate),
  ];
}

/** Creates the route tables: first that of the root, then one for each base path. */
export function createRouteTables(
  parts: AppParts,
  feed: EventFeed,
  initiatorOf: InitiatorOf,
  isStopping: () => boolean,
): readonly [Base, ...Base[]] {
  const handlers = createHandlers(parts, feed, initiatorOf, isStopping);
  const auditRead = createAuditDataRead({ ...parts, initiatorOf });
  const tableOf = (base: BasePath) =>
    routeTable(handlers, sessionRoutes(parts, base, auditRead), dataRolesOf(parts.config.customerData));
  const bases = parts.config.basePaths.map((base) => ({
    path: base.path,
    routes: tableOf(base).filter(({ isUnderBasePath }) => isUnderBasePath),
  }));
  return [{ path: "", routes: tableOf({ path: "", dialect: "8.5.0" }) }, ...bases];
}

type Handlers = ReturnType<typeof createHandlers>;

function createHandlers(parts: AppParts, feed: EventFeed, initiatorOf: InitiatorOf, isStopping: () => boolean) {
  const { config, service, recorder, store, clock, metrics, version, limits, logHash } = parts;
  const { assertions, verifyLogoutToken } = parts;
  const queryKeys = new Set(config.recordQueryKeys);
  const subRequests = new ForwardAuth({ service, recorder, clock, config, queryKeys, limits, assertions });
  return {
    admin: createAdministrationHandlers({ ...parts, initiatorOf }),
    apiKeys: createApiKeyHandlers({ ...parts, initiatorOf }),
    audit: createAuditHandlers(parts),
    operations: createOperationHandlers({ ...parts, isStopping }),
    webhooks: createWebhookHandlers(parts.webhooks, initiatorOf),
    records: createRecordHandlers({ ...parts, initiatorOf }),
    data: createDataHandlers(parts.sessionData, createAuditDataRead({ ...parts, initiatorOf })),
    proxy: (call: Call) => subRequests.handle(call),
    logout: verifyLogoutToken && createBackchannelLogout({ ...parts, verifyLogoutToken, initiatorOf }),
    keySet: assertions && createKeySetHandler(assertions),
    statistics: createStatisticsHandler(parts.statistics),
    events: config.events === "on" ? createEventHandler({ log: store, feed, logHash }) : undefined,
    health: createHealthHandlers(store, clock, metrics, isStopping),
    docs: createDocsHandlers({ version, ...config, console: parts.consoleFiles !== undefined }),
    viewToken: createViewTokenHandler({ ...parts, initiatorOf }),
    signIn: parts.consoleAccess && createSignInHandlers({ ...parts, access: parts.consoleAccess, initiatorOf }),
    consolePages: parts.consoleFiles && createConsolePages(parts.consoleFiles),
  };
}

function row(
  method: Route["method"],
  path: string,
  access: Pick<Route, "roles" | "isUnderBasePath" | "rateLimitAs">,
  operation: string,
  handle: Route["handle"],
  act?: string,
): Route {
  return { method, path, ...access, operation, handle, ...(act !== undefined && { act }) };
}
