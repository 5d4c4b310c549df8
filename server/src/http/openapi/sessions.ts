import type { ProblemCode } from "@antechamber/client/protocol";
import { identityHeaders } from "./parameters.ts";
import { refusals } from "./refusals.ts";
import { examples, type Json, ref } from "./schemas.ts";

type Auth = "local" | "key";

const noStore: Json = { "Cache-Control": ref("headers", "Cache-Control") };

const located: Json = { ...noStore, "Content-Location": ref("headers", "Content-Location") };

/** Any operation may be refused for these in mode key. */
const credentialCodes: readonly ProblemCode[] = [
  "credential-required",
  "invalid-credential",
  "identity-mismatch",
];

const visitBody: Json = {
  required: false,
  description: "The ids of the visit. An empty body needs no content type.",
  content: {
    "application/json": {
      schema: ref("schemas", "VisitBody"),
      examples: {
        visit: { value: { visitId: "visit-2041", globalVisitId: "global-visit-77" } },
        nothing: { value: {} },
      },
    },
  },
};

function success(description: string, answerHeaders: Json): Json {
  return {
    description,
    headers: answerHeaders,
    content: { "application/json": { schema: ref("schemas", "SessionInfo"), examples } },
  };
}

function responses(success: Json, codes: readonly ProblemCode[], auth: Auth): Json {
  const all = auth === "key" ? [...codes, ...credentialCodes] : codes;
  return { 200: success, ...refusals(all, noStore) };
}

function createSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "createSession",
    summary: "Create Session",
    description:
      "Begins a session with the ids that are given; all of them are optional. Without any it is anonymous and costs the server nothing to keep.",
    parameters: identityHeaders,
    requestBody: visitBody,
    responses: responses(
      success("The new session.", noStore),
      [
        "already-exists",
        "invalid-request",
        "body-too-large",
        "unsupported-media-type",
        "unavailable",
      ],
      auth,
    ),
  };
}

function retrieveSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "retrieveSession",
    summary: "Retrieving Session Info",
    description:
      "Answers with the session, or with a new one when there is none of this id for the caller: keep the `sessionId` that comes back. The new session takes its ids from the headers; those of an existing session are never changed here.",
    parameters: identityHeaders,
    responses: responses(
      success("The session of this id, or a new one.", located),
      ["invalid-request", "unavailable"],
      auth,
    ),
  };
}

function headSession(auth: Auth): Json {
  const codes = auth === "key" ? credentialCodes : [];
  return {
    tags: ["sessions"],
    operationId: "headSession",
    summary: "Ask whether a session lives",
    description: "As retrieving, without a body, but never creates a session.",
    parameters: identityHeaders,
    responses: {
      200: { description: "It lives.", headers: located },
      ...refusals(
        ["invalid-request", "session-not-found", "unavailable", ...codes],
        noStore,
        "head",
      ),
    },
  };
}

function updateSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "updateSession",
    summary: "Update Session Information",
    description:
      "Associates ids with a session that exists; at least one must be given. An id, once set, stays: the same value again changes nothing and is fine, another value is refused, and then nothing of the request is applied.",
    parameters: identityHeaders,
    requestBody: visitBody,
    responses: responses(
      success("The session after the change.", noStore),
      [
        "already-exists",
        "invalid-request",
        "nothing-to-associate",
        "session-not-found",
        "body-too-large",
        "unsupported-media-type",
        "unavailable",
      ],
      auth,
    ),
  };
}

/** The three operations (and HEAD) under `auth`, by path. */
export function sessionPaths(auth: Auth): Json {
  return {
    "/sessions/new": { put: createSession(auth) },
    "/sessions/{sessionId}": {
      parameters: [ref("parameters", "sessionId")],
      get: retrieveSession(auth),
      head: headSession(auth),
      post: updateSession(auth),
    },
  };
}
