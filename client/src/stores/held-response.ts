/** The members of Node's `ServerResponse` that `HeldResponse` uses. */
export interface HoldableResponse {
  readonly destroyed: boolean;
  // The method has several signatures. Its arguments are passed on unchanged.
  write: unknown;
}

type Write = (this: unknown, ...given: unknown[]) => unknown;

/**
 * A response that can be held back while its session is saved. express-session sends all but the last byte of a response
 * at once. A browser that is redirected does not wait for that byte, and its next request would find the session as it was
 * before. The head of a response is sent with its first bytes, so only `write` is held back.
 */
export class HeldResponse {
  readonly #response: HoldableResponse;
  readonly #write: Write;
  #holds = 0;
  #held: unknown[][] = [];

  /** Replaces the method `write` of a response. Must be created before express-session gets the response. */
  constructor(response: HoldableResponse) {
    this.#response = response;
    this.#write = response.write as Write;
    response.write = (...given: unknown[]) => {
      if (this.#holds === 0) return this.#write.apply(response, given);
      this.#held.push(given);
      return true;
    };
  }

  hold(): void {
    this.#holds += 1;
  }

  /** Sends what was held back, unless another call of `hold` is in effect. */
  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    const held = this.#held;
    this.#held = [];
    for (const given of held) {
      if (!this.#response.destroyed) this.#write.apply(this.#response, given);
    }
  }
}
