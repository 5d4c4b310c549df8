import type { HttpRequest } from "@antechamber/http1";
import { handleIn } from "../../session/id.ts";
import type { ApiResponse } from "../api-response.ts";
import type { AppParts } from "./app-parts.ts";
import { requestIdOf } from "./refusals.ts";
import type { Base, Match } from "./router.ts";

/** The maximum number of segments of an unknown path in the log. */
const MAX_SEGMENTS = 8;

/** The logged parts of a request; a request that could not be read has no path. */
export type LoggedRequest = Pick<HttpRequest, "method" | "peer" | "header"> & {
  readonly path?: string;
};

export type LogAccess = ReturnType<typeof createAccessLog>;

/** Creates the function that logs a request. No line contains an id that opens a session, or another secret (contract.md#secrets-in-logs). */
export function createAccessLog({ log, logHash }: AppParts, bases: readonly Base[]) {
  const paths = bases.flatMap(({ path, routes }) => [path, ...routes.map((each) => each.path)]);
  const pathWords = new Set(paths.flatMap((path) => path.split("/")));

  /** Returns an unknown path for the log. Each segment that is no word of the API, perhaps a secret, becomes "*". */
  function redactedPath(path: string): string {
    const segments = path.split("/").slice(1, 1 + MAX_SEGMENTS);
    return segments.map((segment) => `/${pathWords.has(segment) ? segment : "*"}`).join("");
  }

  /** Returns the handle of the session in a path. Any other text may be a secret, so the log has its hash. */
  function loggedName(sessionId: string): string {
    return handleIn(sessionId) ?? logHash(sessionId);
  }

  return (
    { status, headers, refusal }: Pick<ApiResponse, "status" | "headers" | "refusal">,
    request: LoggedRequest,
    match: Pick<Match, "sessionId"> | undefined,
    operation: string,
    durationMs: number,
  ): void => {
    const line = {
      // The response to a refused request already has a request id.
      requestId: headers["x-request-id"] ?? requestIdOf(request),
      operation,
      method: request.method,
      // The path of a known route is not logged, because the operation implies it.
      path: match === undefined ? redactedPath(request.path ?? "") : undefined,
      status,
      code: refusal,
      durationMs: Math.round(durationMs * 1000) / 1000,
      peer: request.peer,
      session: match === undefined || match.sessionId === "" ? undefined : loggedName(match.sessionId),
    };
    log.info(line, "request");
  };
}
