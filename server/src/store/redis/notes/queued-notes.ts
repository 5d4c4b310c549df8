import type { Operation } from "../engine.ts";
import { type Note, textsIn } from "../layout/note-codec.ts";
import { scripts } from "../scripts/scripts.ts";

/* The notes in their queues, which are streams of Redis: reading, dividing and removing them. */

/**
 * Number of notes from which further ones go to the next batch. If many notes wait, it is a fraction of them: a fixed
 * number would limit the changes per second by the time that the steps of a batch take.
 */
const MIN_BATCH = 1024;
const FRACTION = 1 / 2;
/** Maximum number of notes that one command removes, which takes Redis 1 us for each. */
const MAX_REMOVED = 128;

/**
 * Returns the oldest notes of a queue, at most `count`. `from` is the least id: `-` for the first note, `(` and an id for
 * the note after that one.
 */
export async function readNotes(operation: Operation, queue: string, from: string, count: number): Promise<Note[]> {
  return notesIn(queue, await operation.command("xrange", queue, from, "+", "COUNT", count));
}

/** Returns the oldest notes of a queue that have waited for `ageMs` by the clock of Redis, at most `count`. */
export async function readOldNotes(operation: Operation, queue: string, ageMs: number, count: number): Promise<Note[]> {
  return notesIn(queue, await operation.run(scripts.readNotes, [queue], [ageMs, count]));
}

/** Removes entries from their queue. */
export async function removeNotes(
  operation: Operation,
  queue: string,
  notes: readonly Pick<Note, "id">[],
): Promise<void> {
  for (let from = 0; from < notes.length; from += MAX_REMOVED) {
    const ids = notes.slice(from, from + MAX_REMOVED).map(({ id }) => id);
    // Redis executes commands that arrive together without serving other clients in between.
    await operation.command("xdel", queue, ...ids);
  }
}

function notesIn(queue: string, reply: unknown): Note[] {
  const entries = reply as [id: string, [field: string, text: string]][];
  return entries.map(([id, [, text]]) => ({ queue, id, texts: textsIn(text) }));
}

/** Returns the size of a batch if this many notes wait. */
export function batchSize(waiting: number): number {
  return Math.max(MIN_BATCH, waiting * FRACTION);
}

/** Divides entries of queues into batches that are worked off one after the other. */
export function batchesOf(notes: readonly Note[]): Note[][] {
  const limit = batchSize(countIn(notes));
  const batches: Note[][] = [];
  let batch: Note[] = [];
  let count = 0;
  for (const note of notes) {
    if (count === 0 || count >= limit) {
      batch = [];
      batches.push(batch);
      count = 0;
    }
    batch.push(note);
    count += note.texts.length;
  }
  return batches;
}

/** Returns the number of notes: an entry of a queue has the texts of one or several. */
export function countIn(notes: readonly Note[]): number {
  return notes.reduce((count, { texts }) => count + texts.length, 0);
}
