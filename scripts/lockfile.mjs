// npm run check:lock: package-lock.json must work on every machine. It must name no registry, and contain the
// packages of every platform: npm leaves out those of other platforms when it writes the file beside an installed
// node_modules.
import { readFileSync } from "node:fs";

/** @typedef {{ resolved?: string, link?: boolean, optionalDependencies?: Record<string, string> }} Package */

const text = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
const { packages } = /** @type {{ packages: Record<string, Package> }} */ (JSON.parse(text));

/**
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
