import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of one test; `await using` or `remove()` deletes it with its content. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  remove(): void;
}

/** Creates an empty folder below the system's temporary folder. */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "antechamber-"));
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  return {
    path,
    remove,
    [Symbol.asyncDispose]: () => Promise.resolve(remove()),
  };
}
