import { Refusal } from "../../../session/errors.ts";
import { atTurnsEnd } from "../connection/command.ts";
import { type Connection, type Operation, refusal } from "../connection/connection.ts";
import { scripts } from "../scripts/scripts.ts";

/** How many entries a command has at the most: a script holds up its server. */
const MAX_ENTRIES = 128;
/** Operations share a command whose deadlines lie within so many ms: the first of them holds for it. */
const SAME_DEADLINE = 50;

/** Enters a session in an index; fulfilled when it is. */
export type Enter = (operation: Operation, name: string, entry: string) => Promise<void>;

/** Entries for one index that come in one turn of the event loop. */
interface Batch {
  readonly name: string;
  readonly now: number;
  until: number;
  readonly entries: string[];
  readonly sent: PromiseWithResolvers<void>;
}

/** Enters in indices; `before` tells the words of `scripts/index.lua` that come before the entries. */
export function createEntering(
  connection: Connection,
  before: (now: number) => readonly (string | number)[],
): Enter {
  const batches = new Map<string, Batch>();

  function batchFor({ now, until }: Operation, name: string): Batch {
    const key = `${Math.floor(until / SAME_DEADLINE)} ${name}`;
    const known = batches.get(key);
    if (known !== undefined && known.entries.length < MAX_ENTRIES) return known;
    if (batches.size === 0) atTurnsEnd(sendAll);
    else if (known !== undefined) send(known);
    const batch = { name, now, until, entries: [], sent: Promise.withResolvers<void>() };
    batches.set(key, batch);
    return batch;
  }

  function send({ name, now, until, entries, sent }: Batch): void {
    const words = [...before(now), ...entries.flatMap((entry) => [0, entry])];
    const operation = { now, until, isUncertain: false };
    connection
      .run(operation, scripts.updateIndex, [name], words)
      .then(() => sent.resolve(), sent.reject);
  }

  function sendAll(): void {
    for (const batch of batches.values()) send(batch);
    batches.clear();
  }

  return async (operation, name, entry) => {
    const batch = batchFor(operation, name);
    batch.until = Math.min(batch.until, operation.until);
    batch.entries.push(entry);
    try {
      await batch.sent.promise;
    } catch (error) {
      // What this operation changed before is not known to the others.
      throw error instanceof Refusal ? refusal(operation, error.cause) : error;
    }
  };
}
