import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Logger } from "pino";
import type { ConsoleFile } from "../http/console-file.ts";

/** The workspace of the console in a checkout; the executable has only its folder `dist`. */
const workspace = fileURLToPath(new URL("../../../console/", import.meta.url));
const dist = join(workspace, "dist");
/** The list of the files in `dist`. Only the executable has it, because a program cannot list the files in itself. */
const LIST = "files.json";
/** The files and folders from which `dist` is built. */
const sources = ["src", "build.ts", "package.json", "../client/src"].map((name) => join(workspace, name));
/** The program that builds: npm installs it with the workspace. */
const bun = join(workspace, "../node_modules/.bin/bun");
const BUILD_TIMEOUT_MS = 60_000;

/**
 * Reads the files of the console. In a checkout, it first builds them if they are missing or older than their sources.
 * Returns `undefined`, after a warning in the log, if that fails.
 */
export async function loadConsole(log: Pick<Logger, "warn">): Promise<readonly ConsoleFile[] | undefined> {
  if (!existsSync(workspace)) return undefined;
  try {
    if (existsSync(join(workspace, "build.ts")) && isOutdated()) {
      await promisify(execFile)(bun, [join(workspace, "build.ts")], { timeout: BUILD_TIMEOUT_MS });
    }
    return readFiles();
  } catch (error) {
    log.warn({ err: error }, "the console is not served: its files cannot be built or read");
    return undefined;
  }
}

function isOutdated(): boolean {
  const built = join(dist, "index.html");
  if (!existsSync(built)) return true;
  const builtAt = statSync(built).mtimeMs;
  return sources.some((source) => newestIn(source) > builtAt);
}

/** Returns when a file, or the newest file below a folder, was changed (Unix ms); 0 if there is none. */
function newestIn(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.mtimeMs ?? 0;
  return Math.max(0, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}

function readFiles(): ConsoleFile[] {
  const list = join(dist, LIST);
  const names = existsSync(list)
    ? (JSON.parse(readFileSync(list, "utf8")) as string[])
    : readdirSync(dist, { recursive: true, encoding: "utf8", withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1));
  const read = (name: string) => (names.includes(name) ? new Uint8Array(readFileSync(join(dist, name))) : undefined);
  return names
    .filter((name) => !/\.(?:br|gz|map)$/.test(name) && name !== LIST)
    .map((path) => ({
      path,
      bytes: read(path) as Uint8Array<ArrayBuffer>,
      brotli: read(`${path}.br`),
      gzip: read(`${path}.gz`),
    }));
}
