import assert from "node:assert/strict";
import { test } from "node:test";
import { type Route, Router } from "../../src/http/app/router.ts";

function route(method: Route["method"], path: string): Route {
  const handle = () => assert.fail("no handler is called");
  const access = { roles: "everybody", rateLimitAs: undefined, isUnderBasePath: true } as const;
  return { method, path, operation: path, ...access, handle };
}

const routes = [
  route("GET", "/sessions/:sessionId"),
  route("POST", "/sessions/:sessionId/notes/:noteId"),
  route("GET", "/tenants/:tenantId"),
];
const router = new Router([
  { path: "", routes },
  { path: "/base", routes },
]);

test("every parameter in a path is decoded", () => {
  const [match] = router.match("/base/sessions/a%20b/notes/n%2F1/");
  assert.deepEqual([match?.sessionId, match?.parameters, match?.base], ["a b", { noteId: "n/1" }, "/base"]);
  assert.deepEqual(router.match("/tenants/t;v=1")[0]?.parameters, { tenantId: "t;v=1" });
});

test("a path with different segments than the pattern does not match", () => {
  const others = ["/tenants", "/tenants/", "/tenants/t/u", "/sessions/a/notes/", "/sessions/a/b/c"];
  for (const path of others) assert.deepEqual(router.match(path), [], path);
});

test("for a path that ends with a session id, `find` returns the same route as `match`", () => {
  const found = router.find("GET", "/base/sessions/abc");
  assert.deepEqual(found, router.match("/base/sessions/abc")[0]);
  assert.equal(router.find("GET", "/base/sessions/a%62c"), undefined);
});
