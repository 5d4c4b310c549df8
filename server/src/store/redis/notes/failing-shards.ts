import { Refusal } from "../../../session/errors.ts";
import type { Engine, Operation } from "../engine.ts";

/** Time (ms) for which a shard in which a step has failed gets no further one. */
const PAUSE = 2000;
/** Time (ms) after which the next step there is given up. */
const TRIAL = 250;

/**
 * The shards of a cluster in which steps fail: their node is down, or their slot is being moved. Work that needs many shards
 * continues in the others, and does not wait for each of these again and again:
 *
 *   working --failure, after the timeout of an operation--> failing --`PAUSE`--> on trial
 *   on trial --success--> working
 *            --failure, after `TRIAL`--> failing
 *
 * If one server holds all keys, each failure is one of all shards, and is thrown.
 */
export class FailingShards {
  readonly #engine: Engine;
  /** Time on the clock of `performance.now()` from which a shard that is not working is on trial, by its tag. */
  readonly #trials = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Carries out a step in the shard with this tag, which may be repeated. Returns `undefined` if it has failed. */
  async run<T>(operation: Operation, tag: string, step: (operation: Operation) => Promise<T>): Promise<T | undefined> {
    const trial = this.#trials.get(tag);
    const begun = performance.now();
    if (trial !== undefined && begun < trial) return undefined;
    try {
      const result = await step(trial === undefined ? operation : operation.within(TRIAL));
      this.#trials.delete(tag);
      return result;
    } catch (error) {
      if (this.#engine.connection.isOneServer) throw error;
      // Refusals were reported where they occurred.
      if (!(error instanceof Refusal)) this.#engine.admission.failed(error);
      // An operation that had used up its time before says nothing about the shard.
      if (operation.deadline - begun >= TRIAL) this.#trials.set(tag, performance.now() + PAUSE);
      return undefined;
    }
  }
}
