import { quietly } from "./page.ts";
import type { Problem, ProblemCode } from "./protocol.ts";

/**
 * The reason for a failed call. It is a code of contract.md#refusals, or one of these:
 * - `network`: there was no response.
 * - `timeout`: there was no response in time.
 * - `unexpected-answer`: the response is not from the service; it may be the error page of a proxy.
 * - `reset`: the client's `reset()` was called before the call was done.
 */
export type FailureCode = ProblemCode | "network" | "timeout" | "unexpected-answer" | "reset";

/** The known facts about a failure. */
export interface Failure {
  readonly code: FailureCode;
  readonly status?: number;
  readonly problem?: Problem;
  /** Message of the error if there is no `problem`; by default the one for the code. */
  readonly detail?: string;
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

const messages: Partial<Record<FailureCode, string>> = {
  network: "no response: check the address, that the service runs, and for a page its corsOrigins",
  timeout: "no response in time",
  "unexpected-answer": "the response is not from the service: check the address",
  reset: "reset() was called before this was done",
};

/**
 * The error with which every refused or failed call rejects.
 *
 * @example
 * try {
 *   await client.identify({ visitId: "visit-7" });
 * } catch (error) {
 *   if (error instanceof ProblemError && error.code === "already-exists") showOtherVisit();
 *   else throw error;
 * }
 */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  /** The reason for the failure. */
  declare readonly code: FailureCode;
  /** HTTP status of the response; 0 if there was no response. */
  declare readonly status: number;
  /** The service's refusal (RFC 9457); `undefined` if the failure is not a refusal by the service. */
  declare readonly problem: Problem | undefined;
  /** `Retry-After` of the response in seconds; `null` if there is none. */
  declare readonly retryAfter: number | null;

  constructor({ detail, cause, ...known }: Failure) {
    super(known.problem?.detail ?? detail ?? messages[known.code] ?? known.code, { cause });
    Object.assign(this, { status: 0, problem: undefined, retryAfter: null }, known);
  }
}

const unansweredCodes: readonly FailureCode[] = [
  "network",
  "timeout",
  "unavailable",
  "request-under-way",
  "request-timeout",
];

/** Returns whether the service did not decide on the request in time. All other failures are refusals or defects. */
export function isUnanswered(error: ProblemError): boolean {
  // A proxy responded because it cannot reach the service at the moment.
  const isFromGateway = error.code === "unexpected-answer" && error.status >= 502;
  return isFromGateway || unansweredCodes.includes(error.code);
}

/** Returns whether the same request may succeed later. */
export function isRetryable(error: ProblemError): boolean {
  return error.code === "too-many-requests" || isUnanswered(error);
}

/** Returns the error for a response that is a refusal, or not from the service. `text` is the body of the response. */
export function errorFromResponse(
  response: { readonly status: number; readonly headers: Pick<Headers, "get"> },
  text: string,
): ProblemError {
  const { status, headers } = response;
  const retryAfter = Number(headers.get("retry-after")) || null;
  const problem = parseJson(text) as Problem | null | undefined;
  return problem && problem.type === `urn:antechamber:problem:${problem.code}`
    ? new ProblemError({ code: problem.code, status, problem, retryAfter })
    : new ProblemError({ code: "unexpected-answer", status, retryAfter });
}

/** Parses the body of a response; returns `undefined` if it is not JSON, so that it cannot be the service's. */
export function parseJson(text: string): unknown {
  return quietly(() => JSON.parse(text) as unknown);
}
