import type { Transactional } from "../transactional.ts";

/** The length of a slot in ms. A session is examined at the end of the slot in which it may expire. */
const SLOT_MS = 10_000;

/**
 * The stored sessions by the time at which each may expire, so that expiries are found in time without reading all rows.
 * A renewal does not change the calendar: if a session is still live when it is due, it is added again. It has eight
 * bytes for each session. A superfluous entry does no harm, so entries of changes that are rolled back may stay.
 */
export class ExpiryCalendar implements Transactional {
  /** The row keys of sessions by slot. A slot is the number of slots from 1970 to its end. */
  readonly #slots = new Map<number, number[]>();
  /** The earliest slot that may have sessions. */
  #earliest = Number.POSITIVE_INFINITY;
  /** The sessions that the current transaction has taken: the last ones of their slot. */
  #taken: { readonly slot: number; readonly from: number; readonly count: number } | undefined;

  /** Adds a session that may expire at `expiresAt` (Unix ms). */
  add(key: number, expiresAt: number): void {
    const slot = Math.ceil(expiresAt / SLOT_MS);
    const keys = this.#slots.get(slot);
    if (keys === undefined) this.#slots.set(slot, [key]);
    else keys.push(key);
    if (slot < this.#earliest) this.#earliest = slot;
  }

  /** The number of sessions in the earliest slot that has ended at `now`; 0 if there is none. */
  due(now: number): number {
    return this.#dueSlot(now)?.length ?? 0;
  }

  /**
   * Returns how many sessions must be taken each millisecond, so that each is taken `withinMs` after the end of its slot.
   * Returns `Infinity` if some are overdue, and 0 if none are due.
   */
  pace(now: number, withinMs: number): number {
    let sessions = 0;
    let pace = 0;
    for (let slot = this.#earliest; slot * SLOT_MS <= now; slot++) {
      const left = slot * SLOT_MS + withinMs - now;
      if (left <= 0) return Number.POSITIVE_INFINITY;
      sessions += this.#slots.get(slot)?.length ?? 0;
      pace = Math.max(pace, sessions / left);
    }
    return pace;
  }

  /** Takes at most `limit` sessions of that slot. They are removed with the commit of the transaction. */
  take(now: number, limit: number): readonly number[] {
    const keys = this.#dueSlot(now);
    if (keys === undefined) return [];
    const from = Math.max(0, keys.length - limit);
    this.#taken = { slot: this.#earliest, from, count: keys.length - from };
    return keys.slice(from);
  }

  commit(): void {
    if (this.#taken === undefined) return;
    const { slot, from, count } = this.#taken;
    const keys = this.#slots.get(slot);
    keys?.splice(from, count);
    if (keys?.length === 0) this.#remove(slot);
    this.#taken = undefined;
  }

  rollback(): void {
    this.#taken = undefined;
  }

  #dueSlot(now: number): number[] | undefined {
    return this.#earliest * SLOT_MS <= now ? this.#slots.get(this.#earliest) : undefined;
  }

  #remove(slot: number): void {
    this.#slots.delete(slot);
    let earliest = Number.POSITIVE_INFINITY;
    for (const other of this.#slots.keys()) earliest = Math.min(earliest, other);
    this.#earliest = earliest;
  }
}
