import { problemStatus } from "@antechamber/client/protocol";
import { MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { idFields } from "../../session/session.ts";

/** A piece of the document. */
export type Json = Readonly<Record<string, unknown>>;

/** Points to a component: `ref("schemas", "SessionInfo")`. */
export function ref(section: string, name: string): Json {
  return { $ref: `#/components/${section}/${name}` };
}

/** A session id as the examples have it: made by no server, so unknown to each. */
export const EXAMPLE_SESSION_ID = "AaIH2SEAAACPHF0qsH5DyZFukT3vQx0c_9LmWb7R";

const CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f";
/** The rule of `faultOfId` (Unicode's class Cc), in the pattern syntax that every validator supports. */
export const NO_CONTROL_CHARACTERS = `^[^${CONTROLS}]*$`;
const NO_SPACE_AT_AN_END = `^(?:[^${CONTROLS} ](?:[^${CONTROLS}]*[^${CONTROLS} ])?)?$`;

const anId: Json = { type: ["string", "null"], maxLength: MAX_ID_CHARACTERS };

/** What a caller may give for one of its own ids: the empty string and `null` mean "not given". */
const givenId: Json = { ...anId, pattern: NO_SPACE_AT_AN_END };

/** One of the caller's ids as a session has it; `null` where it has none. */
export const keptId: Json = { ...anId, minLength: 1, pattern: NO_CONTROL_CHARACTERS };

/** A time in an answer. */
export const time: Json = {
  type: "string",
  format: "date-time",
  description: "ISO 8601, UTC, with milliseconds.",
  pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$",
};

const state: Json = {
  enum: ["anonymous", "recognized"],
  description: "`anonymous` until the session has a customer or an agent, then `recognized`.",
};

/** Who a session belongs to: the same members in a session and in each line of its timeline. */
export const identityProperties: Json = {
  state,
  agentId: keptId,
  customerId: keptId,
  visitId: { ...keptId, description: "Held by one live session at a time." },
  globalVisitId: keptId,
};

const sessionInfo: Json = {
  type: "object",
  description: "A session. Every member is always there, `null` where there is no value.",
  properties: {
    sessionId: ref("schemas", "SessionId"),
    ...identityProperties,
    createdAt: time,
    lastActiveAt: {
      ...time,
      description: "The last use, which may lag behind by a tenth of the idle time.",
    },
    expiresAt: { ...time, description: "When the session expires if it is not used again." },
  },
  required: ["sessionId", "state", ...idFields, "createdAt", "lastActiveAt", "expiresAt"],
};

const fault: Json = {
  type: "object",
  description: "One fault of a request and its place.",
  properties: {
    in: { enum: ["body", "header", "query"] },
    name: { type: "string", description: "The header, member or parameter at fault." },
    detail: { type: "string" },
  },
  required: ["in", "name", "detail"],
};

const problem: Json = {
  type: "object",
  description: "RFC 9457 problem details: why a request was refused. A refusal changes nothing.",
  properties: {
    type: { type: "string", format: "uri-reference" },
    title: { type: "string" },
    status: { enum: [...new Set(Object.values(problemStatus))] },
    detail: { type: "string", description: "Tells what to change." },
    code: { enum: Object.keys(problemStatus), description: "A stable word; the set is closed." },
    field: { enum: idFields, description: "The id in question, with `already-exists`." },
    errors: {
      type: "array",
      items: ref("schemas", "Fault"),
      description: "Every fault with its place, with `invalid-request`.",
    },
    outcome: {
      const: "unknown",
      description: "The change may or may not have been stored, with `unavailable`.",
    },
    requestId: { type: "string", description: "The same id stands in the server's log." },
  },
  required: ["type", "title", "status", "detail", "code"],
};

/** JSON Schemas (2020-12, the dialect of OpenAPI 3.1) of everything that travels. */
export const schemas: Json = {
  SessionId: {
    type: "string",
    pattern: "^[A-Za-z0-9_-]{40}$",
    description: "Made by the server. Other ids are never adopted.",
    examples: [EXAMPLE_SESSION_ID],
  },
  SessionInfo: sessionInfo,
  VisitBody: {
    type: "object",
    description: "Members that the API does not know are ignored.",
    properties: { visitId: givenId, globalVisitId: givenId },
  },
  Problem: problem,
  Fault: fault,
};

const exampleTimes = {
  createdAt: "2026-11-23T10:00:00.000Z",
  lastActiveAt: "2026-11-23T10:00:00.000Z",
  expiresAt: "2026-11-23T10:30:00.000Z",
};

/** What the examples of requests give, and those of answers show. */
export const exampleIds = {
  agentId: "agent-7",
  customerId: "customer-4711",
  visitId: "visit-2041",
  globalVisitId: "global-visit-77",
} as const;

/** Sessions as the examples of answers show them: without any id, and with all that requests give. */
export const examples = {
  anonymous: {
    summary: "Without any id",
    value: {
      sessionId: EXAMPLE_SESSION_ID,
      state: "anonymous",
      agentId: null,
      customerId: null,
      visitId: null,
      globalVisitId: null,
      ...exampleTimes,
    },
  },
  recognized: {
    summary: "With every id",
    value: {
      sessionId: EXAMPLE_SESSION_ID,
      state: "recognized",
      ...exampleIds,
      ...exampleTimes,
    },
  },
} as const;
