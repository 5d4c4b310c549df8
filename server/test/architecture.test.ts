import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/**
 * What each part of server/src may import besides itself. Data flows one way:
 * http -> service -> session rules + store. A part in `types` may be named in
 * `import type` only. A file that no part holds is a failure: give it a row.
 * `packages` lists every package and node: module where a part is kept to a few.
 */
const diagram: Record<string, Row> = {
  session: { holds: /^session\//, may: [], packages: ["node:crypto"] },
  clock: { holds: /^clock\.ts$/, may: [] },
  addresses: { holds: /^addresses\.ts$/, may: [], packages: ["node:net"] },
  limits: { holds: /^limits\//, may: [], packages: [] },
  "safe-error": { holds: /^safe-error\.ts$/, may: [], packages: [] },
  log: { holds: /^log\.ts$/, may: ["safe-error"], packages: ["pino"] },
  version: { holds: /^version\.ts$/, may: [], packages: ["node:fs"] },
  store: { holds: /^store\/[^/]+\.ts$/, may: ["session"] },
  sqlite: { holds: /^store\/sqlite\//, may: ["store", "session", "clock", "safe-error"] },
  redis: { holds: /^store\/redis\//, may: ["store", "session", "safe-error"], types: ["limits"] },
  service: { holds: /^service\.ts$/, may: ["session", "clock"], types: ["store"] },
  ceiling: { holds: /^ceiling\.ts$/, may: ["session"], types: ["store"] },
  audit: { holds: /^audit\.ts$/, may: ["store", "session"], types: ["clock"] },
  administration: {
    holds: /^administration\.ts$/,
    may: ["store", "session"],
    types: ["clock"],
  },
  wire: { holds: /^wire\//, may: ["session", "client"], types: ["administration"] },
  config: { holds: /^config\//, may: ["addresses", "safe-error"], types: ["session", "limits"] },
  control: {
    holds: /^control\//,
    may: ["service", "session", "clock", "audit", "administration", "wire", "safe-error"],
    types: ["store"],
  },
  messages: { holds: /^http\/(messages|pieces)\.ts$/, may: [], packages: [] },
  http1: { holds: /^http\/http1\//, may: ["messages"], packages: ["node:http"] },
  http: {
    holds: /^http\//,
    may: [
      ...["http1", "messages"],
      ...["service", "administration", "audit", "session", "limits", "clock", "addresses"],
      ...["wire", "client"],
    ],
    types: ["config", "store"],
  },
  open: {
    holds: /^open\.ts$/,
    may: [
      ...["service", "ceiling", "administration", "audit"],
      ...["sqlite", "redis", "store", "session", "clock", "mac"],
    ],
    types: ["config"],
  },
  mac: { holds: /^mac-bun\.ts$/, may: [], types: ["session"] },
  migrate: { holds: /^migrate\//, may: ["session"], types: ["store", "clock"] },
  credentials: { holds: /^credentials\.ts$/, may: [], types: ["store"] },
  maintenance: { holds: /^maintenance\.ts$/, may: ["clock"], types: ["store"] },
  start: {
    holds: /^start(-limits|-warnings)?\.ts$/,
    may: [
      ...["open", "maintenance", "credentials", "http", "control", "limits", "redis", "audit"],
      ...["clock", "config", "version", "log", "safe-error", "session", "store"],
    ],
  },
  cli: {
    holds: /^cli(\.ts$|\/)/,
    may: [
      "start",
      "open",
      "control",
      "migrate",
      "sqlite",
      "store",
      "administration",
      "audit",
      "session",
      "clock",
      "config",
      "version",
      "log",
      "safe-error",
    ],
  },
  /** Another workspace: it imports nothing of the server. */
  client: { holds: /^\.\.\/\.\.\/client\//, may: [] },
};

/** These packages belong to one part each. */
const owners: Record<string, string[]> = {
  "node:sqlite": ["sqlite"],
  ioredis: ["redis"],
  commander: ["cli"],
  "@clack/prompts": ["cli"],
  jose: ["http"],
};

type Row = { holds: RegExp; may: string[]; types?: string[]; packages?: string[] };
type Import = { from: string; to: string; typeOnly: boolean };

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "src");

/** Every import of server/src; paths are relative to it, packages as written. */
const imports: Import[] = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .toSorted()
  .flatMap((file) => importsOf(file.split(sep).join("/")));

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

test("every import of the server follows the diagram", () => {
  assert.ok(imports.length > 0, "no import was read");
  assert.deepEqual(imports.map(complaint).filter(Boolean), []);
});

test("no file of the server imports itself through others", () => {
  const graph = Map.groupBy(
    imports.filter(({ to, typeOnly }) => !typeOnly && !isPackage(to)),
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
