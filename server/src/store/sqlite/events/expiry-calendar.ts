import { type DueSlot, SLOT_MS } from "../../expiry-pace.ts";
import type { Transactional } from "../transactional.ts";

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

  /** Whether sessions are due at `now` (Unix ms): their slot has ended. */
  isDue(now: number): boolean {
    return this.#dueSlot(now) !== undefined;
  }

  /** Returns the slots with due sessions, the earliest first. */
  *due(now: number): Generator<DueSlot> {
    for (let slot = this.#earliest; slot * SLOT_MS <= now; slot++) {
      const sessions = this.#slots.get(slot)?.length ?? 0;
      if (sessions > 0) yield { slot, sessions };
    }
  }

  /** Takes at most `limit` sessions of the earliest slot that is due. They are removed with the commit of the transaction. */
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
