import type { Reason } from "../../session/errors.ts";
import { problemResponse } from "../app/problems.ts";
import type { ApiResponse } from "../messages.ts";
import { MAX_BODY_BYTES } from "../parse/identity.ts";
import { describeHeaders, ofEveryRefusal } from "./headers.ts";
import { type Json, ref } from "./schemas.ts";

/** The codes that this service answers with: those of the protocol for which it has a reason. */
export type Code = Reason["code"];

/** When each refusal is given. Status, title and detail are not told here but taken from the answers. */
const when: Readonly<Record<Code, string>> = {
  "already-exists":
    "the session has another value of an id that the request gives, or the visit belongs to another live session; `field` names the id",
  "invalid-request":
    "malformed JSON, a body that is not an object, an id that is not a string, is too long, has control characters or has spaces at its ends, headers that are repeated or contradict each other, in mode key a key in two headers, in mode local a `Host` that is not this machine; `errors` lists each fault and where it is",
  "nothing-to-associate":
    "no id was given, neither in headers nor in the body (a proxy may have dropped the headers)",
  "session-required": "the request names no live session, and the mode is `required`",
  "request-under-way": "a request with the same `Idempotency-Key` is being carried out",
  "idempotency-key-reused": "the `Idempotency-Key` came with another request before",
  "credential-required": "the request carries no credential",
  "invalid-credential":
    "the credential is unknown, expired, revoked or malformed, or, in mode proxy, the request does not come from a trusted proxy",
  "identity-mismatch": "the credential may not assert an id that the request gives",
  "role-not-permitted": "the role of the credential may not do this",
  "session-not-found":
    "no live session has this id: it is unknown, malformed, forged, expired, ended, or out of the caller's reach",
  "not-found": "there is nothing at this path",
  "method-not-allowed": "the path does not take this method; `Allow` lists those that it takes",
  "body-too-large": "the body is longer than this operation takes",
  "unsupported-media-type":
    "the body is not declared as JSON in UTF-8, or it has a `Content-Encoding`; then `Accept-Encoding` says which one is accepted",
  "request-timeout": "the body did not arrive in time",
  "too-many-requests":
    "the client address, the credential or the customer has had as much as the server is configured to give; `Retry-After` tells how long to wait",
  unavailable:
    "the store cannot do this now (disk full, overload, stopping); `Retry-After` tells how long to wait",
};

/** A reason of each kind: the examples are what is answered to it. */
const samples: { readonly [C in Code]: Extract<Reason, { code: C }> } = {
  "already-exists": { code: "already-exists", field: "customerId" },
  "invalid-request": {
    code: "invalid-request",
    errors: [{ in: "body", name: "visitId", detail: "visitId is not a string." }],
  },
  "nothing-to-associate": { code: "nothing-to-associate" },
  "session-required": { code: "session-required" },
  "request-under-way": { code: "request-under-way", retryAfterSeconds: 1 },
  "idempotency-key-reused": { code: "idempotency-key-reused" },
  "credential-required": { code: "credential-required" },
  "invalid-credential": { code: "invalid-credential" },
  "identity-mismatch": { code: "identity-mismatch", field: "customerId" },
  "role-not-permitted": { code: "role-not-permitted" },
  "session-not-found": { code: "session-not-found" },
  "not-found": { code: "not-found" },
  "method-not-allowed": { code: "method-not-allowed", allow: "GET, HEAD, POST, OPTIONS" },
  "body-too-large": { code: "body-too-large", limit: MAX_BODY_BYTES },
  "unsupported-media-type": { code: "unsupported-media-type", refused: "type" },
  "request-timeout": { code: "request-timeout" },
  "too-many-requests": {
    code: "too-many-requests",
    retryAfterSeconds: 2,
    quota: { name: "requests-per-address", count: 60_000, windowSeconds: 60 },
  },
  unavailable: { code: "unavailable", retryAfterSeconds: 1 },
};

const REQUEST_ID = "checkout-81";

/** What sets the refusals of an operation apart from those of others. */
interface Peculiarities {
  /** An answer to HEAD has no body. */
  readonly isHead?: boolean;
  /** The status of a refusal, where it is not its code's own. */
  readonly statusOf?: (reason: Reason) => number;
  /** The longest body that the operation takes, in bytes. */
  readonly bodyLimit?: number;
}

/**
 * The responses to the refusals of an operation, by status. Codes under one status share a response,
 * whose schema names them all.
 */
export function refusals(codes: readonly Code[], peculiar: Peculiarities = {}): Json {
  const answers = codes.map((code) => ({ code, answer: answerTo(code, peculiar) }));
  const byStatus = Map.groupBy(answers, ({ answer }) => answer.status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map(({ code }) => `\`${code}\`: ${when[code]}.`).join("\n\n"),
        ...headersOf(group),
        ...(peculiar.isHead === true ? {} : { content: problemContent(status, group) }),
      },
    ]),
  );
}

/** The headers that only this refusal has. */
function headersOf(refused: readonly Refused[]): Json {
  const own = refused.map(({ answer }) =>
    Object.fromEntries(
      Object.entries(answer.headers).filter(([name]) => !ofEveryRefusal.includes(name)),
    ),
  );
  const headers = describeHeaders(...own);
  return Object.keys(headers).length === 0 ? {} : { headers };
}

interface Refused {
  readonly code: Code;
  readonly answer: ApiResponse;
}

function problemContent(status: number, refused: readonly Refused[]): Json {
  const examples = refused.map(({ code, answer }) => [
    code,
    { value: JSON.parse(answer.body as string) as unknown },
  ]);
  return {
    "application/problem+json": {
      schema: {
        type: "object",
        allOf: [ref("schemas", "Problem")],
        properties: { status: { const: status }, code: { enum: refused.map(({ code }) => code) } },
      },
      examples: Object.fromEntries(examples) as Json,
    },
  };
}

function answerTo(code: Code, { statusOf, bodyLimit }: Peculiarities): ApiResponse {
  const sample: Reason =
    code === "body-too-large" && bodyLimit !== undefined
      ? { code, limit: bodyLimit }
      : samples[code];
  return problemResponse(sample, REQUEST_ID, statusOf?.(sample));
}
