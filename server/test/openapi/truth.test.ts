// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem, SessionInfo, Timeline } from "@antechamber/client/protocol";
import type { RawResponse } from "../support/raw-http.ts";
import { long } from "../support/tier.ts";
import { type Host, type RequestParts, startHost } from "./callers.ts";
import { assertDocumented } from "./conformance.ts";
import { basePath, type DocumentedOperation, type Mode, modes, operationsOf } from "./description.ts";
import { type Hosts, provocations, startHosts } from "./provocations.ts";
import { bodyOf, requestsOf, takes, withFreshKey } from "./requests.ts";

/*
 * Sends the requests that the document describes, and compares the status, headers, content type and body of each
 * response with it. The tests are made from the document, so they fail for a documented operation, status or code that
 * is not served, or that `provocations.ts` cannot provoke.
 */

/**
 * Each runtime tries one mode in depth. The modes differ only in credentials, so of the others one runtime tries what
 * depends on credentials, and what only they document.
 */
const isBun = "Bun" in globalThis;
const deep: readonly Mode[] = long ? modes : [isBun ? "key" : "local"];
const tried = isBun || long ? modes : deep;
const ofCredentials = ["credential-required", "invalid-credential", "identity-mismatch", "role-not-permitted"];
const triedInDepth = new Set(deep.flatMap((mode) => operationsOf(mode).flatMap((operation) => refusalsOf(operation))));

let hosts: ReadonlyMap<Mode, Hosts>;

before(async () => {
  hosts = await startHosts(tried);
});
after(async () => {
  for (const opened of [...hosts.values()].flatMap((each) => Object.values(each) as AsyncDisposable[])) {
    await opened[Symbol.asyncDispose]();
  }
});

const hostsOf = (mode: Mode): Hosts => hosts.get(mode) as Hosts;
const hostOf = (mode: Mode): Host => hostsOf(mode).usual;

function send(operation: DocumentedOperation, parts: RequestParts = {}): Promise<RawResponse> {
  return hostOf(operation.mode).send(operation, parts);
}

/** Sends a request with the visit of the example to a new server, because only one live session can have the visit. */
async function sendToNewServer(operation: DocumentedOperation, parts: RequestParts): Promise<RawResponse> {
  if (!parts.body?.includes("visitId")) return send(operation, parts);
  await using host = await startHost(operation.mode);
  return await host.send(operation, parts);
}

for (const operation of tried.flatMap((mode) => operationsOf(mode))) {
  const name = `${operation.mode}: ${operation.id}`;
  const isDeep = deep.includes(operation.mode);
  for (const { status, codes } of operation.responses) {
    for (const code of codes) {
      if (!isDeep && !ofCredentials.includes(code) && triedInDepth.has(refusalOf(operation, status, code))) continue;
      test(`${name} responds with ${status} ${code} as documented`, async () => {
        const provoke = provocations[code];
        assert.ok(provoke, `provocations.ts does not provoke ${code}`);
        const response = await provoke(operation, hostsOf(operation.mode));
        assert.equal(response.status, status, response.body);
        const { content } = assertDocumented(operation, response);
        if (content !== undefined) assert.equal((JSON.parse(response.body) as Problem).code, code);
      });
    }
  }

  if (!isDeep) continue;

  test(`${name} is refused only as documented`, async () => {
    for (const provoke of Object.values(provocations)) {
      const response = await provoke(operation, hostsOf(operation.mode));
      const { codes } = assertDocumented(operation, response);
      const isProblem = response.headers.get("content-type") === "application/problem+json";
      if (!isProblem || response.body === "") continue;
      const { code } = JSON.parse(response.body) as Problem;
      assert.ok(codes.includes(code), `${operation.id} responds with ${response.status} ${code}`);
    }
  });

  test(`${name} responds to the document's examples as documented`, async () => {
    for (const parts of requestsOf(operation)) {
      const response = await sendToNewServer(operation, parts);
      assert.equal(response.status, successOf(operation), response.body);
      assertDocumented(operation, response);
      if (showsSession(operation)) assertExample(operation, response, parts);
    }
  });

  test(`${name} is served only at ${operation.bases.map((base) => base || "the root").join(" and ")}`, async () => {
    const parts = requestsOf(operation).at(-1) as RequestParts;
    for (const base of ["", basePath]) {
      const isThere = operation.bases.includes(base);
      const { body: _, ...withoutVisit } = parts;
      const again = { ...withoutVisit, ...bodyOf(operation, 0), base };
      const response = await send(operation, { ...again, headers: withFreshKey(parts.headers) });
      assert.equal(response.status, isThere ? successOf(operation) : 404, response.body);
      const location = response.headers.get("content-location");
      if (location !== undefined) assert.ok(location.startsWith(`${base}/sessions/`), location);
    }
  });
}

/** Returns a name of a refusal that is the same in every mode. */
function refusalOf({ id }: DocumentedOperation, status: number, code: string): string {
  return `${id} ${status} ${code}`;
}

function refusalsOf(operation: DocumentedOperation): string[] {
  return operation.responses.flatMap(({ status, codes }) => codes.map((code) => refusalOf(operation, status, code)));
}

function successOf({ responses }: DocumentedOperation): number {
  return responses[0]?.status ?? 0;
}

function showsSession({ id }: DocumentedOperation): boolean {
  return ["createSession", "retrieveSession", "updateSession"].includes(id);
}

/** Asserts that the session has the ids of the request, and the times that the document's example has. */
function assertExample({ id }: DocumentedOperation, response: RawResponse, parts: RequestParts): void {
  const session = JSON.parse(response.body) as SessionInfo;
  const isRetrieved = id === "retrieveSession";
  const sent = JSON.parse(parts.body ?? "{}") as Partial<SessionInfo>;
  const header = (name: string) =>
    isRetrieved ? null : (parts.headers?.[`gkc_${name}`] ?? parts.headers?.[`gkc-${name}`] ?? null);
  const expected = {
    agentId: header("agentId"),
    customerId: header("customerId"),
    visitId: sent.visitId ?? null,
    globalVisitId: sent.globalVisitId ?? null,
  };
  const { agentId, customerId, visitId, globalVisitId, state } = session;
  assert.deepEqual({ agentId, customerId, visitId, globalVisitId }, expected);
  assert.equal(state, agentId === null && customerId === null ? "anonymous" : "recognized");
  assert.equal(Date.parse(session.expiresAt) - Date.parse(session.lastActiveAt), 30 * 60_000);
}

for (const mode of deep) {
  test(`${mode}: other methods are refused, and Allow lists those of the document`, async () => {
    const operations = operationsOf(mode);
    for (const operation of operations.filter(({ id }) => !id.startsWith("forwardAuth"))) {
      const isPatched = operation.path === "/webhooks/{webhookId}";
      const isData = operation.path === "/sessions/{sessionId}/data";
      const response = await send(operation, { method: isPatched ? "PUT" : isData ? "POST" : "PATCH" });
      assert.equal(response.status, 405, operation.path);
      const allowed = new Set(["OPTIONS"]);
      for (const { path, method } of operations) {
        if (!pattern(path).test(operation.path)) continue;
        allowed.add(method);
        if (method === "GET") allowed.add("HEAD");
      }
      const allow = response.headers.get("allow")?.split(", ") ?? [];
      assert.deepEqual(allow.toSorted(), [...allowed].toSorted(), operation.path);
    }
  });

  test(`${mode}: proxies may use every method`, async () => {
    for (const operation of operationsOf(mode).filter(({ id }) => id.startsWith("forwardAuth"))) {
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        const response = await send(operation, { method });
        assert.equal(response.status, 200, method);
        assertDocumented(operation, response);
      }
    }
  });

  test(`${mode}: the timeline of recorded requests is as documented`, async () => {
    const host = hostOf(mode);
    const inPath = await host.session();
    const record = operationNamed(mode, "recordRequests");
    const timeline = operationNamed(mode, "readTimeline");
    for (const body of record.bodyExamples) {
      const response = await host.send(record, { inPath, body });
      assert.equal(response.status, 202);
    }
    const headers = { gkc_customerId: "customer-4711" };
    await host.send(operationNamed(mode, "updateSession"), { inPath, headers });
    const response = await host.send(timeline, { inPath });
    assertDocumented(timeline, response);
    const { records } = JSON.parse(response.body) as Timeline;
    const types = records.map(({ type }) => type);
    assert.deepEqual(types, ["created", "request", "request", "request", "associated"]);
  });

  test(`${mode}: HEAD responds as GET does, without the body`, async () => {
    for (const operation of operationsOf(mode).filter(({ method }) => method === "GET")) {
      const parts = takes(operation, "gkc_customerId") ? { inPath: await hostOf(mode).session() } : {};
      const whole = await send(operation, parts);
      const head = await send(operation, { ...parts, method: "HEAD" });
      assert.equal(head.status, whole.status);
      assert.equal(head.body, "");
      for (const name of ["content-type", "cache-control", "content-location"]) {
        assert.equal(head.headers.get(name), whole.headers.get(name), operation.id);
      }
    }
  });

  test(`${mode}: browsers are redirected to the page as documented`, async () => {
    const redirects = [
      ["docsPage", 308, { after: "/" }],
      ["root", 302, { headers: { Accept: "text/html" } }],
    ] as const;
    for (const [id, status, parts] of redirects) {
      const operation = operationNamed(mode, id);
      const response = await send(operation, parts);
      assert.equal(response.status, status);
      assertDocumented(operation, response);
    }
  });

  test(`${mode}: paths that the document does not list are not found`, async () => {
    const health = operationNamed(mode, "health");
    for (const more of ["/more", "x"]) {
      assert.equal((await send(health, { after: more })).status, 404);
    }
  });
}

function operationNamed(mode: Mode, id: string): DocumentedOperation {
  const found = operationsOf(mode).find((each) => each.id === id);
  assert.ok(found, id);
  return found;
}

/** Returns a pattern that matches every path of a template: `/sessions/{sessionId}` also matches `/sessions/new`. */
function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.")}$`);
}
