import { apiFields } from "../messages.ts";
import { MAX_RECORDS_BODY_BYTES } from "../parse/record-body.ts";
import { type Auth, credentialCodes } from "./credentials.ts";
import { describeHeaders } from "./headers.ts";
import { idempotencyKey, sessionHeaders } from "./parameters.ts";
import { recordExamples, timelineExample } from "./record-schemas.ts";
import { type Code, refusals } from "./refusals.ts";
import { type Json, ref } from "./schemas.ts";

function success(description: string, schema: string, value: Json): Json {
  return {
    description,
    headers: describeHeaders(apiFields),
    content: {
      "application/json": {
        schema: ref("schemas", schema),
        examples: { [schema]: { value } },
      },
    },
  };
}

const records: Json = {
  required: true,
  description: `One record, or an array of up to 1,000. At most ${MAX_RECORDS_BODY_BYTES} bytes.`,
  content: {
    "application/json": {
      schema: { oneOf: [ref("schemas", "RequestRecord"), ref("schemas", "RequestRecords")] },
      examples: recordExamples,
    },
  },
};

function recordRequests(auth: Auth): Json {
  const codes: Code[] = [
    ...(["session-not-found", "request-under-way", "idempotency-key-reused"] as const),
    ...(["body-too-large", "unsupported-media-type", "request-timeout"] as const),
    ...(["invalid-request", "too-many-requests", "unavailable"] as const),
    ...credentialCodes(auth),
    ...(auth === "local" ? [] : (["role-not-permitted"] as const)),
  ];
  return {
    tags: ["requests"],
    operationId: "recordRequests",
    summary: "Record requests in a session",
    description:
      "Adds requests that were made in the session to its timeline, with the identity that it has at this moment. It is a use of the session. The records are stored within 100 ms, or, with `durable` or an `Idempotency-Key`, before the answer. All are recorded, or, where one of them is refused, none. With keys: for the roles `customer`, `agent` and `administrator`.",
    parameters: [
      ...["sessionId", "durable", "X-Request-Id"].map((name) => ref("parameters", name)),
      idempotencyKey,
    ],
    requestBody: records,
    responses: {
      202: success("They are accepted.", "RecordReceipt", { accepted: 2 }),
      ...refusals(codes, { bodyLimit: MAX_RECORDS_BODY_BYTES }),
    },
  };
}

function readTimeline(auth: Auth): Json {
  const codes: Code[] = [
    ...(["session-not-found", "invalid-request", "too-many-requests", "unavailable"] as const),
    ...credentialCodes(auth),
    ...(auth === "local" ? [] : (["identity-mismatch"] as const)),
  ];
  return {
    tags: ["requests"],
    operationId: "readTimeline",
    summary: "Read the timeline of a session",
    description:
      "What happened in the session, in order: the requests that were recorded, each with the identity of its moment, and between them the moments of the session's own life. Follow `next` until it is `null`. Timelines of sessions that ended or expired stay readable for the retention. Reading is no use of the session. A request that names a customer reads the sessions of that customer and of nobody.",
    parameters: [
      ...["sessionId", "after", "limit"].map((name) => ref("parameters", name)),
      ...sessionHeaders,
    ],
    responses: {
      200: success("A page of the timeline.", "Timeline", timelineExample),
      ...refusals(codes),
    },
  };
}

/** The operations on the requests of a session under `auth`, by path. */
export function requestPaths(auth: Auth): Json {
  return {
    "/sessions/{sessionId}/requests": {
      post: recordRequests(auth),
      get: readTimeline(auth),
    },
  };
}
