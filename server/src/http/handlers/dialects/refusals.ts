import type { Problem } from "@antechamber/client/protocol";
import type { DialectName } from "../../../config/base-path.ts";
import type { Restate } from "../../problems.ts";

const withError: Restate = (problem) => ({
  ...problem,
  error: { code: problem.code, message: problem.detail },
});

/** The details of refusals that differ in dialect v2, because they name operations and v2 has other operations. */
const detailsOfV2: Partial<Record<Problem["code"], string>> = {
  "session-not-found":
    "No live session has this id. Create one with POST /sessions/ below this base path, and use the id in the header gkc_sessionId of its response.",
  "not-found":
    "This path does not exist. The operations below this base path are POST /sessions/ and PATCH /sessions/{sessionId}; /openapi.json lists the others.",
};

/** Functions that bring a refusal into the form of each dialect. */
export const restate: Readonly<Record<DialectName, Restate>> = {
  "8.5.0": (problem) => problem,
  "8.5.1": (problem) =>
    withError(problem.code === "session-not-found" ? { ...problem, title: "Session not found" } : problem),
  current: withError,
  v2: (problem) => withError({ ...problem, detail: detailsOfV2[problem.code] ?? problem.detail }),
};
