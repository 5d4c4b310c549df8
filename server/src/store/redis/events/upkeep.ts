import type { PurgeResult } from "../../ports/lifecycle.ts";
import type { Engine, Operation } from "../engine.ts";
import type { Lease } from "../globals/lease.ts";
import { scripts } from "../scripts/scripts.ts";
import { FENCE_LIFE } from "../sessions/visit-claim.ts";
import { Expiry } from "./expiry.ts";

/** Time (ms) between two looks for something to do. */
const PAUSE_MS = 2000;
/** Number of entries of the log that a slice purges, or looks at. It is small, because a script blocks Redis. */
const ENTRIES = 128;

/** The place in the log up to which hidden entries are removed. */
interface Removal {
  readonly after: string;
  readonly began: string;
}

const nothing: PurgeResult = { expired: 0, isExpiring: false, hasMore: false };

/**
 * Keeps the event log in order, in slices: purges events whose retention is over, removes those of erased sessions, and
 * publishes that sessions have expired. The process with the lease does this.
 */
export class EventUpkeep {
  readonly #engine: Engine;
  readonly #lease: Lease;
  /** Works off the notes of this process, which may be about sessions that have expired meanwhile. */
  readonly #settleOwn: () => Promise<void>;
  readonly #expiry: Expiry;
  /** The time (Unix ms) before which there is nothing to do. */
  #restsUntil = 0;
  #removal: Removal | undefined;

  constructor(engine: Engine, lease: Lease, settleOwn: () => Promise<void>) {
    this.#settleOwn = settleOwn;
    this.#engine = engine;
    this.#lease = lease;
    this.#expiry = new Expiry(engine);
  }

  /** Does a slice of the work at `now`. Does nothing if another process has the lease, or the clock may be wrong. */
  async slice(now: number): Promise<PurgeResult> {
    if (now < this.#restsUntil || this.#engine.isClockWrong) return nothing;
    const operation = this.#engine.begin();
    if ((await this.#lease.take(operation)) === 0) {
      this.#expiry.reset();
      this.#removal = undefined;
      this.#restsUntil = now + PAUSE_MS;
      return nothing;
    }
    await this.#settleOwn();
    const isCleaning = await this.#clean(operation, now);
    const slice = await this.#expiry.slice(operation, now);
    const hasMore = slice.hasMore || isCleaning;
    if (!hasMore) this.#restsUntil = now + PAUSE_MS;
    return { ...slice, hasMore };
  }

  /** Purges and removes a slice of entries. Returns whether there is more to do. */
  async #clean(operation: Operation, now: number): Promise<boolean> {
    const { keys, engine } = operation;
    const names = [keys.events, keys.eventState, keys.hiddenEvents];
    const bound = now - (engine.options.eventRetention ?? 0);
    const [purged, hasHidden] = (await operation.run(scripts.trimEvents, names, [bound, ENTRIES, FENCE_LIFE])) as [
      number,
      number,
    ];
    if (hasHidden === 1 || this.#removal !== undefined) {
      const { after, began } = this.#removal ?? { after: "", began: "" };
      const reply = await operation.run(scripts.removeHiddenEvents, names, [after, ENTRIES, began]);
      const [next, since] = reply as [string, string];
      this.#removal = next === "" ? undefined : { after: next, began: since };
    }
    return purged === ENTRIES || this.#removal !== undefined;
  }
}
