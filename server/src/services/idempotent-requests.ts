import { Refusal } from "../session/errors.ts";
import type { Replay } from "../store/ports/idempotency.ts";

/** A request with an idempotency key. It is carried out once; a repetition gets the stored response. */
export interface Idempotent<Result> {
  /** Hash of the caller and the idempotency key. So different callers may use the same idempotency key. */
  readonly key: string;
  /** Hash of the request's content. A different request with the same key is refused. */
  readonly fingerprint: string;
  /** Formats the result as the response, which is stored for replays. */
  response(result: Result): string;
}

/** The requests with an idempotency key that are in progress in this process, whatever they do. */
export class RequestsInProgress {
  /** The idempotency keys, hashed. */
  readonly #keys = new Set<string>();

  /** Carries out the request with this key. Refuses with `request-under-way` while another one has the key. */
  async once<Result>(key: string, carryOut: () => Promise<Result>): Promise<Result> {
    if (this.#keys.has(key)) {
      throw new Refusal({ code: "request-under-way", retryAfterSeconds: 1 });
    }
    this.#keys.add(key);
    try {
      return await carryOut();
    } finally {
      this.#keys.delete(key);
    }
  }
}

/** Returns the stored response of a replay. Refuses with `idempotency-key-reused`. */
export function responseOf(replay: Replay): string {
  if (replay.outcome === "key-reused") throw new Refusal({ code: "idempotency-key-reused" });
  return replay.response;
}
