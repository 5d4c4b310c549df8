// Builds the package @antechamber/client into client/dist, as it is published: JavaScript, types, and a package.json
// with exports for them. Inside the workspace the TypeScript sources are used directly.
//
//   npm run build:client && npm pack ./client/dist     creates a tarball to install; to publish: npm publish client/dist
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { oldestVersion } from "./oldest.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "client");

/** The folder into which the package is built by default. */
export const built = join(source, "dist");

/** @typedef {{ exports: Record<string, string>, [name: string]: unknown }} Manifest */

/** Returns the package.json of the sources. */
export function readManifest() {
  const text = readFileSync(join(source, "package.json"), "utf8");
  return /** @type {Manifest} */ (JSON.parse(text));
}

/** Builds the package into `folder`. First deletes everything in the folder. */
export function buildClient(folder = built) {
  rmSync(folder, { recursive: true, force: true });
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const project = join(source, "tsconfig.build.json");
  execFileSync(process.execPath, [tsc, "-p", project, "--outDir", folder], { stdio: "inherit" });
  rewriteTypes(folder);
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(publishedManifest(), null, 2)}\n`);
  copyFileSync(join(source, "README.md"), join(folder, "README.md"));
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
}

/**
 * Changes the import paths in the type declarations from `.ts` to `.js`, because tsc leaves them unchanged.
 * @param {string} folder
 */
function rewriteTypes(folder) {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".d.ts")) continue;
    const file = join(folder, name);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replaceAll(/((?:from|import\() ?"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'));
  }
}

function publishedManifest() {
  const { exports: sources, ...manifest } = readManifest();
  // These members are for the workspace only: the packages that the tests need, and the oldest Node.
  const internal = ["private", "devDependencies", "optionalDependencies"];
  const rest = Object.fromEntries(Object.entries(manifest).filter(([name]) => !internal.includes(name)));
  /** @type {Record<string, { types: string, default: string }>} */
  const exports = {};
  for (const [subpath, file] of Object.entries(sources)) {
    const stem = file.replace("./src/", "./").replace(/\.ts$/, "");
    exports[subpath] = { types: `${stem}.d.ts`, default: `${stem}.js` };
  }
  return { ...rest, engines: { node: `>=${oldestVersion()}` }, exports };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) buildClient();
