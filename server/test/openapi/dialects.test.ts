// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem } from "@antechamber/client/protocol";
import { type Host, startHost } from "./callers.ts";
import { assertDocumented, assertValid } from "./conformance.ts";
import { basePaths, type DocumentedOperation, dialectBasePaths, type Mode, operationsOf } from "./description.ts";
import { type Hosts, provocations, startHosts } from "./provocations.ts";
import { requestsOf } from "./requests.ts";

/*
 * Compares the document's description of base paths of newer dialects with a server that has such base paths.
 * `truth.test.ts` does the same for the root.
 */

/** One mode is enough: the modes differ only in their credentials. */
const mode: Mode = "key";
const bases = [...basePaths, ...dialectBasePaths];
const ofDialects = (document: readonly DocumentedOperation[]) =>
  document.filter(({ path }) => dialectBasePaths.some((base) => path.startsWith(`${base.path}/`)));
const operations = ofDialects(operationsOf(mode, bases));

let hosts: Hosts;
before(async () => {
  hosts = (await startHosts([mode], { basePaths: bases })).get(mode) as Hosts;
});
after(async () => {
  for (const opened of Object.values(hosts) as AsyncDisposable[]) await opened[Symbol.asyncDispose]();
});

test("a document without newer dialects does not mention them, and one with them lists each operation once", () => {
  assert.deepEqual(ofDialects(operationsOf(mode)), []);
  const names = operations.map(({ method, path }) => `${method} ${path}`);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    names.filter((name) => name.includes("/session/v2/")).toSorted(),
    [
      ...["GET /session/v2/sessions", "POST /session/v2/sessions"],
      ...["DELETE /session/v2/sessions/{sessionId}", "PATCH /session/v2/sessions/{sessionId}"],
      ...["POST /session/v2/sessions/{sessionId}/requests"],
      ...["GET /session/v2/sessions/{sessionId}/requests"],
      ...["GET", "PATCH", "PUT", "DELETE"].map((method) => `${method} /session/v2/sessions/{sessionId}/data`),
      "POST /session/v2/sessions/end",
    ].toSorted(),
  );
});

/** The operations that differ in a dialect, and an operation that differs only in its refusals. */
const own = ["createSession", "retrieveSession", "headSession", "updateSession", "endSession"];

for (const operation of operations.filter(({ id }) => own.includes(id))) {
  const name = `${operation.method} ${operation.path}`;

  test(`${name} is refused only as documented`, async () => {
    for (const { status, codes } of operation.responses) {
      for (const code of codes) {
        const provoke = provocations[code];
        assert.ok(provoke, code);
        const response = await provoke(operation, hosts);
        assert.equal(response.status, status, `${code}: ${response.body}`);
        assertDocumented(operation, response);
        if (response.body !== "") assert.equal((JSON.parse(response.body) as Problem).code, code);
      }
    }
    for (const provoke of Object.values(provocations)) {
      const response = await provoke(operation, hosts);
      const { codes } = assertDocumented(operation, response);
      if (response.status < 400 || response.body === "") continue;
      assert.ok(codes.includes((JSON.parse(response.body) as Problem).code), response.body);
    }
  });

  test(`${name} responds to the document's examples as documented, and the examples are valid`, async () => {
    const success = operation.responses[0];
    assert.ok(success);
    for (const parts of requestsOf(operation)) {
      // Only one live session can have the visit of the example, so such a request gets a new server.
      const isVisit = parts.body?.includes("visitId") ?? false;
      const host: Host = isVisit ? await startHost(mode, { config: { basePaths: bases } }) : hosts.usual;
      try {
        const response = await host.send(operation, parts);
        assert.equal(response.status, success.status, response.body);
        assertDocumented(operation, response);
      } finally {
        if (isVisit) await host[Symbol.asyncDispose]();
      }
    }
    for (const { content = {} } of operation.responses) {
      for (const { schema, examples = {} } of Object.values(content)) {
        for (const [example, { value }] of Object.entries(examples)) {
          assertValid(schema ?? {}, value, example);
        }
      }
    }
  });
}

test("below a base path of a dialect, Allow lists the methods of the document", async () => {
  for (const operation of operations.filter(({ path }) => path.includes("{"))) {
    const parts = { method: "OPTIONS", inPath: "some-session" };
    const response = await hosts.usual.send(operation, parts);
    const there = operations.filter(({ path }) => path === operation.path);
    const allowed = new Set([...there.map(({ method }) => method), "OPTIONS"]);
    if (allowed.has("GET")) allowed.add("HEAD");
    const allow = response.headers.get("allow")?.split(", ") ?? [];
    assert.deepEqual(allow.toSorted(), [...allowed].toSorted(), operation.path);
  }
});
