// npm run check:lock: checks that each package-lock.json works on every machine. It must not name a registry, and it must
// contain the optional packages of all platforms. npm leaves out those of other platforms if node_modules is already
// installed when npm writes the file.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** @typedef {{ resolved?: string, link?: boolean, optionalDependencies?: Record<string, string> }} Package */

const root = new URL("..", import.meta.url);
const list = execFileSync("git", ["ls-files", "package-lock.json", "**/package-lock.json"], {
  cwd: root,
  encoding: "utf8",
});
const faults = list.trim().split("\n").flatMap(faultsOf);

/**
 * Returns the faults of a lockfile.
 * @param {string} file
 */
function faultsOf(file) {
  const text = readFileSync(new URL(file, root), "utf8");
  const { packages } = /** @type {{ packages: Record<string, Package> }} */ (JSON.parse(text));
  return Object.entries(packages).flatMap(([path, { resolved, link, ...entry }]) => [
    ...(resolved !== undefined && !link ? [`${file}: ${path} names where it was fetched: ${resolved}`] : []),
    ...Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !holds(packages, path, name))
      .map((name) => `${file}: ${path || "the root"} lacks ${name}`),
  ]);
}

/**
 * Returns whether a lockfile contains the package `name` for the package at the path `from`.
 * @param {Record<string, Package>} packages
 * @param {string} from path of the package that needs it
 * @param {string} name
 * @returns {boolean}
 */
function holds(packages, from, name) {
  const folder = from === "" ? "" : `${from}/`;
  if (packages[`${folder}node_modules/${name}`] !== undefined) return true;
  return from !== "" && holds(packages, from.slice(0, Math.max(0, from.lastIndexOf("/"))), name);
}

for (const fault of faults) console.log(fault);
if (faults.length > 0) {
  console.log(
    "Write it anew in a copy of the package.json files without node_modules: npm install --package-lock-only",
  );
  process.exitCode = 1;
}
