import { apiFields } from "../messages.ts";
import { auditExample, sessionListExample } from "./administration-schemas.ts";
import { type Auth, credentialCodes, malformedHeadCodes } from "./credentials.ts";
import { describeHeaders } from "./headers.ts";
import { type Code, refusals } from "./refusals.ts";
import { exampleIds, type Json, ref } from "./schemas.ts";

/** Any of these operations may be refused for these. */
function everywhere(auth: Auth, ...more: readonly Code[]): Code[] {
  const ofRoles: Code[] = auth === "local" ? [] : ["role-not-permitted"];
  return [...more, "too-many-requests", "unavailable", ...credentialCodes(auth), ...ofRoles];
}

const requestId = ref("parameters", "X-Request-Id");

function success(description: string, schema: string, value: Json): Json {
  return {
    description,
    headers: describeHeaders(apiFields),
    content: {
      "application/json": { schema: ref("schemas", schema), examples: { [schema]: { value } } },
    },
  };
}

function listSessions(auth: Auth): Json {
  const filter = ["customerId", "agentId", "visitId", "globalVisitId"].map((name) => `by-${name}`);
  const names = [...filter, "by-state", "since", "until", "live", "cursor", "sessionLimit"];
  return {
    tags: ["administration"],
    operationId: "listSessions",
    summary: "Find sessions",
    description:
      "Sessions by what they have, newest first, live and over, as long as something of them is kept: those without any id only while they live or while they have records. Every condition that is given must hold. A page may have few sessions, or none, and yet not be the last: follow `next` until it is `null`. With keys: for the roles `agent`, `reporter` and `administrator`.",
    parameters: [...names.map((name) => ref("parameters", name)), requestId],
    responses: {
      200: success("A page of sessions.", "SessionList", sessionListExample),
      ...refusals(everywhere(auth, "invalid-request")),
    },
  };
}

const endBody: Json = {
  required: true,
  description: "At least one condition, or `all`. A member that is not known is refused.",
  content: {
    "application/json": {
      schema: ref("schemas", "EndRequest"),
      examples: {
        dryRun: { value: { customerId: exampleIds.customerId, dryRun: true } },
        customer: { value: { customerId: exampleIds.customerId } },
      },
    },
  },
};

function endSessions(auth: Auth): Json {
  return {
    tags: ["administration"],
    operationId: "endSessions",
    summary: "End sessions, such as all of a customer",
    description:
      "Ends the live sessions for which every condition holds, the newest first: some thousand at the most in a request. Go on with `next` as `cursor` until it is `null`. `dryRun` only counts them. With keys: for the roles `agent` and `administrator`; `all` for administrators.",
    parameters: [requestId],
    requestBody: endBody,
    responses: {
      200: success("That many were ended, or counted.", "EndReceipt", { sessions: 3, next: null }),
      ...refusals(
        everywhere(
          auth,
          ...(["invalid-request", "body-too-large", "unsupported-media-type"] as const),
          "request-timeout",
        ),
      ),
    },
  };
}

/** Ending one session, which stands at the session's own path. */
export function endSession(auth: Auth): Json {
  return {
    tags: ["sessions"],
    operationId: "endSession",
    summary: "End a session",
    description:
      "From now on its id is as good as unknown, and its visit is free. Its timeline stays for those who may read it. With keys: for its customer, and for the roles `agent` and `administrator`.",
    parameters: [ref("parameters", "sessionId"), requestId],
    responses: {
      204: { description: "It has ended.", headers: describeHeaders(noBody) },
      ...refusals(everywhere(auth, "session-not-found", ...malformedHeadCodes(auth))),
    },
  };
}

const noBody = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** Served at the root alone, whatever the base paths. */
const atTheRoot = { servers: [{ url: "/" }] };

function eraseCustomer(auth: Auth): Json {
  return {
    tags: ["administration"],
    operationId: "eraseCustomer",
    summary: "Erase everything that is kept of a customer",
    description:
      "Ends and erases sessions of the customer with everything in them, and the customer's keys at last: some thousand sessions at the most in a request. Repeat it until `isComplete`. With keys: for the role `administrator`.",
    parameters: [ref("parameters", "customerInPath"), requestId],
    responses: {
      200: success("That much was erased.", "ErasureReceipt", {
        sessions: 3,
        keys: 0,
        isComplete: true,
      }),
      ...refusals(everywhere(auth, ...malformedHeadCodes(auth))),
    },
  };
}

function exportCustomer(auth: Auth): Json {
  return {
    tags: ["administration"],
    operationId: "exportCustomer",
    summary: "Everything that is kept of a customer",
    description:
      "Lines of JSON, each with a `type`: `key`, `session`, `entry` (a line of the timeline of the session before), `answer` (what a request with an `Idempotency-Key` was told), and `end` as the last one, without which the export is not whole. With keys: for the role `administrator`.",
    parameters: [ref("parameters", "customerInPath"), requestId],
    responses: {
      200: {
        description: "The lines.",
        headers: describeHeaders(apiFields),
        content: { "application/x-ndjson": { schema: { type: "string" } } },
      },
      ...refusals(everywhere(auth, ...malformedHeadCodes(auth))),
    },
  };
}

function readAudit(auth: Auth): Json {
  return {
    tags: ["administration"],
    operationId: "readAudit",
    summary: "Read the audit trail",
    description:
      "What those who run the service did, and what others tried, the latest first. Each entry has the hash of the one before in its own; `antechamber audit verify` looks whether they fit. With keys: for the role `administrator`.",
    parameters: [
      ...["auditCursor", "sessionLimit"].map((name) => ref("parameters", name)),
      requestId,
    ],
    responses: {
      200: success("A page of the trail.", "AuditPage", auditExample),
      ...refusals(everywhere(auth, "invalid-request")),
    },
  };
}

/** The operations on many sessions under `auth`, by path. */
export function sessionListPaths(auth: Auth): Json {
  return {
    "/sessions": { get: listSessions(auth) },
    "/sessions/end": { post: endSessions(auth) },
  };
}

/** The other operations of operators under `auth`, by path: served only at the root. */
export function administrationPaths(auth: Auth): Json {
  return {
    "/customers/{customerId}": { ...atTheRoot, delete: eraseCustomer(auth) },
    "/customers/{customerId}/export": { ...atTheRoot, get: exportCustomer(auth) },
    "/audit": { ...atTheRoot, get: readAudit(auth) },
  };
}
