// runs: once

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../../../console/src", import.meta.url));

/** The packages that the console may import. Of this repository it knows the client only, and so the public HTTP API. */
const packages = ["@antechamber/client", "@preact/signals", "preact", "uplot"];

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

/** Returns the imported names of a file. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), "utf8");
  const pattern = /^\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?\s*"([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return Array.from(text.matchAll(pattern), ([, static_, dynamic]) => static_ ?? dynamic ?? "");
}

test("the console imports the client, its own files and a few packages, and nothing else", () => {
  assert.ok(files.length > 10);
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => {
        if (name.startsWith(".")) return !resolve(source, file, "..", name).startsWith(source + sep);
        return !packages.includes(name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
      })
      .map((name) => `${file} imports ${name}`),
  );
  assert.deepEqual(wrong, []);
});

test("a page of the console imports no file of another page, except the search that the whole console shares", () => {
  const wrong = files.flatMap((file) => {
    const [, page] = /^pages[/\\]([^/\\]+)[/\\]/.exec(file) ?? [];
    if (page === undefined) return [];
    return importsOf(file)
      .filter((name) => name.startsWith("."))
      .map((name) => resolve("/", file, "..", name).split(sep))
      .filter(([, folder, other]) => folder === "pages" && other !== page)
      .map((path) => `${file} imports ${path.join("/")}`);
  });
  assert.deepEqual(wrong, []);
});
