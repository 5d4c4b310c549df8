import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/**
 * What each part of server/src may import besides itself. Data flows one way:
 * http -> services -> session rules + ports. Of a part in `types` only types may be imported.
 * A file that belongs to no part fails the test: give it a row.
 * `packages`, where it is given, lists all packages and node: modules that the part may import.
 */
const diagram: Record<string, Row> = {
  session: { holds: /^session\//, may: [], packages: ["node:crypto"] },
  clock: { holds: /^runtime\/clock\.ts$/, may: [] },
  version: { holds: /^runtime\/version\.ts$/, may: [], packages: ["node:fs"] },
  addresses: { holds: /^addresses\.ts$/, may: [], packages: ["node:net", "ipaddr.js"] },
  limits: { holds: /^limits\//, may: [], packages: [] },
  "safe-error": { holds: /^logging\/safe-error\.ts$/, may: [], packages: [] },
  log: { holds: /^logging\/log\.ts$/, may: ["safe-error"], packages: ["pino"] },
  ports: { holds: /^store\/(ports\/)?[^/]+\.ts$/, may: ["session"] },
  sqlite: { holds: /^store\/sqlite\//, may: ["ports", "session", "clock", "safe-error"] },
  redis: { holds: /^store\/redis\//, may: ["ports", "session", "safe-error"], types: ["limits"] },
  services: { holds: /^services\//, may: ["ports", "session", "clock"] },
  wire: { holds: /^wire\//, may: ["session", "client"], types: ["services"] },
  config: { holds: /^config\//, may: ["addresses", "safe-error"], types: ["session", "limits"] },
  control: {
    holds: /^control\//,
    may: ["services", "session", "clock", "wire", "safe-error"],
    types: ["ports"],
  },
  "http-app": {
    holds: /^http\/(app\/|listen)/,
    may: ["http-handlers", "http", "http-auth", "http-parse", "http1", "session"],
    types: ["services", "ports", "clock", "config"],
  },
  "http-handlers": {
    holds: /^http\/(handlers\/|openapi\.ts$)/,
    may: ["http", "http-auth", "http-parse", "http1", "services", "session", "wire", "client"],
    types: ["ports", "clock", "config"],
  },
  "http-auth": {
    holds: /^http\/auth\//,
    may: ["http-parse", "services", "session", "addresses"],
    types: ["http1", "ports", "clock", "config"],
  },
  "http-parse": {
    holds: /^http\/parse\//,
    may: ["http1", "session", "client"],
    packages: ["node:crypto", "@antechamber/http1"],
  },
  /** What the handlers use: calls, responses, problems, metrics, rate limits. */
  http: {
    holds: /^http\//,
    may: ["http-auth", "session", "limits", "client"],
    types: ["http1", "ports", "config", "addresses"],
  },
  migrate: { holds: /^migrate\//, may: ["session"], types: ["ports", "clock"] },
  runtime: {
    holds: /^runtime\//,
    may: [
      ...["services", "http", "http-app", "http-auth", "control", "limits", "sqlite", "redis"],
      ...["ports", "session", "clock", "config", "version", "log", "safe-error"],
    ],
    types: ["http1"],
  },
  cli: {
    holds: /^cli(\.ts$|\/)/,
    may: [
      ...["runtime", "control", "migrate", "sqlite", "ports", "services", "session"],
      ...["clock", "config", "version", "log", "safe-error"],
    ],
  },
  /** Other workspaces: they import nothing of the server. */
  client: { holds: /^\.\.\/\.\.\/client\//, may: [] },
  http1: {
    holds: /^\.\.\/\.\.\/packages\/http1\//,
    may: [],
    packages: ["bun", "node:fs", "node:http", "node:net", "node:path"],
  },
};

/** These packages belong to one part each. */
const owners: Record<string, string[]> = {
  "node:sqlite": ["sqlite"],
  ioredis: ["redis"],
  commander: ["cli"],
  "@clack/prompts": ["cli"],
  "ipaddr.js": ["addresses"],
  leven: ["config"],
  jose: ["http-auth"],
};

type Row = { holds: RegExp; may: string[]; types?: string[]; packages?: string[] };
type Import = { from: string; to: string; typeOnly: boolean };

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "src");

/** Every import of server/src and packages/http1; paths are relative to server/src, packages as written. */
const imports: Import[] = [".", "../../packages/http1/src"].flatMap((folder) =>
  readdirSync(join(source, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .toSorted()
    .flatMap((file) => importsOf(join(folder, file).split(sep).join("/"))),
);

function importsOf(from: string): Import[] {
  const text = readFileSync(join(source, from), "utf8")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/^\s*\/\/.*$/gm, "");
  const statements = /^\s*(?:import|export)\s(type\s)?(?:[^"';]*?\sfrom\s)?\s*["']([^"']+)["']/gm;
  const calls = /\bimport\(\s*["']([^"']+)["']|new URL\(\s*["'](\.[^"']+\.ts)["']/g;
  return [
    ...[...text.matchAll(statements)].map(([, type, to = ""]) => ({
      to,
      typeOnly: type !== undefined,
    })),
    ...[...text.matchAll(calls)].map(([, dynamic, worker = ""]) => ({
      to: dynamic ?? worker,
      typeOnly: false,
    })),
  ].map(({ to, typeOnly }) => ({ from, to: resolve(from, to), typeOnly }));
}

function resolve(from: string, to: string): string {
  if (to.startsWith("@antechamber/client/")) return "../../client/src/";
  if (to === "@antechamber/http1") return "../../packages/http1/src/http1.ts";
  if (!to.startsWith(".")) return to;
  return relative(source, join(source, dirname(from), to))
    .split(sep)
    .join("/");
}

function isPackage(to: string): boolean {
  return !to.startsWith("..") && !to.endsWith(".ts") && !to.endsWith(".json");
}

function partOf(file: string): string | undefined {
  return Object.keys(diagram).find((part) => diagram[part]?.holds.test(file));
}

function complaint({ from, to, typeOnly }: Import): string | undefined {
  const part = partOf(from) ?? "";
  const row = diagram[part];
  if (row === undefined) return `${from}: no row of the diagram holds it`;
  if (isPackage(to)) {
    const name = to.startsWith("node:") ? to : to.split("/", to.startsWith("@") ? 2 : 1).join("/");
    const allowed =
      (row.packages?.includes(name) ?? true) && (owners[name]?.includes(part) ?? true);
    return allowed ? undefined : `${from} imports ${name}`;
  }
  const target = partOf(to) ?? "";
  const allowed =
    target === part || row.may.includes(target) || (typeOnly && row.types?.includes(target));
  return allowed ? undefined : `${from} imports ${typeOnly ? "the types of " : ""}${to}`;
}

/** Only the composition root knows the whole engine; every other part is given the ports that it uses. */
const knowEngine = new Set(["ports", "sqlite", "redis", "runtime"]);

test("only runtime/ and the engines import the type of the whole store engine", () => {
  const others = imports
    .filter(({ to }) => to === "store/ports/engine.ts")
    .filter(({ from }) => !knowEngine.has(partOf(from) ?? ""))
    .map(({ from }) => from);
  assert.deepEqual(others, []);
});

test("every import of the server follows the diagram", () => {
  assert.ok(imports.length > 0, "no import was read");
  assert.deepEqual(imports.map(complaint).filter(Boolean), []);
});

/** Folders in which imports of types count as well. */
const withTypes = /^store\/sqlite\//;

test("no file of the server imports itself through others", () => {
  const graph = Map.groupBy(
    imports.filter(
      ({ from, to, typeOnly }) => (!typeOnly || withTypes.test(from)) && !isPackage(to),
    ),
    ({ from }) => from,
  );
  const done = new Set<string>();
  const cycleFrom = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { to } of graph.get(file) ?? []) {
      const cycle = cycleFrom(to, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) assert.equal(cycleFrom(file, [])?.join(" -> "), undefined);
});
