import assert from "node:assert/strict";
import { Agent, type IncomingMessage, request } from "node:http";
import type { Identity, Problem } from "@antechamber/client/protocol";
import { identityOf as newIdentity } from "../../src/session/session.ts";
import { type Answer, problemOf } from "./api.ts";

/** Ids that a caller gives; ids that are left out are not sent. */
export type GivenIds = Partial<Record<keyof Identity, string>>;

/** Returns the ids among the members of `given`, `null` for absent ones. */
export function identityOf(given: Partial<Record<keyof Identity, string | null>>): Identity {
  return newIdentity((field) => given[field] ?? null);
}

/** A response with the time from the start of the request to its last byte. */
export interface TimedResponse extends Answer {
  readonly milliseconds: number;
}

/** The error for a connection that failed before the whole response arrived. The server may have acted or not. */
export class NoResponse extends Error {
  override readonly name = "NoAnswer";
}

/**
 * A client over `node:http` that sends every request once and measures its time. `fetch`, which `createApi` uses, may
 * send a request again on a new connection.
 */
export interface Caller extends Disposable {
  create(ids?: GivenIds): Promise<TimedResponse>;
  retrieve(sessionId: string): Promise<TimedResponse>;
  associate(sessionId: string, ids: GivenIds): Promise<TimedResponse>;
  /** Associates ids, if any, and gives the session a new id. The idempotency key allows to repeat the request. */
  rotate(sessionId: string, ids: GivenIds, key?: string): Promise<TimedResponse>;
  get(path: string): Promise<TimedResponse>;
}

const TIMEOUT_MS = 30_000;

/** Creates a client of the server at `url` with at most `connections` simultaneous keep-alive connections. */
export function createCaller(url: string, connections = 32): Caller {
  // Without a timeout of its own, the agent ignores how long the server keeps idle connections.
  const agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: TIMEOUT_MS });
  const send = (method: string, path: string, ids: GivenIds = {}, more?: Rotation) =>
    exchange(agent, url + path, { method, ids, ...more });
  return {
    create: (ids) => send("PUT", "/sessions/new", ids),
    retrieve: (sessionId) => send("GET", `/sessions/${sessionId}`),
    associate: (sessionId, ids) => send("POST", `/sessions/${sessionId}`, ids),
    rotate: (sessionId, ids, key) => send("POST", `/sessions/${sessionId}`, ids, { rotate: true, key }),
    get: (path) => send("GET", path),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** Asserts that a response is a 503 (contract.md#refusals), and returns its problem. */
export function unavailable(answer: Answer): Problem {
  const problem = problemOf(answer, 503, "unavailable");
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  return problem;
}

/** The additional parts of a request that rotates the session. */
interface Rotation {
  readonly rotate: true;
  readonly key: string | undefined;
}

type Sent = Partial<Rotation> & { readonly method: string; readonly ids: GivenIds };

function exchange(agent: Agent, url: string, { method, ids, rotate, key }: Sent): Promise<TimedResponse> {
  const { agentId, customerId, ...visit } = { ...ids, ...(rotate && { rotate }) };
  const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
  if (agentId !== undefined) headers.gkc_agentId = agentId;
  if (customerId !== undefined) headers.gkc_customerId = customerId;
  const body = Object.keys(visit).length === 0 ? undefined : JSON.stringify(visit);
  if (body !== undefined) headers["content-type"] = "application/json";
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new NoResponse(`${method} ${url}: ${error.message}`));
    const sent = request(url, { method, agent, headers, timeout: TIMEOUT_MS }, (response) => {
      read(response).then(
        (text) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: new Headers(Object.entries(response.headers) as [string, string][]),
            text,
            milliseconds: performance.now() - start,
          }),
        fail,
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`no response within ${TIMEOUT_MS} ms`)));
    sent.on("error", fail);
    sent.end(body);
  });
}

async function read(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk as string;
  if (!response.complete) throw new Error("the response was cut off");
  return text;
}
