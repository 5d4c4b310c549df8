import type { Problem, ProblemCode } from "./protocol.ts";

/**
 * The reason for a failed call. In addition to the codes of contract.md#refusals: `network`, no response;
 * `timeout`, no response in time; `unexpected-answer`, a response that is not from the service, such as a
 * proxy's error page; `reset`, the client's `reset()` was called before the call was done.
 */
export type FailureCode = ProblemCode | "network" | "timeout" | "unexpected-answer" | "reset";

/** The known facts about a failure. */
export interface Failure {
  readonly code: FailureCode;
  readonly status?: number;
  readonly problem?: Problem;
  /** The message if there is no `problem`; the code by default. */
  readonly detail?: string;
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

/**
 * The error of every refused or failed call.
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
  /** One of a closed set of codes. */
  declare readonly code: FailureCode;
  /** The HTTP status of the response; 0 without a response. */
  declare readonly status: number;
  /** The service's refusal (RFC 9457); `undefined` if the code is not one of the service's. */
  declare readonly problem: Problem | undefined;
  /** The response's `Retry-After` in seconds; `null` without one. */
  declare readonly retryAfter: number | null;

  constructor({ detail, cause, ...known }: Failure) {
    super(known.problem?.detail ?? detail ?? known.code, { cause });
    Object.assign(this, { status: 0, problem: undefined, retryAfter: null }, known);
  }
}

const retryableCodes: readonly FailureCode[] = [
  "network",
  "timeout",
  "unavailable",
  "too-many-requests",
  "request-under-way",
  "request-timeout",
];

/** Returns whether the same request may succeed later. */
export function isRetryable(error: ProblemError): boolean {
  // From a proxy that cannot reach the service at the moment.
  const isFromGateway = error.code === "unexpected-answer" && error.status >= 502;
  return isFromGateway || retryableCodes.includes(error.code);
}

/** Returns the error for a response that is not a success. `text` is its body. */
export function errorFromResponse(response: Response, text: string): ProblemError {
  const { status, headers } = response;
  const retryAfter = Number(headers.get("retry-after")) || null;
  try {
    const problem = JSON.parse(text) as Problem;
    if (problem.type === `urn:antechamber:problem:${problem.code}`) {
      return new ProblemError({ code: problem.code, status, problem, retryAfter });
    }
  } catch {
    // Not JSON, so not a response of the service.
  }
  return new ProblemError({ code: "unexpected-answer", status, retryAfter });
}
