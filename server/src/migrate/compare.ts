import type { MigrateOptions, Source } from "./migrate.ts";
import { createTally, type Sum, type TalliedKind, type Tally, talliedKinds } from "./tally.ts";

/** Both stores, by count and checksum. */
export interface Comparison {
  readonly isEqual: boolean;
  readonly kinds: readonly ComparedKind[];
}

/** One kind of content in both. */
export interface ComparedKind {
  readonly kind: TalliedKind;
  readonly isEqual: boolean;
  readonly source: Sum;
  readonly target: Sum;
}

/** Reads both stores whole. What is let go within the hour is left out: it may go meanwhile. */
export async function compareStores(options: MigrateOptions): Promise<Comparison> {
  const source = await tallyOf(options.source, 0, options);
  const target = await tallyOf(options.target, 0.5, options);
  const now = options.clock();
  const kinds = talliedKinds.map((kind) => {
    const [here, there] = [source.sum(kind, now), target.sum(kind, now)];
    const isEqual = here.count === there.count && here.checksum === there.checksum;
    return { kind, isEqual, source: here, target: there };
  });
  return { isEqual: kinds.every(({ isEqual }) => isEqual), kinds };
}

async function tallyOf(store: Source, before: number, options: MigrateOptions): Promise<Tally> {
  const { clock, times, signal, onProgress } = options;
  const tally = createTally(times);
  let [sessions, records] = [0, 0];
  for (let after: string | null | undefined; after !== null; ) {
    signal.throwIfAborted();
    const portion = await store.exportPage(after ?? null, clock());
    for (const item of portion.items) {
      tally.add(item);
      if (item.kind === "session") sessions++;
      if (item.kind === "records") records += item.records.length;
    }
    onProgress({ sessions, records, done: before + portion.progress / 2, phase: "comparing" });
    after = portion.next;
  }
  return tally;
}
