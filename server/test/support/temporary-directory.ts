import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of a test's own; `await using` or `remove()` deletes it with everything in it. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  remove(): void;
}

/** Makes an empty folder below the system's temporary one. */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "antechamber-"));
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  return {
    path,
    remove,
    [Symbol.asyncDispose]: () => Promise.resolve(remove()),
  };
}
