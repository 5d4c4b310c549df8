// runs: once

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { owners, partOf, parts } from "./parts.ts";

type Import = { from: string; to: string; typeOnly: boolean };

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");

/** Every import of server/src and packages/http1; paths are relative to server/src. */
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

function complaint({ from, to, typeOnly }: Import): string | undefined {
  const part = partOf(from) ?? "";
  const row = parts[part];
  if (row === undefined) return `${from}: no part of parts.ts holds it`;
  if (isPackage(to)) {
    const name = to.startsWith("node:") ? to : to.split("/", to.startsWith("@") ? 2 : 1).join("/");
    const allowed = (row.packages?.includes(name) ?? true) && (owners[name]?.includes(part) ?? true);
    return allowed ? undefined : `${from} imports ${name}`;
  }
  const target = partOf(to) ?? "";
  const allowed = target === part || row.may.includes(target) || (typeOnly && row.types?.includes(target));
  return allowed ? undefined : `${from} imports ${typeOnly ? "the types of " : ""}${to}`;
}

/** The parts that may import the type of the whole engine; all others import only the ports that they use. */
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

test("no file of the server imports itself through others, not even types", () => {
  const graph = Map.groupBy(
    imports.filter(({ to }) => !isPackage(to)),
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
