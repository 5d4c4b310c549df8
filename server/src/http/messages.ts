/**
 * A request as the handlers see it, whatever runtime serves it. Header values are as they arrived:
 * a character a byte, duplicates joined by ", " (both runtimes do that).
 */
export interface ApiRequest {
  readonly method: string;
  /** The path as it was sent: without query, not decoded. */
  readonly path: string;
  /** What follows the "?" in the request's target, not decoded; "" without one. */
  readonly query: string;
  /** The address of whoever is connected, for the log. */
  readonly peer: string;
  /** `name` in lower case. `null` when the request has no such header. */
  header(name: string): string | null;
  /** False when there is certainly no body. */
  readonly hasBody: boolean;
  /** The body, or `undefined` as soon as it turns out to be longer than `limit` bytes. */
  body(limit: number): Promise<Uint8Array | undefined>;
}

/** Header names and values. */
export type HeaderFields = Readonly<Record<string, string>>;

/** An answer, in the form that `new Response(body, answer)` takes as well. */
export interface ApiResponse {
  readonly status: number;
  /** A `Headers` where it serves many answers: making one takes as long as looking up a session. */
  readonly headers: HeaderFields | Headers;
  /** `Content-Location`, where it is other than in the last answer, so that `headers` can serve many. */
  readonly contentLocation?: string;
  /** A stream is read as fast as the caller takes it; an error of it ends the connection. */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/** On every answer of the API: what is said to one caller is not kept for another, nor sniffed. */
export const apiFields: HeaderFields = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** The same, to be used as it is. */
export const apiHeaders: Headers = new Headers(apiFields);

/** A JSON answer of the API. */
export function json(body: unknown, status = 200): ApiResponse {
  return { status, headers: apiHeaders, body: JSON.stringify(body) };
}
