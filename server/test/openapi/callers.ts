import { randomUUID } from "node:crypto";
import type { Principal } from "../../src/session/permissions.ts";
import { serve, type TestServer, type TestServerOptions } from "../support/in-process.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";
import { introduce } from "../support/people.ts";
import { exchange, type RawResponse, requestText } from "../support/raw-http.ts";
import { basePaths, type DocumentedOperation, type Mode } from "./description.ts";

const principals = {
  administrator: { role: "administrator", customerId: null, agentId: null },
  reporter: { role: "reporter", customerId: null, agentId: null },
  customer: { role: "customer", customerId: "customer-of-the-credential", agentId: null },
  page: { role: "customer", customerId: null, agentId: null },
} as const satisfies Record<string, Principal>;

/** Parts of a request in addition to those that its operation requires. */
export interface RequestParts {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The query without "?". */
  readonly query?: string;
  /** The value of the path parameter. By default the first one of the document, or the id of a new session. */
  readonly inPath?: string;
  /** The base path; the root by default. */
  readonly base?: string;
  readonly method?: string;
  /** Text that is appended to the path. */
  readonly after?: string;
  /** The holder of the credential that is sent; by default an administrator. */
  readonly as?: "administrator" | "customer" | "page" | "reporter" | "view" | "nobody" | "stranger";
}

/** A server in one mode of access, and credentials for requests to it. */
export interface Host extends AsyncDisposable {
  readonly server: TestServer;
  send(operation: DocumentedOperation, parts?: RequestParts): Promise<RawResponse>;
  /** Creates a session and returns its id. */
  session(): Promise<string>;
  /** Creates an endpoint of webhooks with a delivery, whose id is 1, and returns its id. */
  webhook(isEnabled?: boolean): Promise<string>;
}

/** Starts a server that knows the credentials of `RequestParts.as`, and an identity provider. */
export async function startHost(mode: Mode, options: TestServerOptions = {}): Promise<Host> {
  const known = await introduce(mode, principals);
  const { keys } = known;
  const provider = await startIssuer();
  const config = {
    basePaths,
    logout: provider.config,
    ...known.config,
    ...options.config,
  };
  const server = await serve({ ...options, config, keys });

  function credential(as: Exclude<RequestParts["as"], "view"> = "administrator"): string[] {
    if (as === "nobody") return [];
    const headers = as === "stranger" ? known.stranger : known.headers[as];
    return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  }

  async function session(): Promise<string> {
    const line = "PUT /sessions/new";
    const response = await exchange(server.port, requestText(line, credential()));
    return (JSON.parse(response.body) as { sessionId: string }).sessionId;
  }

  async function sendRequest(operation: DocumentedOperation, given: RequestParts): Promise<RawResponse> {
    const isLogout = operation.id === "backchannelLogout" && given.body === undefined;
    const parts = isLogout ? { ...given, ...(await logoutForm(provider)) } : given;
    const method = parts.method ?? operation.method;
    const path = await pathFor(operation, parts, { session, sharedWebhook, apiKey });
    const formHeaders = isLogout ? { "Content-Type": "application/x-www-form-urlencoded" } : bodyHeaders(parts);
    const headers = { ...formHeaders, ...parts.headers };
    const query = parts.query === undefined ? "" : `?${parts.query}`;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const text = requestText(
      `${method} ${parts.base ?? ""}${path}${parts.after ?? ""}${query}`,
      [...(parts.as === "view" ? [await viewToken()] : credential(parts.as)), ...lines],
      parts.body,
    );
    return exchange(server.port, withOneHost(text, headers), { head: method === "HEAD" });
  }

  /** Asks for a page of events with at least one event: a stream has no end, and an empty page is described by nothing. */
  async function sendForEvents(operation: DocumentedOperation, given: RequestParts): Promise<RawResponse> {
    const created = requestText("PUT /sessions/new", [...credential(), "gkc-customerId: customer-4711"]);
    await exchange(server.port, created);
    const names = new URLSearchParams(given.query);
    const more = [names.has("limit") ? "" : "limit=5", names.has("after") ? "" : "after=start"];
    const query = [given.query ?? "", ...more].filter((part) => part !== "").join("&");
    const headers = { Accept: "application/x-ndjson", ...given.headers };
    return sendRequest(operation, { ...given, query, headers });
  }

  async function post(path: string, json: object): Promise<RawResponse> {
    const lines = [...credential(), "Content-Type: application/json"];
    return exchange(server.port, requestText(`POST ${path}`, lines, JSON.stringify(json)));
  }

  async function webhook(isEnabled = true): Promise<string> {
    const response = await post("/webhooks", { url: "http://127.0.0.1:1/", isEnabled });
    const { id } = JSON.parse(response.body) as { id: string };
    if (isEnabled) await post(`/webhooks/${id}/test`, {});
    return id;
  }

  async function viewToken(): Promise<string> {
    const response = await post("/view-tokens", { customerId: "customer-4711" });
    return `Authorization: Bearer ${(JSON.parse(response.body) as { token: string }).token}`;
  }

  /** Creates an API key and returns its id. */
  async function apiKey(): Promise<string> {
    const response = await post("/api-keys", { role: "reporter" });
    return (JSON.parse(response.body) as { id: string }).id;
  }

  /** The endpoints for requests that need one. Their number is limited, so operations share one, except to delete it. */
  const webhooks = new Map<string, Promise<string>>();
  function sharedWebhook({ id }: DocumentedOperation): Promise<string> {
    if (id === "deleteWebhook") return webhook();
    const use = id === "updateWebhook" ? id : "";
    const shared = webhooks.get(use) ?? webhook();
    webhooks.set(use, shared);
    return shared;
  }

  return {
    server,
    session,
    send: (operation, given = {}) =>
      operation.id === "readEvents" ? sendForEvents(operation, given) : sendRequest(operation, given),
    webhook,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await known[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
    },
  };
}

/** Returns the form that an identity provider sends. */
async function logoutForm(provider: Issuer) {
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const token = await provider.token({ sub: "customer-4711", jti: randomUUID(), events });
  return { body: `logout_token=${token}` };
}

async function pathFor(
  operation: DocumentedOperation,
  { inPath }: RequestParts,
  make: {
    session(): Promise<string>;
    sharedWebhook(of: DocumentedOperation): Promise<string>;
    apiKey(): Promise<string>;
  },
): Promise<string> {
  if (operation.path.includes("{webhookId}")) {
    const id = inPath ?? (await make.sharedWebhook(operation));
    return operation.path.replace("{webhookId}", id).replace("{deliveryId}", "1");
  }
  if (operation.path.includes("{keyId}")) {
    return operation.path.replace("{keyId}", inPath ?? (await make.apiKey()));
  }
  const parameter = operation.parameters.find((each) => each.in === "path");
  if (parameter === undefined) return operation.path;
  const values = parameter.schema["enum"] as string[] | undefined;
  const example = parameter.example?.toString();
  const value = inPath ?? values?.[0] ?? example ?? (await make.session());
  return operation.path.replace(`{${parameter.name}}`, value);
}

function bodyHeaders({ body }: RequestParts): Record<string, string> {
  return body === undefined ? {} : { "Content-Type": "application/json" };
}

function withOneHost(text: string, headers: Readonly<Record<string, string>>): string {
  return headers["Host"] === undefined ? text : text.replace("Host: localhost\r\n", "");
}
