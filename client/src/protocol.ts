/**
 * Types of the requests and responses between Antechamber and its callers. The server imports the same types, so the
 * client and the server cannot disagree. This file has the refusals.
 */

import type { Identity } from "./protocol-sessions.ts";

export type * from "./protocol-events.ts";
export type * from "./protocol-operators.ts";
export * from "./protocol-sessions.ts";

/** All refusal codes, each with its HTTP status. There are no others. */
export const problemStatus = {
  "already-exists": 400,
  "invalid-request": 400,
  "nothing-to-associate": 400,
  "rotation-limit": 400,
  "session-required": 401,
  "credential-required": 401,
  "invalid-credential": 401,
  "identity-mismatch": 403,
  "role-not-permitted": 403,
  "session-not-found": 404,
  "not-found": 404,
  "method-not-allowed": 405,
  "request-timeout": 408,
  "request-under-way": 409,
  "precondition-failed": 412,
  "body-too-large": 413,
  "unsupported-media-type": 415,
  "idempotency-key-reused": 422,
  "too-many-requests": 429,
  unavailable: 503,
} as const;

/** A refusal code. */
export type ProblemCode = keyof typeof problemStatus;

/** A fault in a request. `name` is the name of the header, body member or query parameter. */
export interface Fault {
  readonly in: "body" | "header" | "path" | "query";
  readonly name: string;
  readonly detail: string;
}

/** The body of a refusal: RFC 9457 problem details, sent as `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** A sentence that says what the caller should change. */
  readonly detail: string;
  readonly code: ProblemCode;
  /**
   * Only with `already-exists`: the kind of id that conflicts. The session has another id of this kind, or another
   * session has the given id.
   */
  readonly field?: keyof Identity;
  /** Only with `invalid-request`: all faults in the request. */
  readonly errors?: readonly Fault[];
  /** Only with `unavailable`: it is not known whether the change was stored. */
  readonly outcome?: "unknown";
  /** Id of the request in the server's log, if requests are logged. */
  readonly requestId?: string;
}
