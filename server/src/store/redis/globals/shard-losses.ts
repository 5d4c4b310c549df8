import { timeAndCount } from "../../../session/id.ts";
import { tagOf } from "../layout/shards.ts";

/** The data that a process has found instead of those of a shard: none, or an older copy. */
export type LossKind = "gone" | "older";

interface Loss {
  /** Time at which the loss was noticed, on the clock of Redis, Unix ms. */
  readonly at: number;
  readonly kind: LossKind;
}

/** Time (ms) for which a loss is shown in the status: long enough for somebody to see it. */
const SHOWN_FOR = 24 * 60 * 60 * 1000;

/** Returns for how long (ms) losses are stored: while they are shown, and while an implicit session can be older. */
export function lifeOfLosses(anonymousIdle: number): number {
  return Math.max(SHOWN_FOR, anonymousIdle);
}

/** The shards of a cluster that have lost their data, as this process read them last. */
export class ShardLosses {
  #byTag: ReadonlyMap<string, Loss> = new Map();
  #serverTime = 0;

  /**
   * Replaces the losses by the stored ones: tags and values in turn, as Redis returns a hash. Returns the tags of those
   * that were noticed after `since` (Unix ms), by kind.
   */
  replace(stored: readonly string[], since: number): ReadonlyMap<LossKind, readonly string[]> {
    const losses = new Map<string, Loss>();
    for (let i = 0; i < stored.length; i += 2) {
      const [at, kind] = String(stored[i + 1]).split(" ");
      losses.set(String(stored[i]), { at: Number(at), kind: kind as LossKind });
    }
    this.#byTag = losses;
    const added = [...losses].filter(([, { at }]) => at > since);
    const byKind = Map.groupBy(added, ([, { kind }]) => kind);
    return new Map(Array.from(byKind, ([kind, some]) => [kind, some.map(([tag]) => tag)]));
  }

  /** Sets the time on the clock of Redis, Unix ms. */
  advance(serverTime: number): void {
    this.#serverTime = serverTime;
  }

  /** Number of shards whose loss was noticed within the last day. */
  get count(): number {
    const from = this.#serverTime - SHOWN_FOR;
    return [...this.#byTag.values()].filter(({ at }) => at > from).length;
  }

  /** Returns whether the session was created before its shard lost the data. */
  mayInclude(handle: string): boolean {
    if (this.#byTag.size === 0) return false;
    const loss = this.#byTag.get(tagOf(handle));
    return loss !== undefined && timeAndCount(handle).createdAt <= loss.at;
  }
}
