import assert from "node:assert/strict";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import { assertNoSessionId } from "./log-secrets.ts";

/** A response, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** The body, sent as JSON with its content type. */
  readonly json?: unknown;
  /** The body, sent unchanged. */
  readonly body?: string;
}

/** The Session Management API below `base`, as a client calls it. */
export interface Api {
  call(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  create(options?: RequestOptions): Promise<Answer>;
  retrieve(id: string, options?: RequestOptions): Promise<Answer>;
  update(id: string, options?: RequestOptions): Promise<Answer>;
}

/** Creates a client. Every request has the headers or other options in `always`, such as a credential. */
export function createApi(base: string, always: Readonly<Record<string, string>> = {}): Api {
  const call = async (method: string, path: string, options: RequestOptions = {}) => {
    const { headers = {}, json, body = json === undefined ? null : JSON.stringify(json) } = options;
    const type = json === undefined ? {} : { "content-type": "application/json" };
    const response = await fetch(base + path, {
      method,
      headers: { ...type, ...always, ...headers },
      body,
      redirect: "manual",
    });
    const answer = { status: response.status, headers: response.headers, text: await response.text() };
    if (!showsSession(method, path)) assertNoSessionId(answer.text, `the response to ${method} ${path}`);
    return answer;
  };
  return {
    call,
    create: (options) => call("PUT", "/sessions/new", options),
    retrieve: (id, options) => call("GET", `/sessions/${id}`, options),
    update: (id, options) => call("POST", `/sessions/${id}`, options),
  };
}

/** Returns whether the response to a request may have the id that opens a session: it is a `SessionInfo`, or a proxy's. */
function showsSession(method: string, path: string): boolean {
  const pathname = path.replace(/[?].*/s, "").replace(/\/+$/, "");
  // The examples in the documents have invented ids.
  if (/\/forward-auth|^\/(docs|openapi\.json)/.test(pathname)) return true;
  if (pathname.endsWith("/sessions")) return method !== "GET";
  return /\/sessions\/+[^/]+$/.test(pathname) && !pathname.endsWith("/sessions/end");
}

/** Returns the session in a successful response. Throws for any other response. */
export function sessionOf(answer: Answer): SessionInfo {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/json");
  return JSON.parse(answer.text) as SessionInfo;
}

/** Returns the problem in a refusal with this status and, if given, this code. Throws for any other response. */
export function problemOf(
  answer: Pick<Answer, "status" | "text"> & { headers: { get(name: string): unknown } },
  status: number,
  code?: string,
): Problem {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const problem = JSON.parse(answer.text) as Problem;
  assert.equal(problem.status, status);
  if (code !== undefined) assert.equal(problem.code, code, answer.text);
  return problem;
}
