import type { Problem } from "@antechamber/client/protocol";
import type { BasePath, DialectName } from "../../config/base-path.ts";
import { envelopeOfV1, envelopeOfV2, SESSION_ID_FIELD } from "../handlers/dialects/envelopes.ts";
import { restate } from "../handlers/dialects/refusals.ts";
import type { SessionForm } from "../handlers/sessions.ts";
import type { Auth } from "./credentials.ts";
import { describeHeaders } from "./headers.ts";
import { idempotencyKey } from "./parameters.ts";
import { refusals } from "./refusals.ts";
import { type Json, ref } from "./schemas.ts";
import { everywhere, retrieveSession, updateSession } from "./sessions.ts";

/** The members of an operation of the document that are used here. */
interface Operation extends Json {
  readonly operationId: string;
  readonly description: string;
  readonly parameters: readonly Json[];
  readonly responses: Readonly<Record<string, Response>>;
}

interface Response {
  readonly headers?: Json;
  readonly content?: Readonly<Record<string, { schema: Json; examples: Examples }>>;
}

type Examples = Readonly<Record<string, { readonly value: unknown }>>;
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const CREATE = "/sessions/new";
const ONE = "/sessions/{sessionId}";
const LIST = "/sessions";

/**
 * Returns the operations below a base path of a newer dialect, by full path. `atBases` are the paths that every
 * base path has, in the form of 8.5.0.
 */
export function dialectPaths({ path: base, dialect }: BasePath, auth: Auth, atBases: Json): Json {
  const items = Object.entries(pathsOf(dialect, auth, atBases as Paths));
  return Object.fromEntries(
    items.map(([path, operations]) => [
      base + path,
      {
        servers: [{ url: "/" }],
        ...mapValues(operations, (operation) => ({
          ...operation,
          operationId: operation.operationId + base.replaceAll(/[^A-Za-z\d]+/g, "_"),
          responses: mapValues(operation.responses, (response) => restated(response, dialect)),
        })),
      },
    ]),
  );
}

function pathsOf(dialect: DialectName, auth: Auth, atBases: Paths): Paths {
  const { [CREATE]: creating, [ONE]: one, [LIST]: list, ...rest } = atBases;
  const { put: create } = creating as { put: Operation };
  const { get: retrieve, post: update, ...others } = one as { get: Operation; post: Operation };
  switch (dialect) {
    case "8.5.0":
      return atBases;
    case "8.5.1":
      return {
        [CREATE]: { put: inV1(create) },
        [ONE]: { ...others, get: inV1(retrieveOnly(auth)), post: inV1(updateOrCreate(auth)) },
        [LIST]: { ...list },
        ...rest,
      };
    case "current":
      return {
        [CREATE]: { put: inV1(create) },
        [ONE]: { ...others, get: inV1(retrieve), post: inV1(update) },
        [LIST]: { ...list },
        ...rest,
      };
    case "v2": {
      const { head: _, ...withoutHead } = others as Record<string, Operation>;
      return {
        [LIST]: { ...list, post: inV2(create) },
        [ONE]: { ...withoutHead, patch: inV2(update) },
        ...rest,
      };
    }
  }
}

function retrieveOnly(auth: Auth): Operation {
  const operation = retrieveSession(auth) as Operation;
  return {
    ...operation,
    description: "Answers with the session. Never creates one.",
    responses: {
      ...operation.responses,
      ...(refusals(["session-not-found", ...everywhere(auth)]) as Operation["responses"]),
    },
  };
}

function updateOrCreate(auth: Auth): Operation {
  const operation = updateSession(auth) as Operation;
  const { 200: success } = operation.responses;
  return {
    ...operation,
    description: `${operation.description} If the caller has no session with this id, one is created with the given ids: use the \`sessionId\` in the response from then on.`,
    parameters: [...operation.parameters, idempotencyKey],
    responses: {
      200: success as Response,
      ...(refusals([
        ...(["already-exists", "nothing-to-associate"] as const),
        ...(["request-under-way", "idempotency-key-reused"] as const),
        ...(["body-too-large", "unsupported-media-type", "request-timeout"] as const),
        ...everywhere(auth),
      ]) as Operation["responses"]),
    },
  };
}

const inV1 = (operation: Operation) => enveloped(operation, envelopeOfV1, "SessionResponse");

function inV2(operation: Operation): Operation {
  return {
    ...enveloped(operation, envelopeOfV2, "SessionData", { [SESSION_ID_FIELD]: "" }),
    description: `${operation.description} Clients of this dialect send no body.`,
  };
}

/** Returns the operation with its session in an envelope. */
function enveloped(
  operation: Operation,
  { ofInfo }: SessionForm,
  schema: string,
  fields: Readonly<Record<string, string>> = {},
): Operation {
  const { 200: success, ...refused } = operation.responses;
  const { examples = {} } = success?.content?.["application/json"] ?? {};
  const wrapped = mapValues(examples, (example) => ({
    ...example,
    value: JSON.parse(ofInfo(JSON.stringify(example.value))) as unknown,
  }));
  return {
    ...operation,
    responses: {
      200: {
        ...success,
        headers: { ...success?.headers, ...describeHeaders(fields) },
        content: { "application/json": { schema: ref("schemas", schema), examples: wrapped } },
      },
      ...refused,
    },
  };
}

const PROBLEM = "application/problem+json";

/** Returns a refusal in the form of the dialect; other responses unchanged. */
function restated(response: Response, dialect: DialectName): Response {
  const problem = response.content?.[PROBLEM];
  if (problem === undefined) return response;
  const schema = {
    ...problem.schema,
    allOf: [...(problem.schema["allOf"] as Json[]), ref("schemas", "RefusalOfDialect")],
  };
  const examples = mapValues(problem.examples, (example) => ({
    ...example,
    value: restate[dialect](example.value as Problem),
  }));
  return { ...response, content: { [PROBLEM]: { schema, examples } } };
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

const succeeded: Json = {
  type: "object",
  properties: { code: { const: 0 } },
  required: ["code"],
};

/** Returns the schemas for the newer dialects among these base paths; none without such a dialect. */
export function dialectSchemas(basePaths: readonly BasePath[]): Json {
  if (basePaths.length === 0) return {};
  return {
    SessionResponse: {
      type: "object",
      description: "A session, and the same session again in `response`.",
      allOf: [ref("schemas", "SessionInfo")],
      properties: { response: ref("schemas", "SessionInfo"), status: succeeded },
      required: ["response", "status"],
    },
    SessionData: {
      type: "object",
      description: "A session, whose id is in the header `gkc_sessionId` too.",
      properties: { data: ref("schemas", "SessionInfo"), status: succeeded },
      required: ["data", "status"],
    },
    RefusalOfDialect: {
      type: "object",
      description: "The member of refusals in addition to problem details.",
      properties: {
        error: {
          type: "object",
          properties: {
            code: { type: "string", description: "`code` of the problem." },
            message: { type: "string", description: "`detail` of the problem." },
          },
          required: ["code", "message"],
        },
      },
      required: ["error"],
    },
  };
}
