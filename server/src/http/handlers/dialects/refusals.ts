import type { Problem } from "@antechamber/client/protocol";
import type { DialectName } from "../../../config/base-path.ts";

/** Adds to the problem details of a refusal the members that a dialect's clients read. */
export type Restate = (problem: Problem) => RestatedProblem;

/** A refusal in the newer dialects: the members of problem details, and `error`. */
export interface RestatedProblem extends Problem {
  readonly error?: { readonly code: Problem["code"]; readonly message: string };
}

const withError: Restate = (problem) => ({
  ...problem,
  error: { code: problem.code, message: problem.detail },
});

/** The details that name operations, for v2, which has other operations. */
const detailsOfV2: Partial<Record<Problem["code"], string>> = {
  "session-not-found":
    "No live session has this id. Create one with POST /sessions/ below this base path, and use the id in the header gkc_sessionId of the answer.",
  "not-found":
    "Nothing is served under this path. The operations below this base path are POST /sessions/ and PATCH /sessions/{sessionId}; /openapi.json lists the others.",
};

/** How each dialect writes its refusals. */
export const restate: Readonly<Record<DialectName, Restate>> = {
  "8.5.0": (problem) => problem,
  "8.5.1": (problem) =>
    withError(
      problem.code === "session-not-found" ? { ...problem, title: "Session not found" } : problem,
    ),
  current: withError,
  v2: (problem) => withError({ ...problem, detail: detailsOfV2[problem.code] ?? problem.detail }),
};
