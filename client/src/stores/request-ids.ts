import { Attached } from "../attached.ts";
import { randomKey } from "../session-operations.ts";
import type { FreshId, FreshIds } from "./fresh-ids.ts";

/** The ids that the next session objects of requests get. */
export class RequestIds {
  readonly #ids: FreshIds;
  readonly #reserved = new Attached<FreshId>();
  readonly #chosen = new Attached<string>();

  constructor(ids: FreshIds) {
    this.#ids = ids;
  }

  /** Reserves an id for a request. */
  reserve(request: object, fresh: FreshId | undefined): void {
    if (fresh !== undefined) this.#reserved.set(request, fresh);
  }

  /** Frees the reserved id of a request, if the request has not taken it. */
  free(request: object): void {
    const fresh = this.#reserved.get(request);
    if (fresh === undefined) return;
    this.#reserved.set(request, undefined);
    this.#ids.giveBack(fresh);
  }

  /** Sets the id that `take` returns next for this request. */
  choose(request: object, sessionId: string): void {
    this.#chosen.set(request, sessionId);
  }

  /**
   * Returns the id of a request's next session object. While Antechamber is unavailable this is a text that is not a session
   * id: the visitor gets an empty session, and saving data in it fails.
   */
  take(request: object): string {
    const chosen = this.#chosen.get(request);
    if (chosen !== undefined) {
      this.#chosen.set(request, undefined);
      return chosen;
    }
    const reserved = this.#reserved.get(request);
    if (reserved !== undefined) this.#reserved.set(request, undefined);
    const fresh = reserved ?? this.#ids.take();
    return fresh?.id ?? `unavailable-${randomKey()}`;
  }
}
