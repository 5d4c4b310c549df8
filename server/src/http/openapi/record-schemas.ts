import { MAX_RECORD_BYTES, MAX_RECORDS } from "@antechamber/client/protocol";
import { idFields } from "../../session/session.ts";
import {
  EXAMPLE_SESSION_ID,
  exampleIds,
  identityProperties,
  type Json,
  keptId,
  ref,
  time,
} from "./schemas.ts";

const attributes: Json = {
  type: "object",
  maxProperties: 16,
  additionalProperties: { type: "string" },
};

const service: Json = { type: ["string", "null"], maxLength: 256 };

const requestRecord: Json = {
  type: "object",
  description: `A request that was made in a session. What is left out or \`null\` is not known. At most ${MAX_RECORD_BYTES} bytes.`,
  properties: {
    method: { type: "string", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$" },
    path: {
      type: "string",
      pattern: "^(?:/|\\*$)",
      description:
        "As in the request line. The query is dropped before anything is stored, but for the parameters that the server is configured to keep.",
    },
    status: { type: ["integer", "null"], minimum: 100, maximum: 599 },
    startedAt: {
      type: ["string", "number", "null"],
      description:
        "ISO 8601 with a time zone, or milliseconds since 1970. The moment of arrival by default.",
    },
    durationMs: { type: ["number", "null"], minimum: 0 },
    service: { ...service, description: "The service that answered it." },
    attributes: {
      ...attributes,
      type: ["object", "null"],
      description: "Whatever else is worth keeping: names of at most 128 characters.",
    },
  },
  required: ["method", "path"],
};

const identityNames = Object.keys(identityProperties);

const requestEntry: Json = {
  type: "object",
  description: "A recorded request, with the identity that the session had at that moment.",
  properties: {
    type: { const: "request" },
    sequence: {
      type: "integer",
      minimum: 1,
      description: "Counts the requests of the session, without gaps.",
    },
    method: { type: "string" },
    path: { type: "string" },
    status: { type: ["integer", "null"] },
    startedAt: time,
    durationMs: { type: ["number", "null"] },
    service,
    attributes,
    ...identityProperties,
  },
  required: [
    ...["type", "sequence", "method", "path", "status", "startedAt", "durationMs", "service"],
    ...["attributes", ...identityNames],
  ],
};

const lifeEntry: Json = {
  type: "object",
  description: "A moment of the session's own life, with the identity that it left.",
  properties: {
    type: { enum: ["created", "associated", "ended", "expired"] },
    sequence: { type: "null", description: "Only requests are counted." },
    at: time,
    ids: {
      type: "object",
      description:
        "The ids that came with it: those it was created with, those that were associated.",
      properties: Object.fromEntries(
        idFields.map((field) => [field, { ...keptId, type: "string" }]),
      ),
    },
    ...identityProperties,
  },
  required: ["type", "sequence", "at", "ids", ...identityNames],
};

/** JSON Schemas of records and timelines. */
export const recordSchemas: Json = {
  RequestRecord: requestRecord,
  RequestRecords: {
    type: "array",
    maxItems: MAX_RECORDS,
    items: ref("schemas", "RequestRecord"),
  },
  RecordReceipt: {
    type: "object",
    properties: {
      accepted: { type: "integer", minimum: 0, description: "All the records that were sent." },
    },
    required: ["accepted"],
  },
  RequestEntry: requestEntry,
  LifeEntry: lifeEntry,
  Timeline: {
    type: "object",
    description: "A page of what happened in a session, in order.",
    properties: {
      sessionId: ref("schemas", "SessionId"),
      records: {
        type: "array",
        items: { oneOf: [ref("schemas", "RequestEntry"), ref("schemas", "LifeEntry")] },
      },
      next: {
        type: ["string", "null"],
        description: "What to pass as `after` for the page that follows; `null`: this is the last.",
      },
      total: { type: "integer", minimum: 0, description: "Requests that were recorded in all." },
      dropped: {
        type: "integer",
        minimum: 0,
        description: "The oldest of them, which were let go: a session keeps so many only.",
      },
    },
    required: ["sessionId", "records", "next", "total", "dropped"],
  },
};

const page = {
  method: "GET",
  path: "/help/returns",
  status: 200,
  startedAt: "2026-11-23T10:00:01.250Z",
  durationMs: 12.5,
  service: "help-centre",
  attributes: { "page.title": "Returns" },
} as const;

const nobody = {
  state: "anonymous",
  agentId: null,
  customerId: null,
  visitId: null,
  globalVisitId: null,
} as const;
const { customerId } = exampleIds;

/** What the examples of requests record. */
export const recordExamples = {
  one: { summary: "One request", value: page },
  several: {
    summary: "Several at once",
    value: [page, { method: "POST", path: "/sign-in", status: 303 }],
  },
} as const;

/** A timeline as an answer shows it: an anonymous request, then the sign-in. */
export const timelineExample: Json = {
  sessionId: EXAMPLE_SESSION_ID,
  records: [
    { type: "created", sequence: null, at: "2026-11-23T10:00:00.000Z", ids: {}, ...nobody },
    { type: "request", sequence: 1, ...page, ...nobody },
    {
      type: "associated",
      sequence: null,
      at: "2026-11-23T10:00:09.000Z",
      ids: { customerId },
      ...nobody,
      state: "recognized",
      customerId,
    },
  ],
  next: null,
  total: 1,
  dropped: 0,
};
