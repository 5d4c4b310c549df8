import type { RequestRecord } from "../../../session/record.ts";
import { isBare } from "../../../session/session.ts";
import type { SetAsideRequest, SetAsideResult } from "../../ports/records.ts";
import { isOverdue, SetAsideEntries, type SetAsideEntry } from "../../set-aside.ts";
import { journalLine } from "../records/journal-lines.ts";

/** A record that is set aside, in the memory of the serving thread. */
interface Entry extends SetAsideEntry {
  /** The record; `undefined` when it is stored. Such an entry only remembers the idempotency key. */
  record: RequestRecord | undefined;
  readonly idempotent: SetAsideRequest["idempotent"];
  /** Time at which the session expires if it is not used, Unix ms. */
  readonly expiresAt: number;
}

export interface SetAsideOptions {
  /** Queues a record to be stored. Returns false if the queue is full. */
  enqueue(handle: string, record: RequestRecord, now: number): boolean;
  /** Returns whether records of the session are stored. */
  hasRecords(handle: string, now: number): Promise<boolean>;
  /** Called with the number of records that are dropped because their sessions were not used again. */
  dropped(records: number): void;
  /** Called with the number of records that could not be queued. */
  lost(records: number): void;
}

/** Sets records aside in memory (contract.md#provisional-records). */
export class SetAsideRecords {
  readonly #options: SetAsideOptions;
  readonly #entries: SetAsideEntries<Entry>;

  constructor(options: SetAsideOptions) {
    this.#options = options;
    this.#entries = new SetAsideEntries((_handle, { record }) => {
      if (record !== undefined) options.dropped(1);
    });
  }

  /** The number of records that are set aside, and of idempotency keys that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  add({ session, record, now, idempotent, isNewSession }: SetAsideRequest): SetAsideResult | Promise<SetAsideResult> {
    const { handle, expiresAt } = session;
    this.removeOverdue(now);
    const earlier = this.#entries.get(handle);
    if (earlier !== undefined && idempotent !== undefined && earlier.idempotent?.key === idempotent.key) {
      return earlier.idempotent.fingerprint === idempotent.fingerprint ? "repeated" : "key-reused";
    }
    const wasUsed = session.lastActiveAt > session.createdAt || session.generation > 0;
    const isUsed = earlier !== undefined || !isBare(session) || wasUsed;
    this.store(handle, now);
    const { length: characters } = journalLine(handle, record);
    this.#entries.set(handle, { at: now, characters, record, idempotent, expiresAt });
    if (isUsed) this.store(handle, now);
    return isUsed || isNewSession ? "accepted" : this.#storeIfUsed(handle, now);
  }

  /** Queues the record that is set aside for a session, because the session is used at `now`. */
  store(handle: string, now: number): void {
    const entry = this.#entries.get(handle);
    if (entry?.record === undefined || isOverdue(entry.at, now) || now >= entry.expiresAt) return;
    const { record } = entry;
    entry.record = undefined;
    if (entry.idempotent === undefined) this.#entries.delete(handle);
    if (!this.#options.enqueue(handle, record, now)) this.#options.lost(1);
  }

  /** Deletes what is set aside for a session that is erased. */
  delete(handle: string): void {
    this.#entries.delete(handle);
  }

  removeOverdue(now: number): void {
    this.#entries.removeOverdue(now);
  }

  /** Drops all records that are set aside. Returns their number. */
  close(): number {
    let records = 0;
    for (const { record } of this.#entries.values()) if (record !== undefined) records++;
    if (records > 0) this.#options.dropped(records);
    return records;
  }

  /**
   * Stores the record at once if the session has records already: another program may have sent them first, so the
   * session was used.
   */
  async #storeIfUsed(handle: string, now: number): Promise<SetAsideResult> {
    // If the store cannot be read, the record stays set aside.
    if (await this.#options.hasRecords(handle, now).catch(() => false)) this.store(handle, now);
    return "accepted";
  }
}
