import type { Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";

/** Duration (ms) of the lease: another process takes over after it if the holder has died. */
const DURATION = 6000;

/**
 * The lease of the process that does the work that one process at a time does: the sweep, and the upkeep of the event
 * log. Two that do it at the same time do no harm, so the steps after `take` do not check it again.
 */
export class Lease {
  readonly #nonce = newNonce();
  #mayHold = false;

  /** Takes or extends the lease. Returns the time of Redis (Unix ms); 0 if another process has the lease. */
  async take(operation: Operation): Promise<number> {
    this.#mayHold = true;
    const args = [this.#nonce, DURATION];
    const serverTime = Number(await operation.run(scripts.takeLease, [operation.keys.lease], args));
    this.#mayHold = serverTime !== 0;
    return serverTime;
  }

  /** Gives the lease up, so that another process need not wait for its end. */
  async release(operation: Operation): Promise<void> {
    if (!this.#mayHold) return;
    this.#mayHold = false;
    await operation.run(scripts.releaseLease, [operation.keys.lease], [this.#nonce]);
  }
}
