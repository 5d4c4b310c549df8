import { readFile } from "node:fs/promises";
import nodeModule from "node:module";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RequestHandler, Router } from "express";

const own = fileURLToPath(new URL("./browser/", import.meta.url));
const client = new URL(import.meta.resolve("@antechamber/client"));
const FILE = /^[a-z-]+\.(?:ts|js)$/;

/**
 * Serves the pages' scripts from TypeScript sources, without the types. A site with a bundler does not need this: it
 * imports `@antechamber/client` in its own code.
 */
export function createScripts(): Router {
  return Router()
    .get("/pages/:file", serve(own))
    .get("/client/:file", serve(fileURLToPath(new URL(".", client))));
}

function serve(folder: string): RequestHandler<{ file: string }> {
  return async (request, response, next) => {
    const { file } = request.params;
    if (!FILE.test(file)) return next();
    const source = await readFile(join(folder, file), "utf8").catch(() => undefined);
    if (source === undefined) return next();
    response.type("text/javascript").set("cache-control", "no-cache");
    response.send(extname(file) === ".ts" ? scriptOf(source) : source);
  };
}

function scriptOf(source: string): string {
  const entry = client.pathname.slice(client.pathname.lastIndexOf("/") + 1);
  // Browsers cannot resolve names of packages. An import map is not used, because it would have to be an inline script,
  // which the page's policy forbids.
  return withoutTypes(source).replaceAll('"@antechamber/client"', `"/scripts/client/${entry}"`);
}

function withoutTypes(source: string): string {
  if (process.versions.bun === undefined) return nodeModule.stripTypeScriptTypes(source);
  return new Bun.Transpiler({ loader: "ts", target: "browser" }).transformSync(source);
}
