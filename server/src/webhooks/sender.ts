import { lookup as resolve } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import { parseAddress } from "../network/addresses.ts";
import { type AllowedHosts, hostOf, isAllowedAddress } from "../network/receivers.ts";
import type { AttemptError } from "../session/webhook.ts";
import type { Lookup } from "./look-ups.ts";

/** Time limit (ms) of a whole attempt: look-up, connection, TLS, request, and the head of the response. */
const ATTEMPT_TIMEOUT_MS = 15_000;
/** Maximum number of bytes of a response's body that are read, so that the connection can be used again. */
const MAX_BODY_BYTES = 4096;
/** Time (ms) for which the body of a response is read. */
const BODY_TIMEOUT_MS = 1000;
/** Time (ms) for which an unused connection is kept. It is shorter than what usual servers allow (5 s). */
const IDLE_MS = 4000;
/** Maximum number of interim responses (1xx) before the response. Without it, a flood of them would occupy the service. */
const MAX_INTERIM = 32;
/** Maximum number of connections of a pool to one host. */
const MAX_CONNECTIONS = 32;

/** A request to a receiver. */
export interface OutgoingRequest {
  /**
   * Name of a pool of connections. Requests of other pools neither use nor wait for its connections, even if they go to
   * the same host, so an endpoint that hangs does not delay others.
   */
  readonly pool: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The response of a receiver, or why there is none. */
export type SendResult =
  | { readonly status: number; readonly retryAfter: string | undefined }
  | { readonly error: AttemptError };

/** Sends requests to receivers. */
export interface Sender {
  /** Sends a request. Never rejects. `signal` ends the attempt. */
  send(request: OutgoingRequest, signal?: AbortSignal): Promise<SendResult>;
  /** Closes all connections. */
  close(): void;
}

export interface SenderOptions {
  readonly allowed: AllowedHosts;
  readonly userAgent: string;
  readonly timeoutMs?: number;
  readonly lookup?: Lookup;
  /** Certificates of authorities (PEM) that are trusted instead of those of the runtime. */
  readonly ca?: string;
}

/**
 * Creates a sender. It resolves the host itself, checks each address, and connects only to a checked one, so a name that
 * changes its address between the check and the connection (DNS rebinding) leads nowhere. It follows no redirect, uses
 * no proxy from the environment, and verifies certificates. Of a response only the head matters: the outcome is known
 * before the body, which is cut.
 */
export function createSender(options: SenderOptions): Sender {
  const { allowed, userAgent, timeoutMs = ATTEMPT_TIMEOUT_MS, lookup = systemLookup, ca } = options;
  const settings = { keepAlive: true, timeout: IDLE_MS, maxSockets: MAX_CONNECTIONS, scheduling: "lifo" } as const;
  const agents = {
    "http:": inPools(new http.Agent(settings)),
    "https:": inPools(new https.Agent({ ...settings, ...(ca !== undefined && { ca }) })),
  };
  const open = new Set<http.ClientRequest>();

  /** Returns the addresses that may be connected to. */
  async function checkedAddresses(url: URL): Promise<readonly string[] | AttemptError> {
    const host = hostOf(url);
    const literal = parseAddress(host);
    let found: readonly string[];
    try {
      found = literal === undefined ? await lookup(host) : [host];
    } catch {
      return "unknown-host";
    }
    const isAllowed = (text: string) => {
      const address = parseAddress(text);
      return address !== undefined && isAllowedAddress(address, host, url.protocol, allowed);
    };
    const checked = found.filter(isAllowed);
    if (checked.length > 0) return checked;
    return found.length === 0 ? "unknown-host" : "address-not-allowed";
  }

  function exchange(
    url: URL,
    addresses: readonly string[],
    { pool, headers, body }: OutgoingRequest,
    { signal, agent }: { readonly signal: AbortSignal; readonly agent: http.Agent | false },
  ): Promise<SendResult & { readonly isReused?: boolean }> {
    return new Promise((done) => {
      const client = url.protocol === "https:" ? https : http;
      const fields: http.RequestOptions & Pooled = {
        // A connection is used again only while its host has the same addresses.
        pool: [pool, ...addresses.toSorted()].join(),
        method: "POST",
        protocol: url.protocol,
        host: hostOf(url),
        port: url.port,
        path: url.pathname + url.search,
        headers: {
          ...headers,
          host: url.host,
          "user-agent": userAgent,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        },
        agent,
        lookup: lookupOf(addresses),
        signal,
        ...(ca !== undefined && { ca }),
      };
      const request = client.request(fields);
      open.add(request);
      let interim = 0;
      request.on("information", () => {
        if (++interim <= MAX_INTERIM) return;
        done({ error: "invalid-response" });
        request.destroy();
      });
      request.on("response", (response) => {
        done({ status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"] });
        cut(request, response);
      });
      request.on("error", (error) => done({ error: errorOf(error), isReused: request.reusedSocket }));
      request.on("close", () => {
        open.delete(request);
        done({ error: "connection", isReused: request.reusedSocket });
      });
      request.end(body);
    });
  }

  async function attempt(request: OutgoingRequest, signal: AbortSignal): Promise<SendResult> {
    const url = new URL(request.url);
    const addresses = await checkedAddresses(url);
    if (typeof addresses === "string") return { error: addresses };
    if (signal.aborted) return { error: "timeout" };
    const agent = agents[url.protocol as keyof typeof agents];
    const { isReused, ...result } = await exchange(url, addresses, request, { signal, agent });
    // The receiver has closed the idle connection at the same moment, so the request is sent on a new one.
    const isStale = isReused === true && "error" in result && result.error === "connection" && !signal.aborted;
    return isStale ? exchange(url, addresses, request, { signal, agent: false }) : result;
  }

  return {
    async send(request, ending) {
      const limit = new AbortController();
      const { signal } = limit;
      const end = () => limit.abort();
      const timer = setTimeout(end, timeoutMs);
      // `AbortSignal.any` would keep a signal for each attempt until `ending` is aborted, perhaps after months.
      ending?.addEventListener("abort", end);
      // A look-up cannot be cancelled, so the attempt ends without it.
      const late = new Promise<SendResult>((done) => {
        signal.addEventListener("abort", () => done({ error: "timeout" }), { once: true });
      });
      if (ending?.aborted) end();
      try {
        const result = await Promise.race([attempt(request, signal), late]);
        return signal.aborted && "error" in result ? { error: "timeout" } : result;
      } catch {
        return { error: "connection" };
      } finally {
        clearTimeout(timer);
        ending?.removeEventListener("abort", end);
      }
    },
    close() {
      for (const request of open) request.destroy();
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

/** The option of a request that names its pool. */
interface Pooled {
  readonly pool?: string;
}

/** Lets an agent keep the connections of each pool apart. Returns the agent. */
function inPools<Agent extends http.Agent>(agent: Agent): Agent {
  const getName = agent.getName.bind(agent);
  agent.getName = (options?: http.AgentOptions & Pooled) => `${getName(options)}:${options?.pool}`;
  return agent;
}

/** Reads a short body, so that the connection can be used again, and closes the connection if it is longer or slow. */
function cut(request: http.ClientRequest, response: http.IncomingMessage): void {
  let bytes = 0;
  const timer = setTimeout(() => request.destroy(), BODY_TIMEOUT_MS);
  response.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) request.destroy();
  });
  response.on("error", () => undefined);
  response.on("close", () => clearTimeout(timer));
}

/** Returns a `lookup` for a connection that knows only the addresses that were checked. */
function lookupOf(addresses: readonly string[]): NonNullable<http.RequestOptions["lookup"]> {
  const all = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const [first] = all;
  return (_host, options, callback) => {
    if (options.all === true) callback(null, all);
    else callback(null, first?.address ?? "", first?.family);
  };
}

/** Resolves a host name by the C library. It occupies a thread of the runtime. */
export async function systemLookup(host: string): Promise<readonly string[]> {
  return (await resolve(host, { all: true })).map(({ address }) => address);
}

const TLS_CODES = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_|EPROTO/;

function errorOf(error: Error & { readonly code?: string }): AttemptError {
  const { code = "" } = error;
  if (TLS_CODES.test(code)) return "tls";
  if (code.startsWith("HPE_")) return "invalid-response";
  return /^(?:ENOTFOUND|EAI_)/.test(code) ? "unknown-host" : "connection";
}
