import { apiFields } from "../messages.ts";
import { endSession } from "./administration.ts";
import { type Auth, credentialCodes } from "./credentials.ts";
import { describeHeaders } from "./headers.ts";
import { idempotencyKey, sessionHeaders } from "./parameters.ts";
import { type Code, refusals } from "./refusals.ts";
import { exampleIds, examples, type Json, ref } from "./schemas.ts";

/** Any operation on sessions may be refused for these. */
export function everywhere(auth: Auth): Code[] {
  const mismatch: Code[] = auth === "local" ? [] : ["identity-mismatch"];
  const ofAll: Code[] = ["invalid-request", "too-many-requests", "unavailable"];
  return [...ofAll, ...credentialCodes(auth), ...mismatch];
}

/** In each operation, not in its path: Swagger UI shows those of the path for some and not for others. */
const oneSession: readonly Json[] = [ref("parameters", "sessionId"), ...sessionHeaders];

const answerHeaders = describeHeaders(apiFields);
const locatedHeaders = describeHeaders(apiFields, { "content-location": "" });

const { visitId, globalVisitId } = exampleIds;

/** Pages such as Swagger UI send the first of the examples by default. */
function visitBody(examplesOf: Json): Json {
  return {
    required: false,
    description: "The ids of the visit. An empty body needs no content type.",
    content: {
      "application/json": { schema: ref("schemas", "VisitBody"), examples: examplesOf },
    },
  };
}

const visit = { summary: "The ids of a visit", value: { visitId, globalVisitId } };
const withoutIds = { summary: "Without any id", value: {} };

function success(description: string, headers: Json): Json {
  return {
    description,
    headers,
    content: { "application/json": { schema: ref("schemas", "SessionInfo"), examples } },
  };
}

function createSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "createSession",
    summary: "Create Session",
    description:
      "Begins a session with the ids that are given; all of them are optional. Without any it is anonymous, and costs the server nothing to keep.",
    parameters: [...sessionHeaders, idempotencyKey],
    requestBody: visitBody({ withoutIds, visit }),
    responses: {
      200: success("The new session.", answerHeaders),
      ...refusals([
        "already-exists",
        "request-under-way",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
        "request-timeout",
        ...everywhere(auth),
      ]),
    },
  };
}

export function retrieveSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "retrieveSession",
    summary: "Retrieving Session Info",
    description:
      "Answers with the session, or with a new one where the caller has none of this id: keep the `sessionId` that comes back. A new session takes its ids from the headers; those of an existing session are never changed here.",
    parameters: oneSession,
    responses: {
      200: success("The session of this id, or a new one.", locatedHeaders),
      ...refusals(everywhere(auth)),
    },
  };
}

function headSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "headSession",
    summary: "Ask whether a session lives",
    description: "The headers of retrieving, without a body. Never creates a session.",
    parameters: oneSession,
    responses: {
      200: { description: "It lives.", headers: locatedHeaders },
      ...refusals(["session-not-found", ...everywhere(auth)], { isHead: true }),
    },
  };
}

export function updateSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "updateSession",
    summary: "Update Session Information",
    description:
      "Associates ids with a session that exists; at least one must be given. An id, once set, stays: the same value again changes nothing and is fine, another one is refused, and then nothing of the request is applied.",
    parameters: oneSession,
    requestBody: visitBody({ visit }),
    responses: {
      200: success("The session after the change.", answerHeaders),
      ...refusals([
        "already-exists",
        "nothing-to-associate",
        "session-not-found",
        "body-too-large",
        "unsupported-media-type",
        "request-timeout",
        ...everywhere(auth),
      ]),
    },
  };
}

/** The operations on sessions under `auth`, by path. */
export function sessionPaths(auth: Auth): Json {
  return {
    "/sessions/new": { put: createSession(auth) },
    "/sessions/{sessionId}": {
      get: retrieveSession(auth),
      head: headSession(auth),
      post: updateSession(auth),
      delete: endSession(auth),
    },
  };
}
