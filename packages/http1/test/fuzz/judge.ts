import { cachedBodies, type Echo, echoedFields, LONG_BODY } from "./handler.ts";
import type { Peer } from "./peer.ts";
import { type ReferenceRequest, type ReferenceResponse, readRequests, readResponses } from "./reference.ts";
import { type Action, actions, LITTLE } from "./streams.ts";

/** Number of bytes of an unread body that the server skips; with more it closes the connection. */
const MAX_SKIPPED = 64 * 1024;

/** Returns the fault in what a client has received by the end of a round; `undefined` if there is none. */
export function judge(peer: Peer): string | undefined {
  const { requests, end } = readRequests(peer.stream);
  const methods = requests.map(({ method }) => method);
  let read: ReturnType<typeof readResponses>;
  try {
    read = readResponses(peer.text, methods, peer.isOver);
  } catch (error) {
    // A client that disconnects may have received an incomplete response.
    return peer.isGone && peer.behavior.goneAfter !== undefined ? undefined : String(error);
  }
  const { responses, interim } = read;
  if (interim > 0 && requests[responses.length]?.expectsContinue !== true) {
    return "100 Continue was not expected";
  }
  for (const [i, response] of responses.entries()) {
    const request = requests[i];
    const isLast = i === responses.length - 1;
    const problem =
      request === undefined
        ? problemOfRefusal(response, end, i === requests.length && isLast)
        : problemOfResponse(request, response, isLast ? peer : undefined);
    if (problem !== undefined) return `response ${i}: ${problem}`;
  }
  return peer.behavior.goneAfter === undefined ? problemOfEnd(peer, requests, end, responses) : undefined;
}

function problemOfRefusal(
  { status, fields }: ReferenceResponse,
  end: "complete" | "incomplete" | "refused",
  isInPlace: boolean,
): string | undefined {
  if (!isInPlace) return "no request belongs to it";
  // The server may recognize a line as invalid before its end.
  if (end === "complete") return `${status} to what is no request`;
  if (status < 400 || fields.get("connection") !== "close") return `${status} is no refusal`;
  return undefined;
}

/** Returns the fault in a response. `peer` is given only for the last one, after which the connection may be closed. */
function problemOfResponse(
  request: ReferenceRequest,
  response: ReferenceResponse,
  peer: Peer | undefined,
): string | undefined {
  if (!response.isWhole) return peer?.isGone === true ? undefined : "it is not whole";
  if (response.interim > (request.expectsContinue ? 1 : 0)) return "100 Continue was not expected";
  const says = response.fields.get("connection");
  if (peer === undefined && says === "close") return "a response follows the last one";
  if (says === "close" && !mayClose(request, peer)) return "the connection is closed without need";
  if (says !== "close" && !request.persists) return "the connection is kept against the request";
  return problemOfContent(request, response);
}

function actionOf({ fields }: ReferenceRequest): Action {
  return actions.find((name) => name === fields.get("x-do")) ?? "now";
}

/** Whether the server may end the connection after this request. */
function mayClose(request: ReferenceRequest, peer: Peer | undefined): boolean {
  const action = actionOf(request);
  if (!request.persists || action === "close" || request.bodyEnd !== "complete") return true;
  if (request.minorVersion === 0 && action === "stream") return true;
  if (action.startsWith("read") && action !== "read-little") return false;
  // The rest of an unread body is too long to skip, or is never sent.
  return request.body.length > MAX_SKIPPED || request.expectsContinue || peer?.hasEnded === true;
}

function problemOfContent(request: ReferenceRequest, { status, fields, body }: ReferenceResponse): string | undefined {
  const action = actionOf(request);
  if (action === "empty") {
    const id = request.fields.get("x-id") ?? "undefined";
    return status === 204 && fields.get("x-id") === id ? undefined : "it is another request's";
  }
  if (status !== 200) return `its status is ${status}`;
  if (request.method === "HEAD") return undefined;
  if (action === "long") return body === ".".repeat(LONG_BODY) ? undefined : "it is another body";
  if (action === "cached") return cachedBodies.includes(body) ? undefined : "it is another body";
  const expected = expectedEcho(request, action);
  if (expected.some((echo) => JSON.stringify(echo) === utf8(body))) return undefined;
  return `it is ${utf8(body)}, not ${JSON.stringify(expected)}`;
}

const utf8 = (text: string) => Buffer.from(text, "latin1").toString();

/** Returns what the response may contain about the request. */
function expectedEcho(request: ReferenceRequest, action: Action): Echo[] {
  const { method, path, query } = request;
  const fields: Record<string, string> = {};
  for (const name of echoedFields) {
    const value = request.fields.get(name);
    if (value !== undefined) fields[name] = value;
  }
  const echo = (body: Echo["body"]): Echo => ({ method, path, query, fields, body });
  if (!action.startsWith("read")) return [echo(null)];
  const tooLong = action === "read-little" && request.body.length > LITTLE;
  const whole = tooLong ? [echo(null)] : request.bodyEnd === "complete" ? [echo(request.body)] : [];
  const broken = request.bodyEnd === "complete" ? [] : [echo({ problem: "broken off" })];
  return [...whole, ...broken];
}

/** Returns the fault if an expected response is missing. */
function problemOfEnd(
  peer: Peer,
  requests: readonly ReferenceRequest[],
  end: "complete" | "incomplete" | "refused",
  responses: readonly ReferenceResponse[],
): string | undefined {
  const last = responses.at(-1);
  const hasClosed = last?.fields.get("connection") === "close";
  if (hasClosed !== peer.isOver && !mayJustEnd(peer, requests, responses)) {
    return hasClosed ? "the connection is not closed after the last response" : "it just ended";
  }
  if (hasClosed || peer.isOver) return undefined;
  const isRefused = end === "refused";
  if (responses.length >= requests.length + (isRefused ? 1 : 0)) {
    return peer.hasEnded ? "the connection stays open after the client's end" : undefined;
  }
  const waiting = requests[responses.length];
  const waits = waiting !== undefined && waiting.bodyEnd !== "complete";
  if (waits && responses.length === requests.length - 1 && !peer.hasEnded) return undefined;
  return `${responses.length} responses to ${requests.length} requests`;
}

/** Whether the connection may be closed although no response announced it. */
function mayJustEnd(
  peer: Peer,
  requests: readonly ReferenceRequest[],
  responses: readonly ReferenceResponse[],
): boolean {
  const last = requests[responses.length - 1];
  const isUnread = last !== undefined && last.body.length > MAX_SKIPPED;
  const isMalformed = last?.bodyEnd === "malformed" || last?.bodyEnd === "incomplete";
  return (peer.hasEnded && responses.length >= requests.length) || isUnread || isMalformed;
}
