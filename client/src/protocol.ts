/**
 * The wire contract: what travels between Antechamber and whoever calls it. The server's `http/`
 * imports these names, so the two ends cannot drift apart.
 */

/** The four ids that belong to the caller. `null` stands for "not given" and "not known yet". */
export interface Identity {
  readonly agentId: string | null;
  readonly customerId: string | null;
  readonly visitId: string | null;
  readonly globalVisitId: string | null;
}

/** `anonymous` until the session has a customer or an agent, `recognized` from then on. */
export type SessionState = "anonymous" | "recognized";

/** The answer of all three operations. Every member is always there; times are ISO 8601, UTC, ms. */
export interface SessionInfo extends Identity {
  /** 40 URL-safe characters, made by the server. */
  readonly sessionId: string;
  readonly state: SessionState;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
}

/** The request body of create and update; members that the API does not know are ignored. */
export interface VisitBody {
  readonly visitId?: string | null;
  readonly globalVisitId?: string | null;
}

/** Every refusal's stable word, with the HTTP status it travels under. The set is closed. */
export const problemStatus = {
  "already-exists": 400,
  "invalid-request": 400,
  "nothing-to-associate": 400,
  "credential-required": 401,
  "invalid-credential": 401,
  "identity-mismatch": 403,
  "role-not-permitted": 403,
  "session-not-found": 404,
  "not-found": 404,
  "method-not-allowed": 405,
  "body-too-large": 413,
  "unsupported-media-type": 415,
  "too-many-requests": 429,
  unavailable: 503,
} as const;

/** One of the closed set of refusal codes. */
export type ProblemCode = keyof typeof problemStatus;

/** Where in the request a fault lies: `name` is the header, member or parameter at fault. */
export interface Fault {
  readonly in: "body" | "header" | "query";
  readonly name: string;
  readonly detail: string;
}

/** RFC 9457 problem details, served as `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** A sentence that tells the caller what to change. */
  readonly detail: string;
  readonly code: ProblemCode;
  /** The id that is already set or held, with `already-exists`. */
  readonly field?: keyof Identity;
  /** Each fault with its place, with `invalid-request`. */
  readonly errors?: readonly Fault[];
  /** `unknown` when a change may or may not have been stored, with `unavailable`. */
  readonly outcome?: "unknown";
  /** What the server's log, as far as it is configured to have the request, knows it by. */
  readonly requestId?: string;
}
