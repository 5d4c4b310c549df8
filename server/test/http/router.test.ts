// runs: once

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
  route("GET", "/sessions/:sessionId/data"),
  route("GET", "/customers/:customerId/data"),
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

test("for a path with a session id at its end or before one more segment, `find` returns the same route as `match`", () => {
  for (const path of ["/sessions/abc", "/base/sessions/abc", "/sessions/abc/data", "/base/sessions/abc/data"]) {
    const found = router.find("GET", path);
    assert.ok(found);
    assert.deepEqual(found, router.match(path)[0]);
  }
});

test("`find` leaves paths to `match` that are not so simple", () => {
  const ids = ["a%62c", "abc;jsessionid=1", ""];
  const others = [
    "/customers/c/data",
    "/other/abc/data",
    "/sessions/abc/notes",
    "/x/sessions/abc/data",
    "/data",
    "data",
  ];
  for (const path of [...ids.flatMap((id) => [`/sessions/${id}`, `/sessions/${id}/data`]), ...others]) {
    assert.equal(router.find("GET", path), undefined, path);
  }
  assert.equal(router.find("POST", "/sessions/abc/data"), undefined);
  assert.equal(router.match("/customers/c/data")[0]?.parameters["customerId"], "c");
});
