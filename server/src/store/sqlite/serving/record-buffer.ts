import type { RequestRecord } from "../../../session/record.ts";
import { journalLine } from "../records/journal-lines.ts";

/** The number of characters at which the buffer is full. Records that are being written count too. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/** Records that were accepted and are not stored yet, on the serving thread. */
export class RecordBuffer {
  readonly #onLost: (records: number) => void;
  #lines = "";
  #records = 0;
  #latest = 0;
  /** The lines that `take` has returned, and the number of their records, until `putBack` or `drop` is called. */
  #taken = { lines: "", records: 0 };

  /** `onLost` is called with the number of records that will never be stored. */
  constructor(onLost: (records: number) => void) {
    this.#onLost = onLost;
  }

  /** Adds records. Returns false if the buffer is full. */
  add(handle: string, records: readonly RequestRecord[], now: number): boolean {
    if (this.#lines.length + this.#taken.lines.length >= MAX_CHARACTERS) return false;
    for (const record of records) this.#lines += journalLine(handle, record);
    this.#records += records.length;
    this.#latest = now;
    return true;
  }

  /** Takes all lines. `at` is the time (Unix ms) of the last one. Returns `undefined` if there are none. */
  take(): { readonly lines: string; readonly at: number } | undefined {
    if (this.#records === 0) return undefined;
    this.#taken = { lines: this.#lines, records: this.#records };
    this.#lines = "";
    this.#records = 0;
    return { lines: this.#taken.lines, at: this.#latest };
  }

  /** Puts the taken lines back in front of later ones, because they were not stored. */
  putBack(): void {
    this.#lines = this.#taken.lines + this.#lines;
    this.#records += this.#taken.records;
    this.#taken = { lines: "", records: 0 };
  }

  /** Drops the taken lines, because they are stored or lost. Reports lost records to `onLost`. */
  drop(isStored: boolean): void {
    if (!isStored) this.#onLost(this.#taken.records);
    this.#taken = { lines: "", records: 0 };
  }
}
