import type { Operation, SequentialModel } from "./search.ts";

/*
 * What a store may do that replicates after it has answered, when a replica takes over. The replica
 * has what its primary had at an earlier moment: the last changes are undone. And the primary that was
 * replaced may go on answering from what it had, until it learns of that.
 *
 * Only around a failover is that an excuse, and it is counted: an order is searched for that needs as
 * little of it as possible.
 */

/** The time around a failover, from before its cause until everybody has learnt of it. */
export interface Failover {
  readonly from: number;
  readonly to: number;
}

/** A moment of a failover at which changes may be undone. */
export interface Loss extends Operation {
  readonly isLoss: true;
}

export interface LossyState<State> {
  readonly state: State;
  /** What the changes around a failover replaced, oldest first. */
  readonly before: readonly Replaced<State>[];
  /** What was undone: a primary that was replaced may still have it. */
  readonly elsewhere: readonly State[];
  /** Changes that were acknowledged and undone. */
  readonly lost: number;
  /** Answers, other than to changes, of a primary that was replaced. */
  readonly stale: number;
}

interface Replaced<State> {
  readonly state: State;
  /** When the change that replaced it was acknowledged. */
  readonly acknowledged: number;
}

/** The losses that may have hit a history at these failovers, to be searched through with it. */
export function lossesOf(failovers: readonly Failover[]): Loss[] {
  return failovers.map(({ from, to }) => ({ call: from, return: to, label: "loss", isLoss: true }));
}

/** `model`, allowed to lose acknowledged changes and to answer from the past `budget` times in all. */
export function losing<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  failovers: readonly Failover[],
  budget: number,
): SequentialModel<LossyState<State>, Op | Loss> {
  const isExcusable = (op: Op) =>
    failovers.some(({ from, to }) => op.return >= from && op.call <= to);
  return {
    initial: { state: model.initial, before: [], elsewhere: [], lost: 0, stale: 0 },
    step(world, op) {
      const next = isLoss(op) ? [world, ...undone(world, op)] : carriedOut(model, world, op);
      if (!isLoss(op) && isExcusable(op)) next.push(...fromThePast(model, world, op));
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

/** The last changes undone, one, two or all of those that were acknowledged around this failover. */
function undone<State>(world: LossyState<State>, { call }: Loss): LossyState<State>[] {
  const { before, elsewhere } = world;
  const safe = before.findLastIndex(({ acknowledged }) => acknowledged < call) + 1;
  return before.slice(safe).map(({ state }, i) => {
    const gone = before.slice(safe + i);
    const lost = gone.filter(({ acknowledged }) => acknowledged !== Number.POSITIVE_INFINITY);
    return {
      ...world,
      state,
      before: before.slice(0, safe + i),
      elsewhere: [...elsewhere, ...gone.slice(1).map((one) => one.state), world.state],
      lost: world.lost + lost.length,
    };
  });
}

function carriedOut<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  world: LossyState<State>,
  op: Op,
): LossyState<State>[] {
  const replaced = { state: world.state, acknowledged: op.return };
  return model.step(world.state, op).map((state) => {
    const changed = model.key(state) !== model.key(world.state);
    return changed ? { ...world, state, before: [...world.before, replaced] } : world;
  });
}

/** What a primary that was replaced may have answered. What it changed is lost. */
function fromThePast<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  world: LossyState<State>,
  op: Op,
): LossyState<State>[] {
  if (op.return === Number.POSITIVE_INFINITY) return [];
  const past = [...world.before.map(({ state }) => state), ...world.elsewhere];
  return past.flatMap((old) =>
    model.step(old, op).map((after) => {
      if (model.key(after) === model.key(old)) return { ...world, stale: world.stale + 1 };
      return { ...world, elsewhere: [...world.elsewhere, after], lost: world.lost + 1 };
    }),
  );
}
