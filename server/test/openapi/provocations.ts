import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import type { Config } from "../../src/config/config.ts";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { SESSION_ID_CHARACTERS } from "../../src/session/id.ts";
import { startIssuer } from "../support/issuer.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { MINUTE } from "../support/sessions.ts";
import { type OpenedApp, openApp } from "./apps.ts";
import { type Host, type RequestParts, startHost } from "./callers.ts";
import { type DocumentedOperation, type Mode, operationsOf } from "./description.ts";
import { bodyOf, takes } from "./requests.ts";

/** The test servers for one authentication mode (setting `auth`). */
export interface Hosts {
  readonly usual: Host;
  /** A server that refuses every change, because its limit of changes that wait for the disk is 0. */
  readonly overloaded: Host;
  /** A server whose `/forward-auth` creates no sessions. It signs no identities, and has no identity provider or events. */
  readonly demanding: Host;
  /** A server that allows every client one request per hour. */
  readonly limited: Host;
  /** An application to which no request body arrives in time. */
  readonly late: OpenedApp;
  /** An application whose store cannot read. */
  readonly unreadable: OpenedApp;
}

const anHour = { count: 1, period: 60 * MINUTE };
const once: Partial<Config> = {
  trustedProxies: [parseRange("127.0.0.1") as AddressRange],
  perAddress: { creates: anHour, misses: anHour, requests: anHour },
};

/** Starts the servers of each of these modes. */
export async function startHosts(
  modes: readonly Mode[],
  common: Partial<Config> = {},
): Promise<ReadonlyMap<Mode, Hosts>> {
  const hosts = new Map<Mode, Hosts>();
  for (const mode of modes) {
    hosts.set(mode, {
      usual: await startHost(mode, { config: { assertionAudience: "shop", ...common } }),
      overloaded: await startHost(mode, { config: { ...common, maxPendingWrites: 0 } }),
      demanding: await startHost(mode, {
        config: { ...common, forwardAuth: "required", logout: undefined, events: "off" },
      }),
      limited: await startHost(mode, { config: { ...common, ...once } }),
      late: await openApp(mode, { late: true }),
      unreadable: await openApp(mode, { unreadable: true }),
    });
  }
  return hosts;
}

/** Holders of credentials that may not use these operations. */
const forbidden: Readonly<Record<string, RequestParts["as"]>> = {
  ...{ metrics: "customer", readEvents: "customer", readStatistics: "customer", listSessions: "page" },
  ...{ createSession: "view", retrieveSession: "view", headSession: "view", readData: "view" },
};

/** The body of an update that gives the session a new id. */
const rotation = JSON.stringify({ rotate: true });

/** A disabled endpoint of webhooks on each server. */
const disabledWebhooks = new WeakMap<Host, Promise<string>>();

type Provoke = (operation: DocumentedOperation, hosts: Hosts) => Promise<RawResponse>;

/** For each code, sends a request that provokes it and is otherwise valid. */
export const provocations: Readonly<Record<string, Provoke>> = {
  "invalid-request": (operation, { usual }) => {
    if (operation.id === "recordRequests") return usual.send(operation, { body: '{"method":"GET"}' });
    if (operation.id === "backchannelLogout") return usual.send(operation, { body: "logout_token=x" });
    if (operation.id === "endSessions") return usual.send(operation, { body: "{}" });
    if (["createWebhook", "createApiKey", "createViewToken"].includes(operation.id))
      return usual.send(operation, { body: "{}" });
    if (operation.id === "updateWebhook") return usual.send(operation, { body: '{"isEnabled":1}' });
    if (["rotateWebhookSecret", "rotateApiKey"].includes(operation.id))
      return usual.send(operation, { body: '{"graceSeconds":-1}' });
    if (["testWebhook", "redeliver"].includes(operation.id)) {
      disabledWebhooks.set(usual, disabledWebhooks.get(usual) ?? usual.webhook(false));
      return disabledWebhooks.get(usual)?.then((inPath) => usual.send(operation, { inPath })) ?? usual.send(operation);
    }
    if (operation.id === "readStatistics") return usual.send(operation, { query: "step=61" });
    if (["listSessions", "readAudit", "readEvents", "listDeliveries", "listApiKeys"].includes(operation.id)) {
      return usual.send(operation, { query: "limit=0" });
    }
    if (operation.id === "verifyAudit") return usual.send(operation, { query: "expect=none" });
    if (operation.mode === "key" && !takes(operation, "gkc_customerId")) {
      return usual.send(operation, { headers: { "x-api-key": "a second key" } });
    }
    return usual.send(operation, {
      headers: takes(operation, "gkc_customerId")
        ? { gkc_customerId: "one", "gkc-customerId": "another" }
        : { Host: "elsewhere.example" },
    });
  },
  "already-exists": async (operation, { usual }) => {
    const body = JSON.stringify({ visitId: randomUUID() });
    assert.equal((await usual.send(createOf(operation), { body })).status, 200);
    return usual.send(operation, { body });
  },
  "nothing-to-associate": (operation, { usual }) => usual.send(operation),
  "rotation-limit": async (operation, { usual }) => {
    if (operation.id !== "updateSession") return usual.send(operation);
    let inPath = await usual.session();
    for (;;) {
      const response = await usual.send(operation, { inPath, body: rotation });
      if (response.status !== 200) return response;
      inPath = (response.headers.get("content-location") ?? "").slice(-SESSION_ID_CHARACTERS);
    }
  },
  "session-not-found": (operation, { usual }) => {
    if (operation.id === "createViewToken")
      return usual.send(operation, { body: `{"session":"AaIH2SEAAACPHF0qsH5DyZFu"}` });
    return usual.send(operation, {
      inPath: "undefined",
      headers: { gkc_customerId: "customer-4711" },
      ...bodyOf(operation, 0),
    });
  },
  "not-found": (operation, { usual, demanding }) =>
    ["assertionKeys", "backchannelLogout", "readEvents"].includes(operation.id)
      ? demanding.send(operation)
      : usual.send(operation, { inPath: "nothing.js" }),
  "precondition-failed": (operation, { usual }) =>
    usual.send(operation, { headers: { "If-Match": '"other"' }, ...bodyOf(operation, 0) }),
  "body-too-large": (operation, { usual }) =>
    operation.id === "recordRequests"
      ? usual.send(operation, { headers: { "Content-Length": "9000000" } })
      : usual.send(operation, { body: JSON.stringify({ visitId: "v".repeat(17_000) }) }),
  "unsupported-media-type": (operation, { usual }) =>
    usual.send(operation, { body: "visitId=1", headers: { "Content-Type": "text/plain" } }),
  "request-timeout": async ({ method, path }, { late }) => {
    const response = await late.send(method, path.replace("{sessionId}", late.newId()));
    return method === "HEAD" ? { ...response, body: "" } : response;
  },
  "credential-required": (operation, { usual }) => usual.send(operation, { as: "nobody" }),
  "invalid-credential": (operation, { usual }) => usual.send(operation, { as: "stranger" }),
  "identity-mismatch": (operation, { usual }) => {
    const customerId = "somebody-else";
    if (operation.id === "listSessions") {
      return usual.send(operation, { as: "customer", query: `customerId=${customerId}` });
    }
    if (operation.id === "endSessions") {
      return usual.send(operation, { as: "customer", body: JSON.stringify({ customerId }) });
    }
    return usual.send(operation, { as: "customer", headers: { gkc_customerId: customerId } });
  },
  "role-not-permitted": (operation, { usual }) =>
    usual.send(operation, {
      as: forbidden[operation.id] ?? "reporter",
      ...(operation.id === "updateSession" && { body: rotation }),
    }),
  "session-required": (operation, { demanding }) => demanding.send(operation),
  "request-under-way": sendAtOnce,
  "idempotency-key-reused": async (operation, { usual }) => {
    const headers = { "Idempotency-Key": randomUUID() };
    const inPath = await usual.session();
    const [body, otherBody] =
      operation.id === "updateSession"
        ? [{ body: rotation }, { body: rotation }]
        : [bodyOf(operation, 0), bodyOf(operation, 1)];
    await usual.send(operation, { headers, inPath, ...body });
    const other = { ...headers, gkc_customerId: "customer-4711" };
    return usual.send(operation, { headers: other, inPath, ...otherBody });
  },
  "too-many-requests": async (operation, { limited }) => {
    const client = { "X-Forwarded-For": `2001:db8:${randomBytes(2).toString("hex")}::1` };
    await limited.send(operation, { headers: client, inPath: "unknown" });
    return limited.send(operation, { headers: client, inPath: "unknown" });
  },
  unavailable: async (operation, { overloaded, unreadable }) => {
    const { method, id, mode } = operation;
    if (["metrics", "createViewToken", "readConfiguration", "readHealth"].includes(id) && mode === "jwt")
      return sendWithoutKeySet(operation);
    const createsNothing = codesOf(operation).includes("session-not-found");
    const reads =
      method === "HEAD" ||
      ["readAudit", "verifyAudit", "readData"].includes(id) ||
      (operation.path.startsWith("/api-keys") && id !== "createApiKey") ||
      id === "readEvents" ||
      id === "readStatistics" ||
      (operation.path.startsWith("/webhooks") && id !== "createWebhook") ||
      id.startsWith("forwardAuth") ||
      (id === "retrieveSession" && createsNothing);
    if (reads) return sendToUnreadable(operation, unreadable);
    const headers = { gkc_customerId: "customer-4711" };
    // `overloaded` refuses only writes. A retrieval writes only to create a session; recording waits only if `durable`.
    const unknown = id === "retrieveSession" ? { inPath: "unknown" } : {};
    const records = id === "recordRequests" ? { ...bodyOf(operation, 0), query: "durable=true" } : bodyOf(operation, 0);
    const parts = { headers, ...unknown, ...records };
    return overloaded.send(operation, parts);
  },
};

/** Provokes `unavailable` in operations that only read, with a store that cannot read. */
async function sendToUnreadable({ method, path }: DocumentedOperation, opened: OpenedApp): Promise<RawResponse> {
  const sessionId = opened.newId();
  const parts = path.replace("{sessionId}", sessionId);
  const response = await opened.send(method, parts, { "gkc-sessionid": sessionId });
  // The application returns a body even for HEAD. In a server, the HTTP listener omits that body.
  return method === "HEAD" ? { ...response, body: "" } : response;
}

/** Provokes `unavailable` in operations that do not use the store: the JWKS of the token issuer cannot be fetched. */
async function sendWithoutKeySet(operation: DocumentedOperation): Promise<RawResponse> {
  await using issuer = await startIssuer();
  await issuer.vanish();
  await using host = await startHost(operation.mode, { config: { tokens: issuer.config } });
  return await host.send(operation);
}

/** Sends the same request several times at once, until one arrives while another is in progress. */
async function sendAtOnce(operation: DocumentedOperation, { usual }: Hosts): Promise<RawResponse> {
  const body = operation.id === "updateSession" ? { body: rotation } : bodyOf(operation, 0);
  for (let round = 1; ; round++) {
    const headers = { "Idempotency-Key": randomUUID() };
    const parts = { headers, inPath: await usual.session(), ...body };
    const responses = await Promise.all(Array.from({ length: 8 }, () => usual.send(operation, parts)));
    const late = responses.find(({ status }) => status === 409);
    if (late !== undefined) return late;
    if (round === 20 || !takes(operation, "Idempotency-Key")) return usual.send(operation, parts);
  }
}

function codesOf({ responses }: DocumentedOperation): readonly string[] {
  return responses.flatMap(({ codes }) => codes);
}

function createOf({ mode }: DocumentedOperation): DocumentedOperation {
  const [create] = operationsOf(mode).filter(({ id }) => id === "createSession");
  assert.ok(create);
  return create;
}
