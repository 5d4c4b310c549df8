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
  /**
   * Reads the body; resolves to `undefined` as soon as it turns out to be longer than `limit` bytes. Rejects with
   * `BodyError` if the rest of the body will not arrive, or if `mayHold` does not allow it.
   */
  body(limit: number, mayHold?: MayHold): Promise<Uint8Array | undefined>;
}

/**
 * Returns whether a body of which `bytes` have arrived may be held until it is complete. Called as the body grows;
 * never called again after it has returned false.
 */
export type MayHold = (bytes: number) => boolean;

/**
 * Why the rest of a body will not arrive: its sender has disconnected, took too long, or sent malformed chunks, or
 * the body may not be held.
 */
export type BodyFault = "gone" | "late" | "malformed" | "crowded";

/** A body that cannot be read to its end. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly fault: BodyFault;

  constructor(fault: BodyFault) {
    super(`the rest of the body does not arrive: ${fault}`);
    this.fault = fault;
  }
}

/** A request that was refused before a handler could see it. */
export interface UnreadRequest {
  readonly status: 400 | 408 | 414 | 417 | 431 | 501 | 505;
  /** A sentence for the sender. */
  readonly detail: string;
  /** "" if it could not be read either. */
  readonly method: string;
  /** The target as sent, or its beginning; "" if it could not be read either. */
  readonly target: string;
  readonly peer: string;
}

/** Header names and values. */
export type HeaderFields = Readonly<Record<string, string>>;

/** An answer. What belongs to the connection is not told, but for `connection: close`. */
export interface ApiResponse {
  readonly status: number;
  /** Names in lower case; values a character a byte. */
  readonly headers: HeaderFields;
  /** `Content-Location`: apart from `headers`, which serve many answers. */
  readonly contentLocation?: string | undefined;
  /** The code of a refusal, for the log. */
  readonly refusal?: string;
  /** A stream is read as fast as the caller takes it; an error of it ends the connection. */
  readonly body: WholeBody | ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A body that is there as a whole; texts are sent in UTF-8. */
export type WholeBody = string | Uint8Array<ArrayBuffer> | WritableText | null;

/** A text that is written where it is sent from, in UTF-8, and is no string before. */
export interface WritableText {
  /** Bytes that it takes at the most. */
  readonly maxLength: number;
  /** Writes it to the bytes from `start` on, and gives where it ends. */
  write(bytes: Buffer, start: number): number;
}

/** What there is to keep of an answer. */
export interface KeptParts extends Omit<ApiResponse, "status"> {
  readonly body: WritableText | null;
}

/**
 * An answer with 200 that serves many requests and never changes: kept as it is sent. `make` makes it anew
 * where that does not fit, so that nothing of it is kept twice.
 */
export class KeptResponse implements ApiResponse {
  readonly status = 200;
  /** What whoever sends it has made of it, to be sent again. */
  sent: Uint8Array | undefined = undefined;
  readonly make: () => KeptParts;

  constructor(make: () => KeptParts) {
    this.make = make;
  }

  get headers(): HeaderFields {
    return this.make().headers;
  }
  get contentLocation(): string | undefined {
    return this.make().contentLocation;
  }
  get body(): WritableText | null {
    return this.make().body;
  }
}

/** The answer with all its parts, each made once. */
export function madeOf(response: ApiResponse): ApiResponse {
  return response instanceof KeptResponse ? { status: 200, ...response.make() } : response;
}

/** The same answer with more fields, or others. */
export function withFields(response: ApiResponse, fields: HeaderFields): ApiResponse {
  const { status, headers, contentLocation, body } = madeOf(response);
  return { status, headers: { ...headers, ...fields }, contentLocation, body };
}

/** On every answer of the API: what is said to one caller is not kept for another, nor sniffed. */
export const apiFields: HeaderFields = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** A JSON answer of the API. */
export function json(body: unknown, status = 200): ApiResponse {
  return { status, headers: apiFields, body: JSON.stringify(body) };
}
