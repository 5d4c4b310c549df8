import { timeAndCount } from "../../../session/id.ts";
import { shardTags, tagOf } from "../layout/shards.ts";

/** The data that a process has found instead of those of a shard: none, or an older copy. */
export type LossKind = "gone" | "older";

interface Loss {
  /** Time at which the loss was noticed, on the clock of Redis, Unix ms. */
  readonly at: number;
  readonly kind: LossKind;
}

/** How far the index entries are written again that were lost with shards (`index/index-repair.ts`). */
export interface RepairState {
  /** Time of the last loss on the clock of Redis, Unix ms; 0 if there was none. */
  readonly lostAt: number;
  /** Time of the last loss that is repaired; 0 if none is. The repair is due while this is less than `lostAt`. */
  readonly repairedAt: number;
  /** The tags of the shards whose sessions have their index entries again since the last loss. */
  readonly done: ReadonlySet<string>;
}

/** Time (ms) for which a loss is shown in the status: long enough for somebody to see it. */
const SHOWN_FOR = 24 * 60 * 60 * 1000;

/** Time (ms) for which a shard is suspected: within it, its loss is stored, or its marker was there after all. */
const SUSPECTED_FOR = 10_000;

/** Returns for how long (ms) losses are stored: while they are shown, and while an implicit session can be older. */
export function lifeOfLosses(anonymousIdle: number): number {
  return Math.max(SHOWN_FOR, anonymousIdle);
}

/** Parses the fields `lost`, `repaired` and `repair` of the state. */
export function parseRepair(lost = "0", repaired = "0", repair = ""): RepairState {
  const [at, tags = ""] = repair.split(" ");
  const done = new Set(at === lost ? tags.match(/../g) : []);
  return { lostAt: Number(lost), repairedAt: Number(repaired), done };
}

/** The shards of a cluster that have lost their data, as this process read them last. */
export class ShardLosses {
  #byTag: ReadonlyMap<string, Loss> = new Map();
  #serverTime = 0;
  #repair = parseRepair();
  /** Shards without a marker whose loss is not stored yet: the time at which that was seen, and until when they are suspected. */
  readonly #suspected = new Map<string, { readonly at: number; readonly until: number }>();

  /**
   * Replaces the losses by the stored ones, as Redis returns a hash. Returns the tags of those that were noticed after `since`
   * (Unix ms), by kind.
   */
  replace(stored: readonly string[], since: number): ReadonlyMap<LossKind, readonly string[]> {
    const losses = parseLosses(stored);
    this.#byTag = losses;
    const added = [...losses].filter(([, { at }]) => at > since);
    const byKind = Map.groupBy(added, ([, { kind }]) => kind);
    return new Map(Array.from(byKind, ([kind, some]) => [kind, some.map(([tag]) => tag)]));
  }

  /** Sets the time on the clock of Redis, Unix ms, and the state of the repair. */
  advance(serverTime: number, repair: RepairState): void {
    this.#serverTime = serverTime;
    this.#repair = repair;
    for (const [tag, { until }] of this.#suspected) if (performance.now() > until) this.#suspected.delete(tag);
  }

  /** Treats the data of a shard as lost at `at` (Unix ms) for a moment, until its loss is stored. */
  suspect(tag: string, at: number): void {
    this.#suspected.set(tag, { at, until: performance.now() + SUSPECTED_FOR });
  }

  /** Number of shards whose loss was noticed within the last day. */
  get count(): number {
    const from = this.#serverTime - SHOWN_FOR;
    return [...this.#byTag.values()].filter(({ at }) => at > from).length;
  }

  /** Number of shards whose sessions may lack index entries since the last loss; 0 once they are repaired. */
  get toRepair(): number {
    const { lostAt, repairedAt, done } = this.#repair;
    return repairedAt < lostAt ? shardTags.length - done.size : 0;
  }

  /** Time of the last loss on the clock of Redis, Unix ms; 0 if there was none. */
  get lostAt(): number {
    return this.#repair.lostAt;
  }

  /** Returns whether the session was created before its shard lost the data. */
  mayInclude(handle: string): boolean {
    if (this.#byTag.size === 0 && this.#suspected.size === 0) return false;
    const tag = tagOf(handle);
    const lostAt = Math.max(this.#byTag.get(tag)?.at ?? 0, this.#suspected.get(tag)?.at ?? 0);
    return timeAndCount(handle).createdAt <= lostAt;
  }
}

/** Parses the stored losses: tags and values in turn, as Redis returns a hash. */
export function parseLosses(stored: readonly string[]): Map<string, Loss> {
  const losses = new Map<string, Loss>();
  for (let i = 0; i < stored.length; i += 2) {
    const [at, kind] = String(stored[i + 1]).split(" ");
    losses.set(String(stored[i]), { at: Number(at), kind: kind as LossKind });
  }
  return losses;
}
