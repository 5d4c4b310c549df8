import type { Problem, ProblemCode } from "./protocol.ts";

/**
 * Why a call failed. Besides the codes of contract.md#refusals: `network`, no response; `timeout`, none in
 * time; `unexpected-answer`, the response is not from the service, such as a proxy's error page;
 * `reset`, the client's `reset()` was called before the call was done.
 */
export type FailureCode = ProblemCode | "network" | "timeout" | "unexpected-answer" | "reset";

/** What is known about a failure. */
export interface Failure {
  readonly code: FailureCode;
  readonly status?: number;
  readonly problem?: Problem;
  /** The message where there is no `problem`; the code by default. */
  readonly detail?: string;
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

/** The one error of this package, for every refused or failed call. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  /** One of a closed set of words. */
  readonly code: FailureCode;
  /** The HTTP status of the answer; 0 when none came. */
  readonly status: number;
  /** The service's refusal (RFC 9457); absent with the codes that are not the service's. */
  readonly problem: Problem | undefined;
  /** Seconds that the answer asks to wait before the next attempt; `null` when it does not say. */
  readonly retryAfter: number | null;

  constructor({ code, status = 0, problem, detail, retryAfter = null, cause }: Failure) {
    super(problem?.detail ?? detail ?? code, { cause });
    this.code = code;
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** What may succeed when the same request is sent again. */
const passing: readonly FailureCode[] = [
  "network",
  "timeout",
  "unavailable",
  "too-many-requests",
  "request-under-way",
  "request-timeout",
];

/** Whether the failure may pass: the same request can be sent again, later. */
export function isPassing(error: ProblemError): boolean {
  // A proxy that has lost the service for a moment.
  const isGateways = error.code === "unexpected-answer" && error.status >= 502;
  return isGateways || passing.includes(error.code);
}

/** The error that an answer other than a success stands for. `text` is its body. */
export function errorOfAnswer(response: Response, text: string): ProblemError {
  const { status, headers } = response;
  const retryAfter = Number(headers.get("retry-after")) || null;
  try {
    const problem = JSON.parse(text) as Problem;
    if (problem.type === `urn:antechamber:problem:${problem.code}`) {
      return new ProblemError({ code: problem.code, status, problem, retryAfter });
    }
  } catch {
    // Whoever wrote it does not speak the contract.
  }
  return new ProblemError({ code: "unexpected-answer", status, retryAfter });
}
