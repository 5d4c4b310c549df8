import { forEachJournalLine } from "./journal-lines.ts";

/** Records that are not in a segment yet: their lines by handle. */
export class JournalBatch {
  readonly sessions = new Map<string, string[]>();
  records = 0;
  characters = 0;
  /** The time of the first record, in Unix ms. */
  since = Number.NEGATIVE_INFINITY;
  /** The last row of the journal that belongs to the batch. */
  lastRow = 0;

  add(handle: string, line: string): void {
    const known = this.sessions.get(handle);
    if (known === undefined) this.sessions.set(handle, [line]);
    else known.push(line);
    this.records++;
    this.characters += line.length;
  }

  /** Removes the lines that were added last. `lines` is the text of their row in the journal. */
  takeBack(lines: string): void {
    forEachJournalLine(lines, (handle, line) => {
      const known = this.sessions.get(handle);
      known?.pop();
      if (known?.length === 0) this.sessions.delete(handle);
      this.records--;
      this.characters -= line.length;
    });
  }

  remove(handle: string): void {
    for (const line of this.sessions.get(handle) ?? []) {
      this.records--;
      this.characters -= line.length;
    }
    this.sessions.delete(handle);
  }
}
