/*
 * Searches for a sequential order of the operations on one object that explains a concurrent history (linearizability,
 * Herlihy and Wing), by the algorithm of Wing and Gong with Lowe's cache of visited states. An operation takes effect
 * at one moment between its call and its return. If its outcome is unknown, it may take effect at any moment after its
 * call, or never.
 */

/** Fields of every operation. All times are of one clock. */
export interface Operation {
  readonly call: number;
  /** `Infinity` if it is unknown whether, or when, the operation took effect. */
  readonly return: number;
  /** Request and response as text; operations with the same label are interchangeable. */
  readonly label: string;
}

/** An object on which operations happen one after the other. */
export interface SequentialModel<State, Op> {
  readonly initial: State;
  /** Returns the possible states after `op` with its response in state `state`; none if the response is impossible. */
  step(state: State, op: Op): readonly State[];
  /** Returns the same text for equal states. */
  key(state: State): string;
}

/** The order that explains the history, or the longest order found if none explains it. */
export type Verdict<State, Op> =
  | { readonly explained: true; readonly order: readonly Op[]; readonly state: State }
  | { readonly explained: false; readonly order: readonly Op[]; readonly stuck: readonly Op[] };

/** Searches for an order of all operations that have returned, and of any operations with an unknown outcome. */
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
      // The remaining operations have an unknown outcome, and may never have happened.
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
 * Returns the operations that may come next: those that were called before any remaining operation returned. Operations
 * with a known outcome come first. Of the others, one for each label is enough.
 */
function callable(operations: readonly Operation[], bits: readonly bigint[], done: bigint): readonly number[] {
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
