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
    while (this.#entries.size > MAX_ENTRIES || this.#characters > MAX_CHARACTERS) this.#removeOldest();
  }

  /** Replaces the entry of a session by one of the same size and time. */
  replace(handle: string, entry: Entry): void {
    this.#entries.set(handle, entry);
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
    for (const { at } of this.#entries.values()) {
      if (!isOverdue(at, now)) return;
      this.#removeOldest();
    }
  }

  #removeOldest(): void {
    for (const [handle, entry] of this.#entries) {
      this.delete(handle);
      this.#removed(handle, entry);
      return;
    }
  }
}

/** Returns whether the time of a record that was set aside at `at` is over at `now`. */
export function isOverdue(at: number, now: number): boolean {
  return now - at >= SET_ASIDE_MS;
}

function sizeOf({ characters }: SetAsideEntry): number {
  return characters + ENTRY_CHARACTERS;
}
