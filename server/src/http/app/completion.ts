import { type HttpRequest, withFields } from "@antechamber/http1";
import type { ApiResponse } from "../api-response.ts";
import type { LogAccess, LoggedRequest } from "./access-log.ts";
import type { AppParts } from "./app-parts.ts";
import type { Cors } from "./cors.ts";
import type { Match } from "./router.ts";

export type Completion = ReturnType<typeof createCompletion>;

/** Creates the last steps of each request: metrics, access log, CORS, and `connection: close` while stopping. */
export function createCompletion(
  { config, metrics }: AppParts,
  cors: Cors | undefined,
  logAccess: LogAccess,
  isStopping: () => boolean,
) {
  let completed = 0;

  /** Adds a request to the metrics and to the access log. */
  function record(
    response: ApiResponse,
    request: LoggedRequest,
    match: Pick<Match, "sessionId"> | undefined,
    operation: string,
    durationMs: number,
  ): void {
    completed++;
    metrics.operation(operation).record(response.status, durationMs);
    if (config.accessLog === "all") logAccess(response, request, match, operation, durationMs);
  }

  return {
    record,
    /** Records the request and returns its response with all headers. `startedAt` is from `performance.now()`. */
    finish(response: ApiResponse, request: HttpRequest, match: Match | undefined, startedAt: number): ApiResponse {
      const durationMs = performance.now() - startedAt;
      record(response, request, match, match?.route.operation ?? "other", durationMs);
      const readable = cors === undefined ? response : cors.apply(request, response);
      return isStopping() ? withFields(readable, { connection: "close" }) : readable;
    },
    get completed(): number {
      return completed;
    },
  };
}
