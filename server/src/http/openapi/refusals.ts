import { type ProblemCode, problemStatus } from "@antechamber/client/protocol";
import { type Json, ref } from "./schemas.ts";

/** When each refusal is given. The statuses are the protocol's. */
const when: Readonly<Record<ProblemCode, string>> = {
  "already-exists":
    "the session has another value of an id that the request gives, or the visit belongs to another live session; `field` names the id",
  "invalid-request":
    "malformed JSON, a body that is no object, an id that is no string, too long or with control characters, headers that repeat or contradict each other; `errors` lists each with its place",
  "nothing-to-associate":
    "no id was given, neither in headers nor in the body (a proxy may have dropped the headers)",
  "credential-required": "the request carries no key",
  "invalid-credential": "the key is unknown, expired, revoked or malformed",
  "identity-mismatch": "the key may not assert an id that the request gives",
  "role-not-permitted": "the role of the key may not do this",
  "session-not-found":
    "there is no live session of this id: unknown, malformed, forged, expired, ended, or out of the caller's reach",
  "not-found": "there is nothing at this path",
  "method-not-allowed": "the path does not know this method; `Allow` lists those that it knows",
  "body-too-large": "the body is longer than 16 KiB",
  "unsupported-media-type": "the request has a body that is not declared as JSON",
  "too-many-requests": "there were too many requests; `Retry-After` tells how long to wait",
  unavailable:
    "the store cannot take the change now (disk full, overload); `Retry-After` tells how long to wait",
};

/** The headers that the answers to a refusal carry besides those of every answer, by status. */
const extraHeaders: Readonly<Record<number, Json>> = {
  401: { "WWW-Authenticate": ref("headers", "WWW-Authenticate") },
  429: { "Retry-After": ref("headers", "Retry-After") },
  503: { "Retry-After": ref("headers", "Retry-After") },
};

/**
 * The responses to the refusals of an operation, by status. Codes under one status share a response,
 * whose schema names them all. Answers to `head` have no body.
 */
export function refusals(codes: readonly ProblemCode[], headers: Json, method?: "head"): Json {
  const byStatus = Map.groupBy(codes, (code) => problemStatus[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${when[code]}.`).join("\n\n"),
        headers: { ...headers, ...extraHeaders[status] },
        ...(method === "head" ? {} : { content: problemOf(status, group) }),
      },
    ]),
  );
}

function problemOf(status: number, codes: readonly ProblemCode[]): Json {
  return {
    "application/problem+json": {
      schema: {
        allOf: [ref("schemas", "Problem")],
        properties: { status: { const: status }, code: { enum: codes } },
      },
    },
  };
}
