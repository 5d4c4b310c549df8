// needs: npm

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";

/** Root folder of the repository. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));

const execute = promisify(execFile);

/** An executable, built from the sources, in an otherwise empty folder. */
export interface Binary extends AsyncDisposable {
  readonly path: string;
  /** Runs the executable in `cwd` with an empty environment and returns its output; rejects on failure. */
  run(args: readonly string[], cwd: string): Promise<string>;
}

/** Builds the executable like `npm run build:binary`. */
export async function buildBinary(): Promise<Binary> {
  const folder: TemporaryDirectory = temporaryDirectory();
  const path = join(folder.path, "antechamber");
  try {
    const build = ["run", "--silent", "build:binary", "--", "--outfile", path];
    await execute("npm", build, { cwd: root });
  } catch (error) {
    folder.remove();
    throw error;
  }
  return {
    path,
    async run(args, cwd) {
      const { stdout } = await execute(path, args, { cwd, env: {} });
      return stdout;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
