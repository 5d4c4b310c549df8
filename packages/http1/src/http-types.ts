/**
 * A request as handlers see it. It must not be used after its response has been returned. Header values have one
 * character per byte. The values of a repeated header are joined by ", ", those of `Cookie` by "; ".
 */
export interface HttpRequest {
  readonly method: string;
  /** The path as the client sent it: not decoded, and without the query. */
  readonly path: string;
  /** The part of the target after "?", not decoded; "" if there is no "?". */
  readonly query: string;
  /** The address of the peer; "" on a Unix socket. */
  readonly peer: string;
  /** Returns a header's value, or `null` if there is none. `name` is in lower case. */
  header(name: string): string | null;
  /** Whether the request has a body. A chunked body may turn out to be empty. */
  readonly hasBody: boolean;
  /**
   * Reads the body; resolves to `undefined` as soon as it turns out to be longer than `limit` bytes. Rejects with
   * `BodyError` if the rest of the body will not arrive, or if `mayBuffer` returns false.
   */
  body(limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array | undefined>;
  /**
   * Calls `listener` when the client ends its side of the connection before the response is there, or before a stream has
   * ended; at once if it has done so already. It replaces an earlier listener. It is for handlers that wait for something
   * other than the request, and for streams without an end: without it, a stream that waits for its next part does not
   * notice that nobody reads it any more.
   */
  onEnd(listener: () => void): void;
}

/** Returns whether a growing body, of which `bytes` have arrived, may be buffered. Not called again after `false`. */
export type MayBuffer = (bytes: number) => boolean;

/**
 * Why a body cannot be read to its end: the client has disconnected (`gone`), took too long (`late`), or sent malformed
 * chunks (`malformed`), or `mayBuffer` has returned false (`crowded`).
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
  /** The reason, as a sentence for the client. */
  readonly detail: string;
  /** The method; "" if it could not be read. */
  readonly method: string;
  /** The target as sent, or its beginning; "" if it could not be read. */
  readonly target: string;
  readonly peer: string;
}

/** Header names in lower case, and values with one character per byte. */
export type HeaderFields = Readonly<Record<string, string>>;

/** A response. The server adds the connection's headers. `connection: close` ends the connection afterwards. */
export interface HttpResponse {
  readonly status: number;
  /** The headers. Use the same object for many responses: the server then reuses the bytes of these headers. */
  readonly headers: HeaderFields;
  /** The header `Content-Location`. It is not in `headers`, so that responses can share one `headers` object. */
  readonly contentLocation?: string | undefined;
  /** The header `ETag`, with its quotes. It is not in `headers` for the same reason. */
  readonly etag?: string | undefined;
  /** The body. A stream is read only as fast as the client reads. If the stream fails, the connection ends. */
  readonly body: WholeBody | ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A body that is not a stream. A string is sent in UTF-8; `null` means no body. */
export type WholeBody = string | Uint8Array<ArrayBuffer> | BodyWriter | null;

/** A body in UTF-8 that is written directly into the buffer from which it is sent. */
export interface BodyWriter {
  /** The maximum length in bytes. */
  readonly maxLength: number;
  /** Writes the text at `start` and returns the position after it. */
  write(bytes: Buffer, start: number): number;
}

/** The parts of a `CachedResponse`, whose status is always 200. */
export interface CachedParts extends Omit<HttpResponse, "status" | "etag"> {
  readonly body: BodyWriter | null;
}

/**
 * A response with status 200 that is sent many times and never changes. The server caches the response's bytes in this
 * object, except for the headers that change with time. It calls `make` to create these bytes, and for requests that
 * need other bytes, such as HEAD requests.
 */
export class CachedResponse implements HttpResponse {
  readonly status = 200;
  /** The cached bytes; only the server uses them. */
  bytes: Buffer | undefined = undefined;
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

/** Returns the response as a plain object. Calls `make` once; the getters of `CachedResponse` call it each time. */
export function materialize(response: HttpResponse): HttpResponse {
  return response instanceof CachedResponse ? { status: 200, ...response.make() } : response;
}

/** Returns the response with added or replaced headers. */
export function withFields(response: HttpResponse, fields: HeaderFields): HttpResponse {
  const { headers, ...others } = materialize(response);
  return { ...others, headers: { ...headers, ...fields } };
}

/**
 * A part of the streams of many responses, whose bytes never change. The server frames it once for all of them, instead of
 * copying it for each.
 */
export class SharedPart extends Uint8Array<ArrayBuffer> {
  /** The part as a chunk; only the server uses it. */
  chunk: Buffer | undefined = undefined;
}
