import type { ExportPage, TransferItem } from "../store/ports/transfer.ts";
import { queueRemaining } from "../webhooks/queue-remaining.ts";
import { type Comparison, compareStores } from "./compare.ts";
import type { MigrateOptions } from "./options.ts";

/*
 * Copies everything from one store to another. The engines of the two may differ.
 *
 *   empty target --first page--> in progress --last page--> copied --comparison--> done
 *   in progress --interrupted--> in progress: the next run continues after the last stored page
 *   copied --another run, or a difference--> in progress, from the beginning: the catch-up pass
 *
 * The target stores the cursor together with the items of each page, in one step. It keeps a cursor until a comparison
 * finds no difference, and no server starts on a target with a cursor. Importing an item twice has no further effect.
 * So nothing is lost, wherever a run is interrupted.
 *
 * A run that continues an earlier one first copies the items before the sessions again: secrets, keys and the audit
 * trail. Every run adds entries to the source's audit trail. Without this step, these entries alone would make another
 * complete pass necessary.
 */

/** Result of a run of `migrate`, which may continue an earlier, interrupted one. */
export interface Migration {
  /** Whether this run of `migrate` continued an earlier one. */
  readonly resumed: boolean;
  /** Number of sessions and records that this run read from the source, in all its passes. */
  readonly copied: { readonly sessions: number; readonly records: number };
  /** Ids of sessions that the target cannot store; at most `MAX_LEFT_OUT` of them. */
  readonly leftOut: readonly string[];
  /** Result of the comparison; `null` with `isAhead`, because then the stores are not compared. */
  readonly comparison: Comparison | null;
}

/** The error for a target that must not be filled from this source. Nothing was changed. */
export class TargetTaken extends Error {
  override readonly name = "TargetTaken";
}

/** Maximum number of ids in `leftOut`. */
const MAX_LEFT_OUT = 10;
/** The target is purged each time this number of pages was stored. */
const PAGES_PER_PURGE = 64;

/** The kinds of items that every engine exports before all others. */
const headKinds: readonly TransferItem["kind"][] = ["secrets", "floor", "key", "endpoint", "audit"];

/** The cursor that the target stores, as JSON text. */
interface Checkpoint {
  readonly from: string;
  /** Cursor of the next page; `null` if the next run begins a new pass. */
  readonly next: string | null;
}

/** Runs a migration. Throws `TargetTaken`, the reason of an aborted `signal`, or an error of a store. */
export async function migrate(options: MigrateOptions): Promise<Migration> {
  const start = await startOf(options);
  // The event log is not copied, so its last events go into the queues, which are.
  if (options.queues !== null) await queueRemaining(options.queues, options.clock, options.signal);
  const run = createRun(options);
  if (start !== null) await run.copyHead(start);
  await run.copyFrom(start);
  const report = (comparison: Comparison | null): Migration => ({
    resumed: start !== null,
    copied: { ...run.copied },
    leftOut: run.leftOut,
    comparison,
  });
  if (options.isAhead) return report(null);
  let comparison = await compareStores(options);
  if (!comparison.isEqual) {
    // If the first pass began at a stored cursor, content before that cursor may have changed since it was copied. So
    // everything is copied again.
    await run.copyFrom(null);
    comparison = await compareStores(options);
  }
  if (comparison.isEqual) {
    await options.target.importItems({ items: [], cursor: null, now: options.clock() });
  }
  return report(comparison);
}

/**
 * Returns the cursor at which to begin; `null` for the beginning. Refuses a target that is not empty, unless an earlier
 * run of this migration has begun to fill it.
 */
async function startOf({ target, from, clock }: MigrateOptions): Promise<string | null> {
  const text = await target.importCursor();
  if (text !== null) {
    const checkpoint = JSON.parse(text) as Checkpoint;
    if (checkpoint.from === from) return checkpoint.next;
    throw new TargetTaken(`a move of ${checkpoint.from} into it has begun: finish it, or take an empty store`);
  }
  for (let after: string | null = null; ; ) {
    const { items, next }: ExportPage = await target.exportPage(after, clock());
    if (items.some(({ kind }) => kind !== "secrets" && kind !== "floor")) {
      throw new TargetTaken("it holds sessions, answers, keys or an audit trail already: take an empty store");
    }
    if (next === null) return null;
    after = next;
  }
}

function createRun({ source, target, from, clock, onProgress, signal }: MigrateOptions) {
  const copied = { sessions: 0, records: 0 };
  const leftOut: string[] = [];
  let pages = 0;

  function store(items: readonly TransferItem[], next: string | null): Promise<readonly string[]> {
    const cursor = JSON.stringify({ from, next } satisfies Checkpoint);
    return target.importItems({ items, cursor, now: clock() });
  }

  async function storePage({ items, next, progress: done }: ExportPage): Promise<void> {
    const skipped = await store(items, next);
    leftOut.push(...skipped.slice(0, MAX_LEFT_OUT - leftOut.length));
    for (const item of items) count(copied, item);
    onProgress({ ...copied, done, phase: "copying" });
    if (++pages % PAGES_PER_PURGE !== 0) return;
    while ((await target.purgeExpired(clock())).hasMore);
  }

  return {
    copied,
    leftOut,
    /** Copies the items of `headKinds`. The target keeps `cursor`, at which `copyFrom` then continues. */
    async copyHead(cursor: string): Promise<void> {
      for (let after: string | null = null; ; ) {
        const { items, next }: ExportPage = await source.exportPage(after, clock());
        const heads = items.filter(({ kind }) => headKinds.includes(kind));
        await store(heads, cursor);
        if (heads.length < items.length || next === null) return;
        after = next;
      }
    },
    /** Copies everything that follows the cursor `after`. */
    async copyFrom(after: string | null): Promise<void> {
      let page = await source.exportPage(after, clock());
      for (;;) {
        signal.throwIfAborted();
        const { next } = page;
        // Reads the next page while this one is stored.
        const upcoming = next === null ? undefined : source.exportPage(next, clock());
        const [following] = await Promise.all([upcoming, storePage(page)]);
        if (following === undefined) return;
        page = following;
      }
    },
  };
}

function count(copied: { sessions: number; records: number }, item: TransferItem): void {
  if (item.kind === "session") copied.sessions++;
  if (item.kind === "records") copied.records += item.records.length;
}
