import { forEachJournalLine } from "./journal-lines.ts";

/** Records that are not in a segment yet: their lines by session id. */
export class JournalBatch {
  readonly sessions = new Map<string, string[]>();
  records = 0;
  characters = 0;
  /** The time of the first record, in Unix ms. */
  since = Number.NEGATIVE_INFINITY;
  /** The last row of the journal that belongs to the batch. */
  lastRow = 0;

  add(id: string, line: string): void {
    const known = this.sessions.get(id);
    if (known === undefined) this.sessions.set(id, [line]);
    else known.push(line);
    this.records++;
    this.characters += line.length;
  }

  /** Removes the lines that were added last. `lines` is the text of their row in the journal. */
  takeBack(lines: string): void {
    forEachJournalLine(lines, (id, line) => {
      const known = this.sessions.get(id);
      known?.pop();
      if (known?.length === 0) this.sessions.delete(id);
      this.records--;
      this.characters -= line.length;
    });
  }

  remove(id: string): void {
    for (const line of this.sessions.get(id) ?? []) {
      this.records--;
      this.characters -= line.length;
    }
    this.sessions.delete(id);
  }
}
