import type { HeaderFields, HttpResponse } from "@antechamber/http1";

/** A response of the API. */
export interface ApiResponse extends HttpResponse {
  /** The code of a refusal, for the log. */
  readonly refusal?: string;
}

/** The headers of every response of the API: nothing is cached for other callers, and no type is guessed. */
export const apiFields: HeaderFields = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** Returns a JSON response of the API. */
export function json(body: unknown, status = 200): ApiResponse {
  return { status, headers: apiFields, body: JSON.stringify(body) };
}
