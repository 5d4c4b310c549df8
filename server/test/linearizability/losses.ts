import type { Operation, SequentialModel } from "./search.ts";

/*
 * Faults of a store with asynchronous replication when a replica takes over. The replica has an earlier state than its
 * primary, so the last changes are undone. The replaced primary may respond with its own state until it learns of the
 * failover.
 *
 * These faults are excused only around a failover, and counted: the order with the fewest of them is searched for.
 */

/** Period of a failover, from before its cause until every client has learned of it. */
export interface Failover {
  readonly from: number;
  readonly to: number;
}

/** Moment of a failover at which changes may be undone. */
export interface Loss extends Operation {
  readonly isLoss: true;
}

export interface LossyState<State> {
  readonly state: State;
  /** States that were replaced by changes around a failover, oldest first. */
  readonly before: readonly Replaced<State>[];
  /** States that a failover undid. A replaced primary may still have them. */
  readonly elsewhere: readonly State[];
  /** Number of acknowledged changes that were undone. */
  readonly lost: number;
  /** Number of responses from a replaced primary, except those to changes. */
  readonly stale: number;
}

interface Replaced<State> {
  readonly state: State;
  /** When the change that replaced this state was acknowledged. */
  readonly acknowledged: number;
}

/** Returns the losses that these failovers may have caused, as operations to add to the history. */
export function lossesOf(failovers: readonly Failover[]): Loss[] {
  return failovers.map(({ from, to }) => ({ call: from, return: to, label: "loss", isLoss: true }));
}

/** Returns a model like `model` that may lose acknowledged changes and return old states, at most `budget` times. */
export function losing<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  failovers: readonly Failover[],
  budget: number,
): SequentialModel<LossyState<State>, Op | Loss> {
  const isExcusable = (op: Op) => failovers.some(({ from, to }) => op.return >= from && op.call <= to);
  return {
    initial: { state: model.initial, before: [], elsewhere: [], lost: 0, stale: 0 },
    step(lossy, op) {
      const next = isLoss(op) ? [lossy, ...undone(lossy, op)] : applied(model, lossy, op);
      if (!isLoss(op) && isExcusable(op)) next.push(...fromThePast(model, lossy, op));
      else if (!isLoss(op)) return next.map((after) => ({ ...after, before: [], elsewhere: [] }));
      return next.filter(({ lost, stale }) => lost + stale <= budget);
    },
    key: ({ state, before, elsewhere, lost, stale }) =>
      JSON.stringify([
        model.key(state),
        before.map((replaced) => [model.key(replaced.state), replaced.acknowledged]),
        elsewhere.map(model.key),
        lost,
        stale,
      ]),
  };
}

function isLoss(op: Operation | Loss): op is Loss {
  return "isLoss" in op;
}

/** Undoes the last one, two or all of the changes that were acknowledged around this failover. */
function undone<State>(lossy: LossyState<State>, { call }: Loss): LossyState<State>[] {
  const { before, elsewhere } = lossy;
  const safe = before.findLastIndex(({ acknowledged }) => acknowledged < call) + 1;
  return before.slice(safe).map(({ state }, i) => {
    const gone = before.slice(safe + i);
    const lost = gone.filter(({ acknowledged }) => acknowledged !== Number.POSITIVE_INFINITY);
    return {
      ...lossy,
      state,
      before: before.slice(0, safe + i),
      elsewhere: [...elsewhere, ...gone.slice(1).map((one) => one.state), lossy.state],
      lost: lossy.lost + lost.length,
    };
  });
}

function applied<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  lossy: LossyState<State>,
  op: Op,
): LossyState<State>[] {
  const replaced = { state: lossy.state, acknowledged: op.return };
  return model.step(lossy.state, op).map((state) => {
    const changed = model.key(state) !== model.key(lossy.state);
    return changed ? { ...lossy, state, before: [...lossy.before, replaced] } : lossy;
  });
}

/** Returns the states from which a replaced primary may have responded. Changes that it makes are lost. */
function fromThePast<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  lossy: LossyState<State>,
  op: Op,
): LossyState<State>[] {
  if (op.return === Number.POSITIVE_INFINITY) return [];
  const past = [...lossy.before.map(({ state }) => state), ...lossy.elsewhere];
  return past.flatMap((old) =>
    model.step(old, op).map((after) => {
      if (model.key(after) === model.key(old)) return { ...lossy, stale: lossy.stale + 1 };
      return { ...lossy, elsewhere: [...lossy.elsewhere, after], lost: lossy.lost + 1 };
    }),
  );
}
