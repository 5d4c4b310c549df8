import type { Note } from "../layout/note-codec.ts";

/**
 * The notes that this process has written and not worked off yet. If events are published, all notes of a queue are read
 * again, so only the names of the queues are kept.
 */
export class PendingNotes {
  readonly #publishes: boolean;
  readonly #notes = new Map<string, Note>();
  readonly #queues = new Set<string>();
  #size = 0;
  #untaken = 0;
  readonly #limit: number;
  /** Called after notes were added. `before` is the number of notes before that. */
  added: (before: number) => void = () => undefined;

  /** `limit` is the number of notes at which further changes are refused (`isFull`). */
  constructor(publishes: boolean, limit: number) {
    this.#publishes = publishes;
    this.#limit = limit;
  }

  /** Number of notes. */
  get size(): number {
    return this.#size;
  }

  /** Whether the limit is reached, so that changes must be refused. */
  get isFull(): boolean {
    return this.#size >= this.#limit;
  }

  /** Adds a note that a script has written into `queue`. Ignores the other replies of such scripts. */
  take(queue: string, reply: unknown): void {
    if (typeof reply !== "string") return;
    const end = reply.indexOf(" ");
    if (end !== -1) this.add({ queue, id: reply.slice(0, end), texts: [reply.slice(end + 1)] });
  }

  add(note: Note): void {
    const { queue, texts } = note;
    const before = this.#size;
    if (this.#publishes) this.#queues.add(queue);
    else this.#notes.set(keyOf(note), note);
    this.#size += texts.length;
    this.#untaken += texts.length;
    this.added(before);
  }

  /** Notes that a queue may have a note of this process, whose id it does not know. */
  touch(queue: string): void {
    if (this.#publishes) this.add({ queue, id: "", texts: [""] });
  }

  /**
   * Returns the queues that have received notes of this process since the last call, and the number of these notes. Only
   * if events are published.
   */
  takeQueues(): { readonly queues: readonly string[]; readonly count: number } {
    const taken = { queues: [...this.#queues], count: this.#untaken };
    this.#queues.clear();
    this.#untaken = 0;
    return taken;
  }

  /** Reports that some notes of `takeQueues` are worked off. */
  workedOff(count: number): void {
    this.#size -= count;
  }

  /** Returns queues whose notes are not worked off, and the number of these notes: the opposite of `takeQueues`. */
  returnQueues(queues: Iterable<string>, count: number): void {
    for (const queue of queues) this.#queues.add(queue);
    this.#untaken += count;
  }

  /** Returns the oldest notes: as few entries of queues as have `count` notes. They stay until `forget` is called. */
  oldest(count: number): Note[] {
    const notes: Note[] = [];
    let found = 0;
    for (const note of this.#notes.values()) {
      if (found >= count) break;
      notes.push(note);
      found += note.texts.length;
    }
    return notes;
  }

  forget(notes: readonly Note[]): void {
    if (this.#notes.size === 0) return;
    for (const note of notes) {
      if (this.#notes.delete(keyOf(note))) this.#size -= note.texts.length;
    }
  }
}

function keyOf({ queue, id }: Note): string {
  return `${id} ${queue}`;
}
