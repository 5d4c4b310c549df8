import { Refusal } from "../../../session/errors.ts";
import { atTurnsEnd } from "../connection/command.ts";
import { type Connection, refusal, type TimedOperation } from "../connection/connection.ts";
import { scripts } from "../scripts/scripts.ts";
import type { IndexBounds } from "./sort-order.ts";

/** Maximum number of entries a command, as a script blocks its server. */
const MAX_ENTRIES = 128;
/** Operations whose deadlines lie in the same ms of this size share commands, with the earliest of the deadlines. */
const SAME_DEADLINE = 50;

/** Entries for one index that are added in one turn of the event loop. */
interface Batch {
  readonly name: string;
  readonly now: number;
  deadline: number;
  readonly entries: string[];
  readonly sent: PromiseWithResolvers<void>;
}

/** Adds an entry to the index `name`; resolves when it is stored. */
export type AddEntry = (operation: TimedOperation, name: string, entry: string) => Promise<void>;

/**
 * Creates a function that joins the entries of one turn of the event loop to one command for each index.
 */
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
      // The batch does not know whether this operation has made a change before.
      throw error instanceof Refusal ? refusal(operation, error.cause) : error;
    }
  };
}
