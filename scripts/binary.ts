// Builds one executable that contains the server, the command line and everything that they load: the runtime, the
// programs of threads, the migrations, the scripts for Redis, the API page, and the console. Run this script with the Bun that the
// executable should contain:
//
//   npm run build:binary                            builds dist/antechamber, for machines like this one
//   npm run build:binary -- --outfile /tmp/a/name   writes the executable to another path
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";
import { docsFiles } from "../server/src/http/handlers/docs-page.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "server/src");
const { values } = parseArgs({ options: { outfile: { type: "string" } } });
const outfile = resolve(values.outfile ?? join(root, "dist/antechamber"));

/** Patterns of files that the sources load at run time: the program of a thread, and a file of a package. */
const THREAD = /new Worker\(\s*new URL\("([^"]+)"/g;
const PACKAGED = /import\.meta\.resolve\("([^"]+)"\)/g;

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .map((name) => join(source, name))
  .toSorted();
const sources = files.filter((file) => file.endsWith(".ts"));
/**
 * Path of a generated module. It imports the files that the sources read at run time, so that Bun adds them to the
 * executable.
 */
const carrier = join(source, "files.ts");

/** Folder of the built console, and the list of the files in it: an executable cannot list the files in itself. */
const built = join(root, "console/dist");
const list = join(built, "files.json");

const consoleFiles = buildConsole();
const { logs } = await Bun.build({
  entrypoints: [join(source, "cli.ts"), ...sources.flatMap(threadsOf), carrier],
  files: {
    [carrier]: carrying([...dataFiles(), ...consoleFiles, list, ...sources.flatMap(packagedFilesOf)]),
    [list]: JSON.stringify(consoleFiles.map((file) => relative(built, file))),
  },
  root,
  target: "bun",
  // Each file has the same path in the executable as in the sources, because the code uses this path.
  naming: { entry: "[dir]/[name].[ext]", asset: "[dir]/[name].[ext]" },
  plugins: [ownAddresses()],
  // Files in the current folder of the server must not configure its runtime.
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
});
for (const { level, message } of logs) console.error(`${level}: ${message}`);
console.log(outfile);

function threadsOf(file: string): string[] {
  return found(THREAD, file).map((path) => join(dirname(file), path));
}

/** Returns the files that the sources read by a path relative to `import.meta.url`. */
function dataFiles(): string[] {
  const own = ["package.json", "openapi.json"].map((name) => join(root, "server", name));
  return [...own, ...files.filter((file) => /\.(sql|lua)$/.test(file))];
}

/** Builds the console, and returns the paths of its files. */
function buildConsole(): string[] {
  const { exitCode } = Bun.spawnSync([process.execPath, join(root, "console/build.ts")], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (exitCode !== 0) throw new Error("the console could not be built");
  return readdirSync(built, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Returns the files of the API page in each package that `file` loads from. */
function packagedFilesOf(file: string): string[] {
  const folders = found(PACKAGED, file).map((name) => dirname(resolved(name, file)));
  return folders.flatMap((folder) => docsFiles.map((name) => join(folder, name)).filter(existsSync));
}

function found(pattern: RegExp, file: string): string[] {
  return [...readFileSync(file, "utf8").matchAll(pattern)].map(([, name = ""]) => name);
}

function resolved(name: string, from: string): string {
  return Bun.resolveSync(name, dirname(from));
}

/** Returns the source of a module that embeds the files `paths` unchanged. */
function carrying(paths: readonly string[]): string {
  const imports = paths.map((path, at) => `import f${at} from ${JSON.stringify(path)} with { type: "file" };`);
  return `${imports.join("\n")}\nexport const all = [${paths.map((_, at) => `f${at}`).join(", ")}];\n`;
}

/**
 * In a bundle, all modules have the same `import.meta.url`. This plugin gives each module an address of its own again,
 * in the folder in which an executable finds its files. So the same code works as sources and in an executable.
 */
function ownAddresses(): BunPlugin {
  const inside = (path: string) => JSON.stringify(`file:///$bunfs/root/${relative(root, path)}`);
  return {
    name: "own addresses",
    setup(build) {
      build.onLoad({ filter: /\/(server|client|packages\/\w+)\/src\/.*\.ts$/ }, ({ path }) => {
        if (path === carrier) return undefined;
        const contents = readFileSync(path, "utf8")
          .replaceAll("import.meta.url", inside(path))
          .replaceAll(PACKAGED, (_, name: string) => inside(resolved(name, path)));
        return { contents, loader: "ts" };
      });
    },
  };
}
