import { Refusal } from "../../../session/errors.ts";
import { atTurnsEnd } from "../connection/command.ts";
import { type Connection, refusal, type TimedOperation } from "../connection/connection.ts";
import { scripts } from "../scripts/scripts.ts";
import type { IndexBounds } from "./sort-order.ts";

/** Maximum number of entries in one command. The number is small, because a script blocks the Redis server. */
const MAX_ENTRIES = 128;
/** Operations share a command only if their deadlines are in the same interval of this length (ms). */
const SAME_DEADLINE = 50;

/** Entries that are added to one index in one turn of the event loop. */
interface Batch {
  /** Key name of the index. */
  readonly name: string;
  readonly now: number;
  /** The earliest deadline of the operations that share the batch. */
  deadline: number;
  readonly entries: string[];
  readonly sent: PromiseWithResolvers<void>;
}

/** Adds an entry to the index with the key `name`. The promise is fulfilled when the entry is stored. */
export type AddEntry = (operation: TimedOperation, name: string, entry: string) => Promise<void>;

/** Creates a function that adds index entries: those of one turn of the event loop by a command per index. */
export function createIndexBatcher(connection: Connection, bounds: IndexBounds): AddEntry {
  const batches = new Map<string, Batch>();

  function batchFor({ now, deadline }: TimedOperation, name: string): Batch {
    const key = `${Math.floor(deadline / SAME_DEADLINE)} ${name}`;
    const current = batches.get(key);
    if (current !== undefined && current.entries.length < MAX_ENTRIES) return current;
    if (batches.size === 0) atTurnsEnd(sendAll);
    else if (current !== undefined) send(current);
    const batch = { name, now, deadline, entries: [], sent: Promise.withResolvers<void>() };
    batches.set(key, batch);
    return batch;
  }

  function send({ name, now, deadline, entries, sent }: Batch): void {
    const args = [...bounds(now), ...entries.flatMap((entry) => [0, entry])];
    connection
      .script({ now, deadline, isUncertain: false }, "read", scripts.updateIndex, [name], args)
      .then(() => sent.resolve(), sent.reject);
  }

  function sendAll(): void {
    for (const batch of batches.values()) send(batch);
    batches.clear();
  }

  return async (operation, name, entry) => {
    const batch = batchFor(operation, name);
    batch.deadline = Math.min(batch.deadline, operation.deadline);
    batch.entries.push(entry);
    try {
      await batch.sent.promise;
    } catch (error) {
      // Creates another refusal: only `operation` shows whether an earlier step of it may have changed something.
      throw error instanceof Refusal ? refusal(operation, error.cause) : error;
    }
  };
}
