import type { Principal } from "../../src/session/permissions.ts";
import { serve, type TestServer, type TestServerOptions } from "../support/in-process.ts";
import { introduce } from "../support/people.ts";
import { exchange, type RawResponse, requestText } from "../support/raw-http.ts";
import { basePaths, type DocumentedOperation, type Mode } from "./description.ts";

const people = {
  administrator: { role: "administrator", customerId: null, agentId: null },
  reporter: { role: "reporter", customerId: null, agentId: null },
  customer: { role: "customer", customerId: "customer-of-the-credential", agentId: null },
} as const satisfies Record<string, Principal>;

/** A request, by what it has besides that which its operation demands. */
export interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Without "?". */
  readonly query?: string;
  /** In the place of what stands in the path; what the document has as an example, the first file, or a new session by default. */
  readonly inPath?: string;
  /** Below which base path; the root by default. */
  readonly base?: string;
  readonly method?: string;
  /** Added to the path. */
  readonly after?: string;
  /** Whose credential goes with it; that of an administrator by default. */
  readonly as?: "administrator" | "customer" | "reporter" | "nobody" | "stranger";
}

/** A server in one mode, and those who ask it. */
export interface Host extends AsyncDisposable {
  readonly server: TestServer;
  ask(operation: DocumentedOperation, asked?: Asked): Promise<RawResponse>;
  /** The id of a new session. */
  session(): Promise<string>;
}

/** Starts a server, with what it needs to know its callers. */
export async function startHost(mode: Mode, options: TestServerOptions = {}): Promise<Host> {
  const known = await introduce(mode, people);
  const { keys } = known;
  const config = {
    basePaths,
    ...known.config,
    ...options.config,
  };
  const server = await serve({ ...options, config, keys });

  function credential(as: Asked["as"] = "administrator"): string[] {
    if (as === "nobody") return [];
    const headers = as === "stranger" ? known.stranger : known.headers[as];
    return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  }

  async function session(): Promise<string> {
    const line = "PUT /sessions/new";
    const answer = await exchange(server.port, requestText(line, credential()));
    return (JSON.parse(answer.body) as { sessionId: string }).sessionId;
  }

  return {
    server,
    session,
    async ask(operation, asked = {}) {
      const method = asked.method ?? operation.method;
      const path = await pathFor(operation, asked, session);
      const headers = { ...bodyHeaders(asked), ...asked.headers };
      const query = asked.query === undefined ? "" : `?${asked.query}`;
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      const text = requestText(
        `${method} ${asked.base ?? ""}${path}${asked.after ?? ""}${query}`,
        [...credential(asked.as), ...lines],
        asked.body,
      );
      return exchange(server.port, withOneHost(text, headers), { head: method === "HEAD" });
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await known[Symbol.asyncDispose]();
    },
  };
}

async function pathFor(
  operation: DocumentedOperation,
  { inPath }: Asked,
  session: () => Promise<string>,
): Promise<string> {
  const parameter = operation.parameters.find((each) => each.in === "path");
  if (parameter === undefined) return operation.path;
  const values = parameter.schema["enum"] as string[] | undefined;
  const example = parameter.example?.toString();
  const value = inPath ?? values?.[0] ?? example ?? (await session());
  return operation.path.replace(`{${parameter.name}}`, value);
}

function bodyHeaders({ body }: Asked): Record<string, string> {
  return body === undefined ? {} : { "Content-Type": "application/json" };
}

function withOneHost(text: string, headers: Readonly<Record<string, string>>): string {
  return headers["Host"] === undefined ? text : text.replace("Host: localhost\r\n", "");
}
