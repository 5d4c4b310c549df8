// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { App } from "../../src/http/app/app.ts";
import { type OpenedApp, openApp } from "./apps.ts";
import { basePath, operationsOf } from "./description.ts";

let opened: OpenedApp;
let app: App;

before(async () => {
  opened = await openApp("key");
  ({ app } = opened);
});
after(() => opened[Symbol.asyncDispose]());

/** Returns the routes in the form of the document, which lists a route for all methods as GET. */
function served(pick: (route: App["routes"][number]) => boolean = () => true): string[] {
  return app.routes
    .filter(pick)
    .map(({ method, path }) => {
      const rest = method === "*" ? "{path}" : "{file}";
      const documentedPath = path.replaceAll(/:(\w+)/g, "{$1}").replace("*", rest);
      return `${method.replace("*", "GET")} ${documentedPath}`;
    })
    .toSorted();
}

function documented(pick: (operation: ReturnType<typeof operationsOf>[number]) => boolean = () => true): string[] {
  return operationsOf("key")
    .filter(pick)
    .map(({ method, path }) => `${method} ${path}`)
    .toSorted();
}

test("the document has all served routes, and no others", () => {
  assert.ok(app.routes.length >= 10);
  assert.deepEqual(documented(), served());
});

test("the document requires a credential where the server does", () => {
  assert.deepEqual(
    documented(({ isSecured }) => isSecured),
    served(({ roles }) => roles !== "everybody"),
  );
});

test("the document lists the base paths where the server has them", () => {
  assert.deepEqual(
    documented(({ bases }) => bases.includes(basePath)),
    served(({ isUnderBasePath: isBased }) => isBased),
  );
});
