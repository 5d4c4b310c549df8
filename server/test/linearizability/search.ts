/*
 * Whether a history of concurrent operations on one object can be explained by carrying them out one
 * after the other: linearizability (Herlihy and Wing), searched for as Wing and Gong do, with Lowe's
 * memory of what was tried. An operation takes effect at one moment between its call and its return.
 * One whose outcome nobody knows may take effect at any moment after its call, or never.
 */

/** What every operation has. The times are those of one clock. */
export interface Operation {
  readonly call: number;
  /** `Infinity` when nobody knows whether, or when, it took effect. */
  readonly return: number;
  /** What it asked and was answered; operations with the same label can stand for each other. */
  readonly label: string;
}

/** An object as it would be if one operation came after the other. */
export interface SequentialModel<State, Op> {
  readonly initial: State;
  /** The states in which `op`, with the answer that it had, may leave `state`; none: it may not. */
  step(state: State, op: Op): readonly State[];
  /** The same text for the same state. */
  key(state: State): string;
}

/** An order that explains the history, or how far the best attempt came. */
export type Verdict<State, Op> =
  | { readonly explained: true; readonly order: readonly Op[]; readonly state: State }
  | { readonly explained: false; readonly order: readonly Op[]; readonly stuck: readonly Op[] };

/** Searches for an order of all operations that have returned, and any of the others. */
export function linearize<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  history: readonly Op[],
): Verdict<State, Op> {
  const operations = history.toSorted((a, b) => a.call - b.call);
  const bits = operations.map((_op, i) => 1n << BigInt(i));
  const tried = new Set<string>();
  const order: Op[] = [];
  let longest: readonly Op[] = [];
  let stuck: readonly Op[] = operations;
  let final = model.initial;

  function search(done: bigint, state: State): boolean {
    const next = callable(operations, bits, done);
    if (next.every((i) => operations[i]?.return === Number.POSITIVE_INFINITY)) {
      // Those that are left need not have happened.
      final = state;
      return true;
    }
    const here = `${done.toString(36)} ${model.key(state)}`;
    if (tried.has(here)) return false;
    tried.add(here);
    if (order.length >= longest.length) {
      longest = [...order];
      stuck = next.map((i) => operations[i] as Op);
    }
    return next.some((i) => {
      const op = operations[i] as Op;
      return model.step(state, op).some((after) => {
        order.push(op);
        if (search(done | (bits[i] as bigint), after)) return true;
        order.pop();
        return false;
      });
    });
  }

  return search(0n, model.initial)
    ? { explained: true, order, state: final }
    : { explained: false, order: longest, stuck };
}

/**
 * The operations that may come next: nothing that is still to come returned before they were called.
 * Those that must come are first; of those of unknown outcome one for each label is enough.
 */
function callable(
  operations: readonly Operation[],
  bits: readonly bigint[],
  done: bigint,
): readonly number[] {
  const isDone = (i: number) => (done & (bits[i] as bigint)) !== 0n;
  let earliestReturn = Number.POSITIVE_INFINITY;
  const certain: number[] = [];
  const doubtful = new Map<string, number>();
  for (const [i, op] of operations.entries()) {
    if (op.call > earliestReturn) break;
    if (isDone(i)) continue;
    if (op.return < earliestReturn) earliestReturn = op.return;
    if (op.return !== Number.POSITIVE_INFINITY) certain.push(i);
    else if (!doubtful.has(op.label)) doubtful.set(op.label, i);
  }
  return [...certain, ...doubtful.values()];
}
