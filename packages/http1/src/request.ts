import type { HttpRequest, MayBuffer } from "./http-types.ts";
import type { RequestHead } from "./request-head.ts";

/** The parts of a connection that a request needs. */
export interface RequestSource {
  readonly peer: string;
  /** Reads the body, like `HttpRequest.body`. */
  readBody(limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array | undefined>;
  onEnd(listener: () => void): void;
}

/** The current request of a connection as handlers see it; the same object serves one request after the other. */
export class HeadedRequest implements HttpRequest {
  readonly #head: RequestHead;
  readonly #source: RequestSource;

  constructor(head: RequestHead, source: RequestSource) {
    this.#head = head;
    this.#source = source;
  }

  get method(): string {
    return this.#head.method;
  }

  get path(): string {
    const { target } = this.#head;
    const start = startOfPath(target);
    const query = target.indexOf("?", start);
    return (query === -1 ? target.slice(start) : target.slice(start, query)) || "/";
  }

  get query(): string {
    const { target } = this.#head;
    const start = target.indexOf("?");
    return start === -1 ? "" : target.slice(start + 1);
  }

  get peer(): string {
    return this.#source.peer;
  }

  header(name: string): string | null {
    return this.#head.header(name);
  }

  get hasBody(): boolean {
    return this.#head.isChunked || this.#head.contentLength > 0;
  }

  body(limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array | undefined> {
    return this.#source.readBody(limit, mayBuffer);
  }

  onEnd(listener: () => void): void {
    this.#source.onEnd(listener);
  }
}

/** Returns where the path begins in a target: after the scheme and host, if there are any (RFC 9112, section 3.2.2). */
function startOfPath(target: string): number {
  return target.startsWith("/") ? 0 : (ORIGIN.exec(target)?.[0].length ?? 0);
}

const ORIGIN = /^[a-z][\w+.-]*:\/\/[^/?]*/i;
