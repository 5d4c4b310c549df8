import { type Problem, type ProblemCode, problemStatus } from "@antechamber/client/protocol";
import type { HeaderFields } from "@antechamber/http1";
import type { Quota, Reason } from "../session/errors.ts";
import { bodyFields, headerFields, headerNames } from "../session/fields.ts";
import { MAX_GENERATION } from "../session/id.ts";
import type { ApiResponse } from "./api-response.ts";

const titles: Readonly<Record<ProblemCode, string>> = {
  "already-exists": "The dataset already exists",
  "invalid-request": "The request is not valid",
  "nothing-to-associate": "There is nothing to associate",
  "rotation-limit": "The session was rotated too often",
  "session-required": "A session is required",
  "credential-required": "A credential is required",
  "invalid-credential": "The credential is not valid",
  "identity-mismatch": "The credential does not fit the asserted id",
  "role-not-permitted": "The role may not do this",
  "session-not-found": "There is no such session",
  "not-found": "There is no such path",
  "method-not-allowed": "The path does not take this method",
  "request-under-way": "The same request is under way",
  "idempotency-key-reused": "The idempotency key belongs to another request",
  "precondition-failed": "The data have changed",
  "body-too-large": "The body is too large",
  "unsupported-media-type": "The body is not JSON in UTF-8",
  "request-timeout": "The request did not arrive in time",
  "too-many-requests": "Too many requests",
  unavailable: "The service cannot do this right now",
};

/** Adds to problem details the members that the clients of a dialect or of a route read. */
export type Restate = (problem: Problem) => RestatedProblem;

/** Problem details; the newer dialects add `error`, logout from the identity provider both members (RFC 6749). */
export interface RestatedProblem extends Problem {
  readonly error?: { readonly code: Problem["code"]; readonly message: string } | "invalid_request";
  readonly error_description?: string;
}

/** Deviations from the usual problem details of a code. */
export interface ProblemOptions {
  readonly status?: number | undefined;
  readonly restate?: Restate;
}

/** Creates a response with problem details (RFC 9457), whose code is one of contract.md#refusals. */
export function problemResponse(
  reason: Reason,
  requestId: string,
  { status = problemStatus[reason.code], restate = (problem) => problem }: ProblemOptions = {},
): ApiResponse {
  const { code } = reason;
  const problem: Problem = {
    type: `urn:antechamber:problem:${code}`,
    title: titles[code],
    status,
    detail: detailOf(reason),
    code,
    ...("field" in reason && code === "already-exists" ? { field: reason.field } : {}),
    ...("errors" in reason ? { errors: reason.errors } : {}),
    ...("outcome" in reason && reason.outcome !== undefined ? { outcome: reason.outcome } : {}),
    requestId,
  };
  return {
    status,
    headers: { ...problemHeaders, ...headersOf(reason), "x-request-id": requestId },
    body: JSON.stringify(restate(problem)),
    refusal: code,
  };
}

const problemHeaders: HeaderFields = {
  "content-type": "application/problem+json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** Returns the headers that belong to a status (RFC 9110: 401, 405, 413, 503; RFC 6585: 429). */
function headersOf(reason: Reason): HeaderFields {
  switch (reason.code) {
    case "credential-required":
    case "session-required":
      return { "www-authenticate": "Bearer" };
    case "invalid-credential":
      return { "www-authenticate": 'Bearer error="invalid_token"' };
    case "method-not-allowed":
      return { allow: reason.allow };
    case "too-many-requests":
      return quotaFields(reason.quota, reason.retryAfterSeconds);
    case "request-under-way":
    case "unavailable":
      return { "retry-after": String(reason.retryAfterSeconds) };
    case "unsupported-media-type":
      // Informs the client that no content coding is accepted (RFC 9110, section 15.5.16).
      if (reason.refused === "encoding") return { "accept-encoding": "identity" };
      return reason.refused === "patch" ? { "accept-patch": "application/merge-patch+json" } : {};
    case "body-too-large":
      // The rest of the body is not read, so the connection cannot carry another request.
      return reason.what === undefined ? { connection: "close" } : {};
    default:
      return {};
  }
}

/** Returns the headers with the exceeded quota and the wait (draft-ietf-httpapi-ratelimit-headers-11). */
function quotaFields({ name, count, windowSeconds }: Quota, retryAfter: number): HeaderFields {
  const window = windowSeconds === null ? "" : `;w=${windowSeconds}`;
  return {
    "retry-after": String(retryAfter),
    "ratelimit-policy": `"${name}";q=${count}${window}`,
    ratelimit: `"${name}";r=0;t=${retryAfter}`,
  };
}

const mediaDetails = {
  type: "Send the body as JSON, with Content-Type: application/json.",
  charset: "Send the body in UTF-8, the only charset that is accepted.",
  patch: "Send a merge patch (RFC 7396), with Content-Type: application/merge-patch+json.",
  encoding: "Send the body without Content-Encoding.",
} as const;

/** The headers of ids in one spelling, such as "gkc_agentId or gkc_customerId". */
const headersIn = (spelling: 0 | 1) => headerFields.map((field) => headerNames(field)[spelling]).join(" or ");
const nothingToAssociate = `Send at least one id: ${headersIn(0)} as a header, ${bodyFields.join(" or ")} in a JSON body; or profile, label or rotate in the body. If you did send a header, a proxy may have dropped it because of the underscore: send ${headersIn(1)}.`;

/** Returns what the caller has to change, in a sentence or two. */
function detailOf(reason: Reason): string {
  switch (reason.code) {
    case "already-exists":
      return reason.field === "visitId"
        ? "Another live session holds this visitId, or this session has another one. End the other session, or leave out the visitId."
        : `The session has another ${reason.field}. Create a new session for a different one.`;
    case "invalid-request":
      return reason.errors.map((fault) => fault.detail).join(" ");
    case "nothing-to-associate":
      return nothingToAssociate;
    case "rotation-limit":
      return `The id of a session can be rotated ${MAX_GENERATION} times, and this one was. Continue with its present id, or create a new session.`;
    case "session-not-found":
      if (reason.isNew) {
        return "POST changes an existing session. To create one use PUT /sessions/new.";
      }
      if (reason.isStored) {
        return "No stored session has this handle or id. GET /sessions lists the handles of those that you may read.";
      }
      return "No live session has this id. Create one with PUT /sessions/new and use the sessionId in its response.";
    case "session-required":
      return "The request has no id of a live session where the setting forwardAuthSources looks for it (by default the header gkc-sessionId and the cookie). Create a session with PUT /sessions/new, and send its id there.";
    case "request-under-way":
      return "Another request with this Idempotency-Key is in progress. Repeat this one after the time in Retry-After to get the same response.";
    case "idempotency-key-reused":
      return "This Idempotency-Key was used for a different request. Use a new key for each request, and the same key only to repeat a request.";
    case "not-found":
      if (reason.what === "webhook") {
        return "There is no endpoint of webhooks, or no delivery, with this id. GET /webhooks lists the endpoints, and GET /webhooks/{webhookId}/deliveries the deliveries of one.";
      }
      if (reason.what === "api-key") {
        return "There is no API key with this id, or it is no longer valid. GET /api-keys lists the keys with the id of each (k_…).";
      }
      return "This path does not exist. The operations are PUT /sessions/new, GET and POST /sessions/{sessionId}, and GET and POST /sessions/{sessionId}/requests; /openapi.json lists the others.";
    case "method-not-allowed":
      return `Use one of the methods of this path: ${reason.allow}.`;
    case "precondition-failed":
      return "The data of the session have an ETag that the request does not allow. Read them with GET, apply your change, and send their ETag in If-Match.";
    case "body-too-large":
      if (reason.what === "data") {
        return `The data of the session would have more than ${reason.limit} bytes of JSON. Remove members: null removes one in a merge patch.`;
      }
      return `The body of this request may have at most ${reason.limit} bytes.`;
    case "unsupported-media-type":
      return mediaDetails[reason.refused];
    case "request-timeout":
      return "The rest of the request did not arrive in time: the limits are 10 seconds for the head, and then 15 for the body. Nothing was changed. Send the whole request again, without a pause.";
    case "credential-required":
      return "Send a key or a token in the header Authorization: Bearer <key>.";
    case "invalid-credential":
      return "Send a valid credential: this one is malformed, unknown, expired or revoked. In auth mode proxy, send the request through the trusted proxy.";
    case "identity-mismatch":
      return `The credential may not assert this ${reason.field}. Leave it out, or use a credential that may assert it: for an application's own server, a key of the role service.`;
    case "role-not-permitted":
      return `Use a credential with a role that permits this${reason.allowed === undefined ? "" : `: ${reason.allowed.join(", ")}`}.`;
    case "too-many-requests":
      return tooManyDetail(reason.quota);
    case "unavailable":
      if (reason.why === "data-displaced") return displacedDetail;
      if (reason.why === "index-repair") return repairDetail;
      return reason.outcome === "unknown"
        ? "The change may or may not have been stored. Retrieve the session to find out, or repeat the request, which is safe."
        : "Nothing was changed. Repeat the request after the time in Retry-After.";
  }
}

const displacedDetail =
  "The data of the service was moved or replaced while it ran, and nothing was stored. The log of the service says what its operator has to do.";

const repairDetail =
  "A node of Redis has lost its data, and some sessions would be missed until the service has gone through all of them. Repeat the request after the time in Retry-After until it succeeds.";

function tooManyDetail({ count, windowSeconds }: Quota): string {
  return windowSeconds === null
    ? `The customer has ${count} live sessions, and may have no more. End one of them, or wait until one expires.`
    : `At most ${count} such requests in ${windowSeconds} s are allowed. Wait for the time in Retry-After, and send fewer.`;
}
