import { SET_ASIDE_MS } from "../session/provisional.ts";

/** A record that a process has set aside. */
export interface SetAsideEntry {
  /** Time at which the record was set aside, Unix ms. */
  readonly at: number;
  /** Approximate size of the record. */
  readonly characters: number;
}

/** Maximum number of entries, and of their characters together. */
const MAX_ENTRIES = 50_000;
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Number of characters that each entry counts in addition, for its handle and its objects. */
const ENTRY_CHARACTERS = 200;

/**
 * The records that a process has set aside, by handle, oldest first. If there are too many, the oldest are removed:
 * most visitors who come back do so within seconds.
 */
export class SetAsideEntries<Entry extends SetAsideEntry> {
  readonly #entries = new Map<string, Entry>();
  /** Goes through the entries once. It is kept, because a new one would first have to skip all deleted entries. */
  #iterator = this.#entries.entries();
  /** The entry that the iterator has returned last. */
  #last: [string, Entry] | undefined;
  readonly #removed: (handle: string, entry: Entry) => void;
  #characters = 0;

  /** `removed` is called with each entry whose time is over, and with each one for which there is no more room. */
  constructor(removed: (handle: string, entry: Entry) => void) {
    this.#removed = removed;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(handle: string): Entry | undefined {
    return this.#entries.get(handle);
  }

  values(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** Adds an entry as the newest. It replaces that of the same session, which is not reported as removed. */
  set(handle: string, entry: Entry): void {
    this.delete(handle);
    this.#entries.set(handle, entry);
    this.#characters += sizeOf(entry);
    for (let oldest = this.#oldest(); oldest !== undefined && this.#isFull; oldest = this.#oldest()) {
      this.#remove(oldest);
    }
  }

  /** Deletes an entry without reporting it as removed. */
  delete(handle: string): void {
    const entry = this.#entries.get(handle);
    if (entry === undefined) return;
    this.#entries.delete(handle);
    this.#characters -= sizeOf(entry);
  }

  /** Removes the entries whose time is over at `now`. */
  removeOverdue(now: number): void {
    for (let oldest = this.#oldest(); oldest !== undefined && isOverdue(oldest[1].at, now); oldest = this.#oldest()) {
      this.#remove(oldest);
    }
  }

  get #isFull(): boolean {
    return this.#entries.size > MAX_ENTRIES || this.#characters > MAX_CHARACTERS;
  }

  #oldest(): [string, Entry] | undefined {
    if (this.#entries.size === 0) return undefined;
    while (this.#last === undefined || this.#entries.get(this.#last[0]) !== this.#last[1]) {
      const { value } = this.#iterator.next();
      // An iterator that has reached the end does not see later entries.
      if (value === undefined) this.#iterator = this.#entries.entries();
      this.#last = value;
    }
    return this.#last;
  }

  #remove([handle, entry]: [string, Entry]): void {
    this.delete(handle);
    this.#removed(handle, entry);
  }
}

/** Returns whether the time of a record that was set aside at `at` is over at `now`. */
export function isOverdue(at: number, now: number): boolean {
  return now - at >= SET_ASIDE_MS;
}

function sizeOf({ characters }: SetAsideEntry): number {
  return characters + ENTRY_CHARACTERS;
}
