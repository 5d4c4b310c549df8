import { type Problem, type ProblemCode, problemStatus } from "@antechamber/client/protocol";
import type { HeaderFields } from "@antechamber/http1";
import type { DialectName } from "../../config/base-path.ts";
import type { Quota, Reason } from "../../session/errors.ts";
import { restate } from "../handlers/dialects/refusals.ts";
import type { ApiResponse } from "./api-response.ts";

/** What a refusal is called, whichever request it answers. */
const titles: Readonly<Record<ProblemCode, string>> = {
  "already-exists": "The dataset already exists",
  "invalid-request": "The request is not valid",
  "nothing-to-associate": "There is nothing to associate",
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
  "body-too-large": "The body is too large",
  "unsupported-media-type": "The body is not JSON in UTF-8",
  "request-timeout": "The request did not arrive in time",
  "too-many-requests": "Too many requests",
  unavailable: "The service cannot do this right now",
};

/** Returns RFC 9457 problem details with a code of contract.md#refusals, in the form of the dialect. */
export function problemResponse(
  reason: Reason,
  requestId: string,
  status: number = problemStatus[reason.code],
  dialect: DialectName = "8.5.0",
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
    status: problem.status,
    headers: { ...problemHeaders, ...headersOf(reason), "x-request-id": requestId },
    body: JSON.stringify(restate[dialect](problem)),
    refusal: code,
  };
}

const problemHeaders: HeaderFields = {
  "content-type": "application/problem+json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** The header that a status asks for (RFC 9110: 401, 405, 413, 503; RFC 6585: 429). */
function headersOf(reason: Reason): HeaderFields {
  switch (reason.code) {
    case "credential-required":
      return { "www-authenticate": "Bearer" };
    case "invalid-credential":
      return { "www-authenticate": 'Bearer error="invalid_token"' };
    case "method-not-allowed":
      return { allow: reason.allow };
    case "session-required":
      return { "www-authenticate": "Bearer" };
    case "too-many-requests":
      return quotaFields(reason.quota, reason.retryAfterSeconds);
    case "request-under-way":
    case "unavailable":
      return { "retry-after": String(reason.retryAfterSeconds) };
    case "unsupported-media-type":
      // RFC 9110, section 15.5.16.
      return reason.refused === "encoding" ? { "accept-encoding": "identity" } : {};
    case "body-too-large":
      // The rest of the body is still on its way: nothing sensible can follow it.
      return { connection: "close" };
    default:
      return {};
  }
}

/** What there is, and when there is more (draft-ietf-httpapi-ratelimit-headers-11). */
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
  encoding: "Send the body without Content-Encoding.",
} as const;

/** A sentence that tells the caller what to change. */
function detailOf(reason: Reason): string {
  switch (reason.code) {
    case "already-exists":
      return reason.field === "visitId"
        ? "The session has another visitId, or another live session holds this one. Use the visitId of this session, or end the other session."
        : `The session has another ${reason.field}. Create a new session for a different one.`;
    case "invalid-request":
      return reason.errors.map((fault) => fault.detail).join(" ");
    case "nothing-to-associate":
      return "Give at least one of gkc_agentId and gkc_customerId as a header, or visitId and globalVisitId in a JSON body. If you did send a header: a proxy may have dropped it because of the underscore; send gkc-agentId or gkc-customerId.";
    case "session-not-found":
      if (reason.isNew) {
        return "POST changes an existing session. To create one use PUT /sessions/new.";
      }
      return "No live session has this id. Create one with PUT /sessions/new and use the sessionId of the answer.";
    case "session-required":
      return "No live session was named, neither in the query parameter sessionId nor in the header gkc-sessionId nor in the cookie sessionId. Create one with PUT /sessions/new.";
    case "request-under-way":
      return "A request with this Idempotency-Key is being carried out. Repeat it after the time in Retry-After to get its answer.";
    case "idempotency-key-reused":
      return "This Idempotency-Key came with another request before. Use a new key for each request, and the same one only to repeat it.";
    case "not-found":
      return "Nothing is served under this path. The operations are PUT /sessions/new, GET and POST /sessions/{sessionId}, and GET and POST /sessions/{sessionId}/requests; /openapi.json lists the others.";
    case "method-not-allowed":
      return `This path takes ${reason.allow}.`;
    case "body-too-large":
      return `Send at most ${reason.limit} bytes.`;
    case "unsupported-media-type":
      return mediaDetails[reason.refused];
    case "request-timeout":
      return "The rest of the request did not arrive in time: the limit is 10 seconds for the head, and then 15 for the body. Nothing was changed. Send the whole request again at once.";
    case "credential-required":
      return "Send a key or a token in the header Authorization: Bearer <key>.";
    case "invalid-credential":
      return "Send a credential that is valid: this one is malformed, unknown, expired or revoked. Where a proxy vouches for its callers, come through it.";
    case "identity-mismatch":
      return `The credential may not assert this ${reason.field}. Leave it out, or use the credential that it belongs to.`;
    case "role-not-permitted":
      return "Use a credential of a role that may do this.";
    case "too-many-requests":
      return tooManyDetail(reason.quota);
    case "unavailable":
      if (reason.why === "data-displaced") return displacedDetail;
      return reason.outcome === "unknown"
        ? "The change may or may not have been stored. Retrieve the session to find out, or repeat the request: it is safe to."
        : "Nothing was changed. Repeat the request after the time in Retry-After.";
  }
}

const displacedDetail =
  "The data of the service was moved or replaced while it ran, and nothing is stored. The operator finds in the log what to do.";

function tooManyDetail({ count, windowSeconds }: Quota): string {
  return windowSeconds === null
    ? `The customer has ${count} live sessions, and may have no more. End one of them, or wait until one expires.`
    : `At most ${count} such requests in ${windowSeconds} s are answered. Wait for the time in Retry-After, and send fewer.`;
}
