// needs: npm

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildClient } from "../../../scripts/client-build.mjs";
import { until } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { StartApplication } from "./suite.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const here = fileURLToPath(new URL("./", import.meta.url));
const START_TIMEOUT_MS = 60_000;
/** The oldest Node of the frameworks is newer than the one that may be on the path. */
const environment = { ...process.env, PATH: `${join(process.execPath, "..")}:${process.env["PATH"]}`, CI: "1" };

/** An example below `examples/` that a framework builds. */
export interface Example {
  /** Name of the folder. */
  readonly name: string;
  /** File of the example into which the routes of the suite are copied. */
  readonly routes: string;
  /** The script that starts what was built, and its arguments. */
  readonly command: (port: number) => readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** An example that is built. Disposing of it removes all its files. */
export interface BuiltExample extends AsyncDisposable {
  readonly start: StartApplication;
}

/**
 * Installs and builds an example in a folder of its own, as a reader does it, with the packed client. Files of
 * `applications/` are added to it: the options of the suite instead of those of the example, and the suite's routes.
 */
export async function buildExample({ name, routes, command, environment: own }: Example): Promise<BuiltExample> {
  const directory = temporaryDirectory();
  const folder = join(directory.path, "app");
  const npm = (...args: string[]) => promisify(execFile)("npm", args, { cwd: folder, env: environment });
  mkdirSync(folder);
  try {
    buildClient(join(directory.path, "dist"));
    cpSync(join(root, "examples", name), folder, { recursive: true });
    cpSync(join(here, "applications", name), folder, { recursive: true });
    mkdirSync(join(folder, routes, ".."), { recursive: true });
    copyFileSync(join(here, "sites/routes.ts"), join(folder, routes));
    await npm("ci", "--no-audit", "--no-fund", "--ignore-scripts");
    await npm("pack", "--silent", "--pack-destination", directory.path, join(directory.path, "dist"));
    await npm("install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "../antechamber-client-0.1.0.tgz");
    await npm("run", "build");
  } catch (error) {
    directory.remove();
    throw error;
  }
  const start: StartApplication = async (options) => {
    const port = await freePort();
    const env = { ...environment, ...own, PORT: String(port), HOST: "127.0.0.1", OPTIONS: JSON.stringify(options) };
    const child = spawn(process.execPath, command(port), { cwd: folder, env, stdio: "ignore" });
    const closed = once(child, "close");
    const url = `http://127.0.0.1:${port}`;
    const responds = () =>
      fetch(`${url}/favicon.ico`).then(
        () => true,
        () => false,
      );
    await until(`${name} listens`, async () => child.exitCode !== null || (await responds()), START_TIMEOUT_MS);
    return {
      url,
      async [Symbol.asyncDispose]() {
        child.kill("SIGTERM");
        await closed;
      },
    };
  };
  return { start, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}
