/**
 * A request as handlers see it, valid until it is answered. Header values have one character per byte; several
 * values of one name are joined by ", ", cookies by "; ".
 */
export interface HttpRequest {
  readonly method: string;
  /** The path as sent: without query, not decoded. */
  readonly path: string;
  /** The part of the target after "?", not decoded; "" without one. */
  readonly query: string;
  /** The address of the peer; "" on a Unix socket. */
  readonly peer: string;
  /** Returns a header's value, or `null` if there is none. `name` is in lower case. */
  header(name: string): string | null;
  /** False if there is certainly no body. */
  readonly hasBody: boolean;
  /**
   * Reads the body; resolves to `undefined` as soon as it turns out to be longer than `limit` bytes. Rejects with
   * `BodyError` if the rest of the body will not arrive, or if `mayBuffer` does not allow it.
   */
  body(limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array | undefined>;
}

/**
 * Returns whether a body of which `bytes` have arrived may be kept in memory until it is complete. Called as the
 * body grows; never called again after it has returned false.
 */
export type MayBuffer = (bytes: number) => boolean;

/**
 * Why the rest of a body will not arrive: its sender has disconnected, took too long, or sent malformed chunks, or
 * `mayBuffer` has returned false.
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

/** A request that the server rejects before a handler sees it. */
export interface RejectedRequest {
  readonly status: 400 | 408 | 414 | 417 | 431 | 501 | 505;
  /** A sentence for the sender. */
  readonly detail: string;
  /** "" if it could not be read. */
  readonly method: string;
  /** The target as sent, or its beginning; "" if it could not be read. */
  readonly target: string;
  readonly peer: string;
}

/** Header names in lower case, and values with one character per byte. */
export type HeaderFields = Readonly<Record<string, string>>;

/** A response. The server adds the headers of the connection itself; `connection: close` ends it. */
export interface HttpResponse {
  readonly status: number;
  /** Use the same object for many responses: its bytes are cached. */
  readonly headers: HeaderFields;
  /** `Content-Location`, which differs between responses with the same `headers`. */
  readonly contentLocation?: string | undefined;
  /** A stream is read as fast as the client takes it; an error of it ends the connection. */
  readonly body: WholeBody | ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A body that is complete; texts are sent in UTF-8. */
export type WholeBody = string | Uint8Array<ArrayBuffer> | BodyWriter | null;

/** A text in UTF-8 that is written directly into the buffer from which it is sent. */
export interface BodyWriter {
  /** The maximum length in bytes. */
  readonly maxLength: number;
  /** Writes the text at `start` and returns the position after it. */
  write(bytes: Buffer, start: number): number;
}

/** The parts of a `CachedResponse`, whose status is always 200. */
export interface CachedParts extends Omit<HttpResponse, "status"> {
  readonly body: BodyWriter | null;
}

/**
 * A response with status 200 that is sent many times and never changes. The server caches its bytes in it, except
 * for the headers that change with time, and calls `make` only if there are none that fit.
 */
export class CachedResponse implements HttpResponse {
  readonly status = 200;
  /** The cached bytes; only the server uses them. */
  bytes: Uint8Array | undefined = undefined;
  readonly make: () => CachedParts;

  constructor(make: () => CachedParts) {
    this.make = make;
  }

  get headers(): HeaderFields {
    return this.make().headers;
  }
  get contentLocation(): string | undefined {
    return this.make().contentLocation;
  }
  get body(): BodyWriter | null {
    return this.make().body;
  }
}

/** Returns a plain response with the same parts; calls `make` only once. */
export function materialize(response: HttpResponse): HttpResponse {
  return response instanceof CachedResponse ? { status: 200, ...response.make() } : response;
}

/** Returns the response with added or replaced headers. */
export function withFields(response: HttpResponse, fields: HeaderFields): HttpResponse {
  const { status, headers, contentLocation, body } = materialize(response);
  return { status, headers: { ...headers, ...fields }, contentLocation, body };
}
