/**
 * A request as the handlers see it, until it is answered. Header values are as they arrived: a character
 * a byte, duplicates joined by ", ".
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

/** An answer. What belongs to the connection is not told, but for `connection: close`. */
export interface ApiResponse {
  readonly status: number;
  /** Names in lower case; values a character a byte. */
  readonly headers: HeaderFields;
  /** `Content-Location`, where it is other than in the last answer, so that `headers` can serve many. */
  readonly contentLocation?: string;
  /** A stream is read as fast as the caller takes it; an error of it ends the connection. */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

const serveMany = new WeakSet<HeaderFields>();

/** Marks fields that serve many answers and never change: their text is made once, and kept with them. */
export function shared(fields: HeaderFields): HeaderFields {
  serveMany.add(fields);
  return fields;
}

/** Whether the fields have been marked. */
export function isShared(fields: HeaderFields): boolean {
  return serveMany.has(fields);
}

/** On every answer of the API: what is said to one caller is not kept for another, nor sniffed. */
export const apiFields: HeaderFields = shared({
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
});

/** A JSON answer of the API. */
export function json(body: unknown, status = 200): ApiResponse {
  return { status, headers: apiFields, body: JSON.stringify(body) };
}
