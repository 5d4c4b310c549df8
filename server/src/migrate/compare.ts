import type { MigrateOptions, Source } from "./options.ts";
import { createTally, type Sum, type TalliedKind, type Tally, talliedKinds } from "./tally.ts";

/** The result of comparing counts and checksums of two stores. */
export interface Comparison {
  readonly isEqual: boolean;
  readonly kinds: readonly ComparedKind[];
}

/** One kind of content in both stores. */
export interface ComparedKind {
  readonly kind: TalliedKind;
  readonly isEqual: boolean;
  readonly source: Sum;
  readonly target: Sum;
}

/** Reads both stores completely and compares them, except content that may be purged within an hour. */
export async function compareStores(options: MigrateOptions): Promise<Comparison> {
  const source = await tallyOf(options.source, 0, options);
  const target = await tallyOf(options.target, 0.5, options);
  const now = options.clock();
  const kinds = talliedKinds.map((kind) => {
    const [ofSource, ofTarget] = [source.sum(kind, now), target.sum(kind, now)];
    const isEqual = ofSource.count === ofTarget.count && ofSource.checksum === ofTarget.checksum;
    return { kind, isEqual, source: ofSource, target: ofTarget };
  });
  return { isEqual: kinds.every(({ isEqual }) => isEqual), kinds };
}

/** Tallies a store. `before` is the share of the whole comparison (0 to 1) that was done before this call. */
async function tallyOf(store: Source, before: number, options: MigrateOptions): Promise<Tally> {
  const { clock, times, signal, onProgress } = options;
  const tally = createTally(times);
  let [sessions, records] = [0, 0];
  for (let after: string | null | undefined; after !== null; ) {
    signal.throwIfAborted();
    const page = await store.exportPage(after ?? null, clock());
    for (const item of page.items) {
      tally.add(item);
      if (item.kind === "session") sessions++;
      if (item.kind === "records") records += item.records.length;
    }
    onProgress({ sessions, records, done: before + page.progress / 2, phase: "comparing" });
    after = page.next;
  }
  return tally;
}
