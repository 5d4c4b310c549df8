// Reads the test files and their declarations. Declarations are comments before the first import of a file:
//
//   // runs: faults                 the run of `npm test` to which the file belongs (see `kinds`)
//   // needs: redis-server, linux   programs and systems that the file needs in addition to Node and npm packages
//
// The file that starts a program must declare it. Every test that imports this file, directly or indirectly, then needs
// the program too. Reading fails if a file starts a program that it does not declare, or the other way round.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { packages } from "../programs.mjs";

/** @typedef {"both" | "once" | "outside" | "faults" | "alone" | "faults, alone in test:long" | "outside, only in test:long"} Kind */

/**
 * @typedef {object} TestFile
 * @property {string} path relative to the root, such as "./server/test/a.test.ts"
 * @property {Kind} kind
 * @property {readonly string[]} needs what the file needs
 * @property {readonly string[]} quickNeeds what the file needs in `npm run test:quick`, which leaves out parts of some files
 */

// Without a declaration, "both": on Bun and on Node. "once": only on Bun. The others are names of runs (CONTRIBUTING.md).
/** @type {readonly Kind[]} */
const kinds = [
  "both",
  "once",
  "outside",
  "faults",
  "alone",
  "faults, alone in test:long",
  "outside, only in test:long",
];

const folders = ["client/test", "packages/http1/test", "server/test", "examples/help-centre/test"];

/**
 * For everything that a file can need: the pattern by which a file that uses it is recognized.
 * @type {Readonly<Record<string, RegExp>>}
 */
const traces = {
  ...Object.fromEntries(Object.keys(packages).map((name) => [name, new RegExp(`"${name}"`)])),
  chromium: /"\/usr\/bin\/chromium"/,
  // The patterns of fish and zsh contain "(", because these names are also used as arguments of commands.
  fish: /\("fish"/,
  zsh: /\("zsh"/,
  e2fsprogs: /"mkfs\.ext4"/,
  iproute2: /"ip"/,
  "libc6-dev": /"gcc"/,
  libfaketime: /libfaketime\w*\.so/,
  "python3-cryptography": /"\w+\.py"|"signed-identity"/,
  "python3-flask": /"flask"|"wsgi"/,
  "python3-jwt": /"\w+\.py"|"signed-identity"/,
  "python3-uvicorn": /"uvicorn"/,
  "redis-server": /"redis-(?:server|cli)"/,
  npm: /"npm"/,
  /** A POSIX shell. The launcher and other scripts need it. */
  sh: /"(?:sh|bash)"|\.sh"|bin\/antechamber"|scripts\/runtime|"scripts", "runtime"/,
  /** Linux, with /proc, namespaces and util-linux. */
  linux: /\/proc\/\$\{|"(?:unshare|nsenter|setpriv)"|spawn\("script"/,
  /** Declared by files that take more than a few seconds. `npm run test:quick` leaves them out. */
  time: /(?:)/,
  /** Declared by files that start only Node, or only programs that their callers name. */
  nothing: /"node:child_process"/,
};

/**
 * Reads all test files below `root`. Throws if a declaration is wrong.
 * @param {string} root
 * @returns {TestFile[]}
 */
export function readTestFiles(root) {
  const sources = new Map(
    folders
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(root, folder, name)),
      )
      .filter((file) => file.endsWith(".ts"))
      .map((file) => [file, parseFile(file, readFileSync(file, "utf8"))]),
  );
  const faults = [...sources].flatMap(([file, source]) =>
    faultsOf(file, source, needsOf(file, sources)).map((fault) => `${relative(root, file)}: ${fault}`),
  );
  if (faults.length > 0) throw new Error(faults.join("\n"));

  return [...sources]
    .filter(([file]) => file.endsWith(".test.ts"))
    .map(([file, { kind }]) => {
      const needs = [...needsOf(file, sources)].filter(([name]) => name !== "nothing");
      return {
        path: `./${relative(root, file).replaceAll("\\", "/")}`,
        kind,
        needs: needs.map(([name]) => name),
        quickNeeds: needs.filter(([, inQuick]) => inQuick).map(([name]) => name),
      };
    })
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * @typedef {object} Source
 * @property {Kind} kind
 * @property {ReadonlyMap<string, boolean>} needs what the file needs, each with whether it applies to `npm run test:quick` too
 * @property {readonly string[]} imports absolute paths of the imported files
 * @property {string} code the file without its declarations and comments
 */

/**
 * Parses a file and its declarations.
 * @param {string} file
 * @param {string} text
 * @returns {Source}
 */
function parseFile(file, text) {
  const start = text.search(/^(?:import|export|const|function|test)\b/m);
  const [head, code] = [text.slice(0, start), text.slice(start)];
  const words = declaration(head, "needs")?.split(", ") ?? [];
  const exception = " (not in test:quick)";
  return {
    kind: /** @type {Kind} */ (declaration(head, "runs") ?? "both"),
    needs: new Map(words.map((word) => [word.replace(exception, ""), !word.endsWith(exception)])),
    imports: [...code.matchAll(/^(?:import|export)\s(?!type\s)[^;"]*"(\.[^"]+\.ts)"/gm)].map(([, path = ""]) =>
      resolve(dirname(file), path),
    ),
    code: code.replaceAll(/^\s*(?:\/\*|\*|\/\/(?! (?:needs|runs):)).*$/gm, ""),
  };
}

/**
 * Returns the value of the declaration `name`; `undefined` if the file does not have it.
 * @param {string} head
 * @param {string} name
 */
function declaration(head, name) {
  return new RegExp(`^// ${name}: (.+)$`, "m").exec(head)?.[1];
}

/**
 * Returns the faults in a file's declarations.
 * @param {string} file
 * @param {Source} source
 * @param {ReadonlyMap<string, boolean>} inherited what the file and the files that it imports need
 */
function faultsOf(file, { kind, needs, code }, inherited) {
  const faults = [];
  if (!kinds.includes(kind)) faults.push(`"runs: ${kind}" is none of ${kinds.join(", ")}`);
  if (kind !== "both" && !file.endsWith(".test.ts")) faults.push(`"runs:" belongs into a test file`);
  if (/^\/\/ (?:needs|runs):/m.test(code)) faults.push("declarations stand before the first import");
  for (const [need, inQuick] of needs) {
    const trace = inQuick ? traces[need] : /\bquick\b/;
    if (traces[need] === undefined) faults.push(`"${need}" is nothing that can be needed`);
    else if (trace?.test(code) !== true) faults.push(`declares ${need}, and does not use it`);
  }
  if (needs.has("nothing") && inherited.size > 1) faults.push('remove "needs: nothing"');
  const undeclared = Object.keys(traces).filter(
    (need) => !["nothing", "time"].includes(need) && !inherited.has(need) && traces[need]?.test(code),
  );
  if (undeclared.length > 0) faults.push(`add "// needs: ${undeclared.join(", ")}"`);
  else if (inherited.size === 0 && traces["nothing"]?.test(code)) {
    faults.push('starts a process: add "// needs: " with the program, or with "nothing"');
  }
  return faults;
}

/**
 * Returns what a file needs, including the needs of all files that it imports, directly or indirectly.
 * @param {string} file
 * @param {ReadonlyMap<string, ReturnType<typeof parseFile>>} sources
 */
function needsOf(file, sources) {
  /** @type {Map<string, boolean>} */
  const found = new Map();
  const seen = new Set([file]);
  for (const each of seen) {
    const source = sources.get(each);
    for (const [need, inQuick] of source?.needs ?? []) {
      if (need !== "nothing" || each === file) {
        found.set(need, inQuick || found.get(need) === true);
      }
    }
    for (const path of source?.imports ?? []) seen.add(path);
  }
  return found;
}
