import assert from "node:assert/strict";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { Identity, Problem, SessionInfo } from "@antechamber/client/protocol";

/** The ids that a caller gives; what is left out is not given. */
export type GivenIds = Partial<Record<keyof Identity, string>>;

/** What the server answered, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** From the request's start to the answer's last byte. */
  readonly milliseconds: number;
}

/** The connection failed before the whole answer was there: nobody knows what the server did. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** A client that sends every request once: it never tries again and hides nothing. */
export interface Caller extends Disposable {
  create(ids?: GivenIds): Promise<Answer>;
  retrieve(sessionId: string): Promise<Answer>;
  associate(sessionId: string, ids: GivenIds): Promise<Answer>;
  get(path: string): Promise<Answer>;
}

/** Milliseconds until a request is given up. */
const PATIENCE = 30_000;

/** A client of the server at `url` with at most `connections` at once, kept alive between requests. */
export function createCaller(url: string, connections = 32): Caller {
  // With a time-out of its own an agent heeds how long the server keeps idle connections.
  const agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: PATIENCE });
  const send = (method: string, path: string, ids: GivenIds = {}) =>
    exchange(agent, url, method, path, ids);
  return {
    create: (ids) => send("PUT", "/sessions/new", ids),
    retrieve: (sessionId) => send("GET", `/sessions/${sessionId}`),
    associate: (sessionId, ids) => send("POST", `/sessions/${sessionId}`, ids),
    get: (path) => send("GET", path),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** The session in an answer, which must be a 200. */
export function sessionOf(answer: Answer): SessionInfo {
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as SessionInfo;
}

/** The refusal in an answer, which must be problem details of this status. */
export function problemOf(answer: Answer, status: number): Problem {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
  return JSON.parse(answer.text) as Problem;
}

/** Checks that a response is a 503 (contract.md#refusals), and returns its problem. */
export function unavailable(answer: Answer): Problem {
  const problem = problemOf(answer, 503);
  assert.equal(problem.code, "unavailable");
  assert.match(answer.headers["retry-after"] ?? "", /^[1-9]\d*$/);
  return problem;
}

function exchange(
  agent: Agent,
  url: string,
  method: string,
  path: string,
  ids: GivenIds,
): Promise<Answer> {
  const { agentId, customerId, ...visit } = ids;
  const headers: Record<string, string> = {};
  if (agentId !== undefined) headers.gkc_agentId = agentId;
  if (customerId !== undefined) headers.gkc_customerId = customerId;
  const body = Object.keys(visit).length === 0 ? undefined : JSON.stringify(visit);
  if (body !== undefined) headers["content-type"] = "application/json";
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new NoAnswer(`${method} ${path}: ${error.message}`));
    const sent = request(url + path, { method, agent, headers, timeout: PATIENCE }, (response) => {
      read(response).then(
        (text) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            milliseconds: performance.now() - start,
          }),
        fail,
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${PATIENCE} ms`)));
    sent.on("error", fail);
    sent.end(body);
  });
}

async function read(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk as string;
  if (!response.complete) throw new Error("the answer was cut");
  return text;
}
