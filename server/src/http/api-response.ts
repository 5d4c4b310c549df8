import type { HeaderFields, HttpResponse } from "@antechamber/http1";

/** A response of the API. */
export interface ApiResponse extends HttpResponse {
  /** The code of a refusal, for the log. */
  readonly refusal?: string;
}

/** Headers of every JSON response: caches must not store it, and browsers must not guess another content type. */
export const apiFields: HeaderFields = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** Returns a JSON response of the API. */
export function json(body: unknown, status = 200): ApiResponse {
  return { status, headers: apiFields, body: JSON.stringify(body) };
}
