import type { Clock } from "../runtime/clock.ts";
import type { LifecycleStore } from "../store/ports/lifecycle.ts";
import type { ExportPage, TransferItem, TransferStore } from "../store/ports/transfer.ts";
import { type Comparison, compareStores } from "./compare.ts";
import type { TallyTimes } from "./tally.ts";

/*
 * Moves everything that one store keeps into another, of any engine.
 *
 *   empty target --first portion--> under way --last portion--> copied --comparison--> done
 *   under way --interrupted--> under way: the next run goes on after the last portion that was kept
 *   copied --another run, or a difference--> under way, from the beginning: the catch-up pass
 *
 * Where a move has come to is kept in the target, in the same step as the items; it goes with the
 * comparison that finds no difference. Until then no server starts on the target. Items may be kept
 * twice, so nothing is lost where a run ends, however it ends.
 *
 * A run that goes on brings what comes before sessions over first, and is little: every run leaves
 * entries in the source's audit trail, and for those alone a whole pass would be made again.
 */

/** A store that is read: closed to writes, or, for a copy that another run completes, in use. */
export type Source = Pick<TransferStore, "exportPage">;

/** What was done so far. */
export interface Progress {
  readonly sessions: number;
  readonly records: number;
  /** About how much of this pass is done, 0 to 1. */
  readonly done: number;
  readonly phase: "copying" | "comparing";
}

export interface MigrateOptions {
  readonly source: Source;
  /** What tells the source from other stores. */
  readonly from: string;
  readonly target: TransferStore & Pick<LifecycleStore, "purgeExpired">;
  readonly clock: Clock;
  readonly times: TallyTimes;
  /** The source is in use: copies what is there, and leaves the rest to another run. */
  readonly isAhead: boolean;
  onProgress(progress: Progress): void;
  /** Ends the run after the portion at hand. */
  readonly signal: AbortSignal;
}

/** What a run came to. */
export interface Migration {
  /** Whether it went on where an earlier run had ended. */
  readonly resumed: boolean;
  /** What was read at the source in all passes of this run. */
  readonly copied: { readonly sessions: number; readonly records: number };
  /** Ids of sessions that have no place in the target, at most `LEFT_OUT_NAMED`. */
  readonly leftOut: readonly string[];
  /** `null` when the copy was made ahead. */
  readonly comparison: Comparison | null;
}

/** The target cannot take this store in; nothing was changed. */
export class TargetTaken extends Error {
  override readonly name = "TargetTaken";
}

/** How many of the sessions that are left out are named. */
const LEFT_OUT_NAMED = 10;
/** After how many portions the target does its housekeeping. */
const HOUSEKEEPING_EVERY = 64;

/** What every engine tells first. */
const headKinds: readonly TransferItem["kind"][] = ["secrets", "floor", "key", "audit"];

/** What is noted in the target. */
interface Note {
  readonly from: string;
  /** The next portion; `null`: the next pass begins. */
  readonly next: string | null;
}

/** Throws `TargetTaken`, the reason of the signal, and what the stores throw. */
export async function migrate(options: MigrateOptions): Promise<Migration> {
  const start = await startOf(options);
  const run = createRun(options);
  if (start !== null) await run.head(start);
  await run.pass(start);
  const report = (comparison: Comparison | null): Migration => ({
    resumed: start !== null,
    copied: { ...run.copied },
    leftOut: run.leftOut,
    comparison,
  });
  if (options.isAhead) return report(null);
  let comparison = await compareStores(options);
  if (!comparison.isEqual) {
    // Only a part of it may be older than the rest: what lay before the place where this run began.
    await run.pass(null);
    comparison = await compareStores(options);
  }
  if (comparison.isEqual)
    await options.target.importItems({ items: [], cursor: null, now: options.clock() });
  return report(comparison);
}

/** Where to begin: a target that holds anything is refused, but for one that this move has begun. */
async function startOf({ target, from, clock }: MigrateOptions): Promise<string | null> {
  const text = await target.importCursor();
  if (text !== null) {
    const note = JSON.parse(text) as Note;
    if (note.from === from) return note.next;
    throw new TargetTaken(
      `a move of ${note.from} into it has begun: finish it, or take an empty store`,
    );
  }
  for (let after: string | null = null; ; ) {
    const { items, next }: ExportPage = await target.exportPage(after, clock());
    if (items.some(({ kind }) => kind !== "secrets" && kind !== "floor")) {
      throw new TargetTaken(
        "it holds sessions, answers, keys or an audit trail already: take an empty store",
      );
    }
    if (next === null) return null;
    after = next;
  }
}

function createRun({ source, target, from, clock, onProgress, signal }: MigrateOptions) {
  const copied = { sessions: 0, records: 0 };
  const leftOut: string[] = [];
  let portions = 0;

  async function keep({ items, next, progress: done }: ExportPage): Promise<void> {
    const note = JSON.stringify({ from, next } satisfies Note);
    const misplaced = await target.importItems({ items, cursor: note, now: clock() });
    leftOut.push(...misplaced.slice(0, LEFT_OUT_NAMED - leftOut.length));
    for (const item of items) count(copied, item);
    onProgress({ ...copied, done, phase: "copying" });
    if (++portions % HOUSEKEEPING_EVERY === 0) await houseKeep();
  }

  async function houseKeep(): Promise<void> {
    for (let isFull = true; isFull; ) ({ hasMore: isFull } = await target.purgeExpired(clock()));
  }

  return {
    copied,
    leftOut,
    /** Copies what comes before answers and sessions; `place` stays where this run goes on. */
    async head(place: string): Promise<void> {
      const note = JSON.stringify({ from, next: place } satisfies Note);
      for (let after: string | null = null; ; ) {
        const { items, next }: ExportPage = await source.exportPage(after, clock());
        const heads = items.filter(({ kind }) => headKinds.includes(kind));
        await target.importItems({ items: heads, cursor: note, now: clock() });
        if (heads.length < items.length || next === null) return;
        after = next;
      }
    },
    /** Copies from `after` on to the end. */
    async pass(after: string | null): Promise<void> {
      let portion = await source.exportPage(after, clock());
      for (;;) {
        signal.throwIfAborted();
        const { next } = portion;
        // One is read while the other is written.
        const upcoming = next === null ? undefined : source.exportPage(next, clock());
        const [following] = await Promise.all([upcoming, keep(portion)]);
        if (following === undefined) return;
        portion = following;
      }
    },
  };
}

function count(copied: { sessions: number; records: number }, item: TransferItem): void {
  if (item.kind === "session") copied.sessions++;
  if (item.kind === "records") copied.records += item.records.length;
}
