import type { RequestRecord } from "../../session/record.ts";
import type { Backlog } from "./group-commit.ts";
import { journalLine } from "./journal-lines.ts";

/** Records that were accepted and are not stored yet, on the serving thread. */
export interface RecordBacklog extends Backlog {
  /** False when too much waits already. `now` in milliseconds since 1970. */
  accept(id: string, accepted: readonly RequestRecord[], now: number): boolean;
}

/** How many characters may wait, what is on its way to the disk included. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/** An empty backlog. `lost` hears how many records will never be stored. */
export function createRecordBacklog(lost: (records: number) => void): RecordBacklog {
  let lines = "";
  let records = 0;
  let latest = 0;
  /** What was taken and not settled yet. */
  let taken = { lines: "", records: 0 };

  return {
    accept(id, accepted, now) {
      if (lines.length + taken.lines.length >= MAX_CHARACTERS) return false;
      for (const record of accepted) lines += journalLine(id, record);
      records += accepted.length;
      latest = now;
      return true;
    },
    take() {
      if (records === 0) return undefined;
      taken = { lines, records };
      lines = "";
      records = 0;
      return { lines: taken.lines, at: latest };
    },
    giveBack() {
      lines = taken.lines + lines;
      records += taken.records;
      taken = { lines: "", records: 0 };
    },
    letGo(isStored) {
      if (!isStored) lost(taken.records);
      taken = { lines: "", records: 0 };
    },
  };
}
