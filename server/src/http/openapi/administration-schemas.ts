import { MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { idFields } from "../../session/session.ts";
import { optional } from "./parameters.ts";
import {
  exampleIds,
  examples,
  type Json,
  keptId,
  NO_CONTROL_CHARACTERS,
  ref,
  schemas,
  time,
} from "./schemas.ts";

const CURSOR = "[A-Za-z0-9_-]{24}\\.[A-Za-z0-9_-]{16}";

const place: Json = {
  type: ["string", "null"],
  pattern: `^${CURSOR}$`,
  description: "What to pass as `cursor` to go on; `null`: this is all.",
};

const sessionInfo = schemas["SessionInfo"] as { properties: Json; required: string[] };
const status: Json = { enum: ["live", "expired", "ended"] };

/** An id in a filter; an empty one is refused. */
const given: Json = {
  type: "string",
  minLength: 1,
  maxLength: MAX_ID_CHARACTERS,
  pattern: NO_CONTROL_CHARACTERS,
};
const moment: Json = {
  anyOf: [{ type: "string", format: "date-time" }, { type: "number" }],
  description: "ISO 8601 with a time zone, or milliseconds since 1970.",
};
const flag: Json = { type: "boolean" };

const hash: Json = { type: "string", pattern: "^[0-9a-f]{64}$" };

const entry: Json = {
  type: "object",
  description: "What was done, by whom, and how it went.",
  properties: {
    sequence: { type: "integer", minimum: 1, description: "Without gaps." },
    at: time,
    who: {
      type: "object",
      properties: {
        role: { type: "string" },
        credential: {
          ...keptId,
          description:
            "The id of a key, or on the command line the operating system's user; `null` where none was asked for.",
        },
        agentId: keptId,
      },
      required: ["role", "credential", "agentId"],
    },
    what: { type: "string", description: "The act, such as `customer.erase`." },
    from: {
      type: "string",
      description:
        "The client's address, behind a trusted proxy the one that this names; `unix socket` or `unknown` without one; `command line`.",
    },
    outcome: { enum: ["begun", "done", "refused", "failed"] },
    details: {
      type: "object",
      description: "Ids of sessions and customers are keyed hashes, those of the log.",
      additionalProperties: { type: ["string", "number", "boolean", "null"] },
    },
    previous: { ...hash, description: "The hash of the entry before; zeros in the first." },
    hash: { ...hash, description: "SHA-256 over everything in the entry, and `previous`." },
  },
  required: ["sequence", "at", "who", "what", "from", "outcome", "details", "previous", "hash"],
};

/** What administration sends and gets. */
export const administrationSchemas: Json = {
  SessionSummary: {
    type: "object",
    description: "A session, and how it stands.",
    properties: { ...sessionInfo.properties, status },
    required: [...sessionInfo.required, "status"],
  },
  SessionList: {
    type: "object",
    properties: {
      sessions: { type: "array", items: ref("schemas", "SessionSummary") },
      next: place,
      total: {
        type: ["integer", "null"],
        minimum: 0,
        description:
          "On the first page of a list by one id alone: how many sessions of it are kept, up to 10,000, which stands for so many or more. Without any condition: how many there are. Else `null`.",
      },
    },
    required: ["sessions", "next", "total"],
  },
  EndRequest: {
    type: "object",
    properties: {
      ...Object.fromEntries(idFields.map((field) => [field, given])),
      state: { enum: ["anonymous", "recognized"] },
      since: moment,
      until: moment,
      all: { ...flag, description: "Every session there is." },
      dryRun: { ...flag, description: "Count them, and end none." },
      cursor: { type: ["string", "null"], description: "`next` of the answer before." },
    },
  },
  EndReceipt: {
    type: "object",
    properties: { sessions: { type: "integer", minimum: 0 }, next: place },
    required: ["sessions", "next"],
  },
  ErasureReceipt: {
    type: "object",
    properties: {
      sessions: { type: "integer", minimum: 0 },
      keys: { type: "integer", minimum: 0 },
      isComplete: { type: "boolean", description: "False: repeat the request to go on." },
    },
    required: ["sessions", "keys", "isComplete"],
  },
  AuditEntry: entry,
  AuditPage: {
    type: "object",
    properties: {
      entries: { type: "array", items: ref("schemas", "AuditEntry") },
      next: { type: ["string", "null"], pattern: "^\\d+$" },
    },
    required: ["entries", "next"],
  },
};

/** A page with one session. */
export const sessionListExample: Json = {
  sessions: [{ ...examples.recognized.value, status: "live" }],
  next: null,
  total: 1,
};

/** A page with one entry. */
export const auditExample: Json = {
  entries: [
    {
      sequence: 1,
      at: "2026-11-23T10:00:00.000Z",
      who: { role: "administrator", credential: "k_9f86d081884c", agentId: null },
      what: "sessions.end",
      from: "127.0.0.1",
      outcome: "done",
      details: { customerId: "0Lx1dVv8fQ2mYJ4c", dryRun: false, sessions: 3, isComplete: true },
      previous: "0".repeat(64),
      hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
  ],
  next: null,
};

/** A time in a query. A number of milliseconds is accepted too, but generators handle a schema of both badly. */
const queryTime: Json = { type: "string", format: "date-time" };

/** What administration takes outside a body. */
export const administrationParameters: Json = {
  ...Object.fromEntries(
    idFields.map((field) => [
      `by-${field}`,
      optional("query", field, `Sessions with this ${field}.`, given, exampleIds[field]),
    ]),
  ),
  "by-state": optional(
    "query",
    "state",
    "Sessions in this state.",
    { enum: ["anonymous", "recognized"] },
    "recognized",
  ),
  since: optional(
    "query",
    "since",
    "Created at this time or later: ISO 8601 with a time zone. Milliseconds since 1970 are accepted too.",
    queryTime,
    "2026-11-23T10:00:00Z",
  ),
  until: optional("query", "until", "Created before this time.", queryTime, "2126-11-23T10:00:00Z"),
  live: optional(
    "query",
    "live",
    "`true`: can still be used; `false`: expired or ended.",
    { type: "boolean" },
    true,
  ),
  cursor: optional("query", "cursor", "`next` of the page before. Empty: the first page.", {
    type: "string",
    pattern: `^(?:${CURSOR})?$`,
  }),
  auditCursor: optional("query", "cursor", "`next` of the page before. Empty: the first page.", {
    type: "string",
    pattern: "^(?:[1-9]\\d{0,14})?$",
  }),
  sessionLimit: optional(
    "query",
    "limit",
    "The maximum number in a page, 100 by default.",
    { type: "integer", minimum: 1, maximum: 1000 },
    100,
  ),
  customerInPath: {
    name: "customerId",
    in: "path",
    required: true,
    description: "The customer's id, percent-encoded.",
    schema: { type: "string", minLength: 1, examples: [exampleIds.customerId] },
  },
};
