// npm run check:lock: checks that package-lock.json works on every machine. It must not name a registry, and it must
// contain the optional packages of all platforms. npm leaves out those of other platforms if node_modules is already
// installed when npm writes the file.
import { readFileSync } from "node:fs";

/** @typedef {{ resolved?: string, link?: boolean, optionalDependencies?: Record<string, string> }} Package */

const text = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
const { packages } = /** @type {{ packages: Record<string, Package> }} */ (JSON.parse(text));

/**
 * Returns whether the lockfile contains the package `name` for the package at the path `from`.
 * @param {string} from path of the package that needs it
 * @param {string} name
 * @returns {boolean}
 */
function holds(from, name) {
  const folder = from === "" ? "" : `${from}/`;
  if (packages[`${folder}node_modules/${name}`] !== undefined) return true;
  return from !== "" && holds(from.slice(0, Math.max(0, from.lastIndexOf("/"))), name);
}

const faults = Object.entries(packages).flatMap(([path, { resolved, link, ...entry }]) => [
  ...(resolved !== undefined && !link ? [`${path} names where it was fetched: ${resolved}`] : []),
  ...Object.keys(entry.optionalDependencies ?? {})
    .filter((name) => !holds(path, name))
    .map((name) => `${path || "the root"} lacks ${name}`),
]);

for (const fault of faults) console.log(fault);
if (faults.length > 0) {
  console.log(
    "Write it anew in a copy of the package.json files without node_modules: npm install --package-lock-only",
  );
  process.exitCode = 1;
}
