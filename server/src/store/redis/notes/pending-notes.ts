import type { Note } from "../layout/note-codec.ts";

/** Maximum number of notes in memory. Notes beyond it are left to the sweep, which reads them from Redis. */
const MAX_NOTES = 20_000;

/** The notes that this process has written and not worked off yet, oldest first. */
export class PendingNotes {
  readonly #notes = new Map<string, Note>();
  /** Called after each note that was added. */
  added: () => void = () => undefined;

  get size(): number {
    return this.#notes.size;
  }

  /** Adds a note that a script has written into `queue`. Ignores the other replies of such scripts. */
  take(queue: string, reply: unknown): void {
    if (typeof reply !== "string") return;
    const end = reply.indexOf(" ");
    if (end !== -1) this.add({ queue, id: reply.slice(0, end), text: reply.slice(end + 1) });
  }

  add(note: Note): void {
    if (this.#notes.size >= MAX_NOTES) return;
    this.#notes.set(keyOf(note), note);
    this.added();
  }

  /** Notes that a queue may have notes of this process, whose ids it does not know. */
  touch(queue: string): void {
    this.add({ queue, id: "", text: "" });
  }

  /** Returns the oldest notes, at most `count`. They stay until `forget` is called. */
  oldest(count: number): Note[] {
    return this.#notes.values().take(count).toArray();
  }

  forget(notes: readonly Note[]): void {
    if (this.#notes.size === 0) return;
    for (const note of notes) this.#notes.delete(keyOf(note));
  }
}

function keyOf({ queue, id }: Note): string {
  return `${id} ${queue}`;
}
