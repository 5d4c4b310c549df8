import type { ApiRequest, MayHold } from "../messages.ts";
import type { RequestHead } from "./request-head.ts";

/** What a request needs of the connection that it came in on. */
export interface RequestSource {
  readonly peer: string;
  /** The body, as `ApiRequest.body`. */
  readBody(limit: number, mayHold?: MayHold): Promise<Uint8Array | undefined>;
}

/** The request that a connection is about, as handlers see it: until it is answered. */
export class HeadedRequest implements ApiRequest {
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

  body(limit: number, mayHold?: MayHold): Promise<Uint8Array | undefined> {
    return this.#source.readBody(limit, mayHold);
  }
}

/**
 * Proxies may be sent a target with scheme and host before the path (RFC 9112, section 3.2.2), and then
 * without a path too.
 */
function startOfPath(target: string): number {
  return target.startsWith("/") ? 0 : (ORIGIN.exec(target)?.[0].length ?? 0);
}

const ORIGIN = /^[a-z][\w+.-]*:\/\/[^/?]*/i;
