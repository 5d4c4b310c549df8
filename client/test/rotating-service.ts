import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bodyIds, headerIds, type Identity, type SessionBody, type SessionInfo } from "../src/protocol.ts";
import { handleOf } from "../src/session-id.ts";

/**
 * A service in memory that rotates sessions as contract.md#rule-9 says. It is a peer for tests of the client alone: it
 * has no expiry, no credentials and no visits.
 */
export interface RotatingService {
  /** The sessions by their handles. */
  readonly sessions: ReadonlyMap<string, StoredSession>;
  /** Handles a request, at once. */
  respond(request: ServiceRequest): ServiceResponse;
  /** Advances the clock, which stands still otherwise. */
  pass(milliseconds: number): void;
  /** Requests so far, such as `POST /sessions/…`, each with its body. */
  readonly requests: readonly string[];
}

export interface StoredSession {
  info: SessionInfo;
  isLive: boolean;
  /** The previous id, and until when it opens the anonymous session. */
  retired: { readonly sessionId: string; readonly until: number } | undefined;
  /** Paths of the records. */
  readonly records: string[];
  profile: string | undefined;
  label: string | undefined;
}

export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface ServiceResponse {
  readonly status: number;
  readonly body: unknown;
}

const ROTATION_GRACE_MS = 10_000;
const noIds = Object.fromEntries([...headerIds, ...bodyIds].map((name) => [name, null])) as Identity;

export function createRotatingService(): RotatingService {
  const sessions = new Map<string, StoredSession>();
  const storedResponses = new Map<string, ServiceResponse>();
  const requests: string[] = [];
  let now = 0;

  function create(ids: Identity, { profile, label }: SessionBody): ServiceResponse {
    const handle = randomBytes(18).toString("base64url");
    const times = { createdAt: "", lastActiveAt: "", expiresAt: "" };
    const info = withState({ sessionId: idOf(handle, 0), state: "anonymous", ...ids, ...times });
    sessions.set(handle, { info, isLive: true, retired: undefined, records: [], profile, label });
    return { status: 200, body: info };
  }

  /** Returns the session that an id opens; `undefined` if it opens none. */
  function find(sessionId: string): StoredSession | undefined {
    const session = sessions.get(handleOf(sessionId));
    return session?.isLive && session.info.sessionId === sessionId ? session : undefined;
  }

  /** Returns the session that the id opened before its rotation, in the time of grace. */
  function findRetired(sessionId: string): StoredSession | undefined {
    const session = sessions.get(handleOf(sessionId));
    const { retired, isLive } = session ?? {};
    return isLive && retired?.sessionId === sessionId && now < retired.until ? session : undefined;
  }

  function retrieve(sessionId: string, ids: Identity): ServiceResponse {
    const found = find(sessionId);
    if (found) return { status: 200, body: found.info };
    const retired = findRetired(sessionId);
    if (!retired) return create(ids, {});
    return { status: 200, body: { ...retired.info, sessionId, ...noIds, state: "anonymous" } };
  }

  function update(sessionId: string, ids: Identity, body: SessionBody): ServiceResponse {
    const session = find(sessionId);
    if (!session) return refusal(404, "session-not-found");
    for (const name of [...headerIds, ...bodyIds]) {
      const known = session.info[name];
      if (ids[name] && known && ids[name] !== known) return refusal(400, "already-exists", name);
    }
    const given = Object.fromEntries(Object.entries(ids).filter(([, id]) => id));
    session.info = withState({ ...session.info, ...given });
    session.profile = body.profile ?? session.profile;
    session.label = body.label ?? session.label;
    if (body.rotate) {
      session.retired = { sessionId, until: now + ROTATION_GRACE_MS };
      const generation = Buffer.from(sessionId, "base64url").readUInt8(18) + 1;
      session.info = { ...session.info, sessionId: idOf(handleOf(sessionId), generation) };
    }
    return { status: 200, body: session.info };
  }

  function end(sessionId: string): ServiceResponse {
    const session = find(sessionId);
    if (!session) return refusal(404, "session-not-found");
    session.isLive = false;
    return { status: 204, body: undefined };
  }

  function record(sessionId: string, given: unknown): ServiceResponse {
    const session = find(sessionId) ?? findRetired(sessionId);
    if (!session) return refusal(404, "session-not-found");
    const records = [given].flat() as { path: string }[];
    session.records.push(...records.map(({ path }) => path));
    return { status: 202, body: { accepted: records.length } };
  }

  function carryOut({ method, path, headers, body }: ServiceRequest): ServiceResponse {
    const [, , sessionId = "", requestsOfSession] = path.split(/[/?]/);
    const parsed = (body ? JSON.parse(body) : {}) as SessionBody;
    if (requestsOfSession) return record(sessionId, parsed);
    const ids: Identity = {
      ...noIds,
      visitId: parsed.visitId ?? null,
      globalVisitId: parsed.globalVisitId ?? null,
      agentId: headers.get("gkc-agentId"),
      customerId: headers.get("gkc-customerId"),
    };
    if (method === "PUT") return create(ids, parsed);
    if (method === "GET") return retrieve(sessionId, ids);
    return method === "DELETE" ? end(sessionId) : update(sessionId, ids, parsed);
  }

  return {
    sessions,
    requests,
    respond(request) {
      requests.push(`${request.method} ${request.path} ${request.body}`);
      const key = request.headers.get("idempotency-key");
      const text = [key, request.method, request.path, request.headers.get("gkc-customerId"), request.body].join(" ");
      const stored = key ? storedResponses.get(text) : undefined;
      const response = stored ?? carryOut(request);
      if (key && response.status < 300) storedResponses.set(text, response);
      return response;
    },
    pass(milliseconds) {
      now += milliseconds;
    },
  };
}

/** Returns a session id with the service's layout: handle, generation, signature (contract.md#session-ids). */
function idOf(handle: string, generation: number): string {
  return handle + Buffer.from([generation, ...randomBytes(11)]).toString("base64url");
}

function withState(info: SessionInfo): SessionInfo {
  return { ...info, state: info.customerId || info.agentId ? "recognized" : "anonymous" };
}

function refusal(status: number, code: string, field?: string): ServiceResponse {
  return { status, body: { type: `urn:antechamber:problem:${code}`, title: code, status, detail: code, code, field } };
}

/** Serves a rotating service over HTTP on a free port of this machine. */
export async function serveRotating(): Promise<RotatingService & AsyncDisposable & { url: string; port: number }> {
  const service = createRotatingService();
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const { method = "", url: path = "" } = request;
      const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const { status, body: content } = service.respond({ method, path, headers, body });
      const type = status < 300 ? "application/json" : "application/problem+json";
      response.writeHead(status, { "content-type": type }).end(JSON.stringify(content));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...service,
    url: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
