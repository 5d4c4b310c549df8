import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem, SessionInfo, Timeline } from "@antechamber/client/protocol";
import { long } from "../faults/patience.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { type Asked, type Host, startHost } from "./callers.ts";
import { assertDocumented } from "./conformance.ts";
import {
  basePath,
  type DocumentedOperation,
  type Mode,
  modes,
  operationsOf,
} from "./description.ts";
import { type Hosts, provocations, startHosts } from "./provocations.ts";
import { bodyOf, requestsOf, takes, withFreshKey } from "./requests.ts";

/*
 * Sends what the document says and compares what comes back with what it promises: status, headers,
 * content type and body. The tests are made from the document, so an operation, a status or a code
 * that is written down and not served fails here, and so does one that nobody can provoke.
 */

/** Beyond the credential the modes are alike: one runtime is enough for all of them. */
const tried = "Bun" in globalThis || long ? modes : (["local", "key"] as const);

let hosts: ReadonlyMap<Mode, Hosts>;

before(async () => {
  hosts = await startHosts(tried);
});
after(async () => {
  for (const host of [...hosts.values()].flatMap((each) => Object.values(each) as Host[])) {
    await host[Symbol.asyncDispose]();
  }
});

const hostsOf = (mode: Mode): Hosts => hosts.get(mode) as Hosts;
const hostOf = (mode: Mode): Host => hostsOf(mode).usual;

function ask(operation: DocumentedOperation, asked: Asked = {}): Promise<RawResponse> {
  return hostOf(operation.mode).ask(operation, asked);
}

/** The visit of the example has one live session: each request that names it meets a new server. */
async function askAfresh(operation: DocumentedOperation, asked: Asked): Promise<RawResponse> {
  if (!asked.body?.includes("visitId")) return ask(operation, asked);
  await using host = await startHost(operation.mode);
  return await host.ask(operation, asked);
}

for (const operation of tried.flatMap((mode) => operationsOf(mode))) {
  const name = `${operation.mode}: ${operation.id}`;
  for (const { status, codes } of operation.answers) {
    for (const code of codes) {
      test(`${name} answers ${status} ${code} as documented`, async () => {
        const provoke = provocations[code];
        assert.ok(provoke, "nothing here provokes this code");
        const answer = await provoke(operation, hostsOf(operation.mode));
        assert.equal(answer.status, status, answer.body);
        const { content } = assertDocumented(operation, answer);
        if (content !== undefined) assert.equal((JSON.parse(answer.body) as Problem).code, code);
      });
    }
  }

  // Beyond the credential the modes are alike.
  if (!long && !["local", "key"].includes(operation.mode)) continue;

  test(`${name} refuses nothing that the document does not tell of`, async () => {
    for (const provoke of Object.values(provocations)) {
      const answer = await provoke(operation, hostsOf(operation.mode));
      const { codes } = assertDocumented(operation, answer);
      const isProblem = answer.headers.get("content-type") === "application/problem+json";
      if (!isProblem || answer.body === "") continue;
      const { code } = JSON.parse(answer.body) as Problem;
      assert.ok(codes.includes(code), `${operation.id} answers ${answer.status} ${code}`);
    }
  });

  test(`${name} answers what the document's examples ask, as documented`, async () => {
    for (const asked of requestsOf(operation)) {
      const answer = await askAfresh(operation, asked);
      assert.equal(answer.status, successOf(operation), answer.body);
      assertDocumented(operation, answer);
      if (showsSession(operation)) assertExample(answer, asked);
    }
  });

  test(`${name} is served at ${operation.bases.map((base) => base || "the root").join(" and ")} alone`, async () => {
    const asked = requestsOf(operation).at(-1) as Asked;
    for (const base of ["", basePath]) {
      const isThere = operation.bases.includes(base);
      const { body: _, ...withoutVisit } = asked;
      const again = { ...withoutVisit, ...bodyOf(operation, 0), base };
      const answer = await ask(operation, { ...again, headers: withFreshKey(asked.headers) });
      assert.equal(answer.status, isThere ? successOf(operation) : 404, answer.body);
      const location = answer.headers.get("content-location");
      if (location !== undefined) assert.ok(location.startsWith(`${base}/sessions/`), location);
    }
  });
}

function successOf({ answers }: DocumentedOperation): number {
  return answers[0]?.status ?? 0;
}

function showsSession({ id }: DocumentedOperation): boolean {
  return ["createSession", "retrieveSession", "updateSession"].includes(id);
}

/** The ids of the example come out when they go in, and the times are as far apart. */
function assertExample(answer: RawResponse, asked: Asked): void {
  const session = JSON.parse(answer.body) as SessionInfo;
  const isRetrieved = answer.headers.has("content-location");
  const sent = JSON.parse(asked.body ?? "{}") as Partial<SessionInfo>;
  const header = (name: string) =>
    isRetrieved ? null : (asked.headers?.[`gkc_${name}`] ?? asked.headers?.[`gkc-${name}`] ?? null);
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

for (const mode of long ? modes : (["local", "key"] as const)) {
  test(`${mode}: other methods are refused, and Allow lists those of the document`, async () => {
    const operations = operationsOf(mode);
    for (const operation of operations.filter(({ id }) => !id.startsWith("forwardAuth"))) {
      const answer = await ask(operation, { method: "PATCH" });
      assert.equal(answer.status, 405, operation.path);
      const allowed = new Set(["OPTIONS"]);
      for (const { path, method } of operations) {
        if (!pattern(path).test(operation.path)) continue;
        allowed.add(method);
        if (method === "GET") allowed.add("HEAD");
      }
      const allow = answer.headers.get("allow")?.split(", ") ?? [];
      assert.deepEqual(allow.toSorted(), [...allowed].toSorted(), operation.path);
    }
  });

  test(`${mode}: proxies may ask with every method`, async () => {
    for (const operation of operationsOf(mode).filter(({ id }) => id.startsWith("forwardAuth"))) {
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        const answer = await ask(operation, { method });
        assert.equal(answer.status, 200, method);
        assertDocumented(operation, answer);
      }
    }
  });

  test(`${mode}: the timeline of what was recorded is as documented`, async () => {
    const host = hostOf(mode);
    const inPath = await host.session();
    const operation = (id: string) => {
      const found = operationsOf(mode).find((each) => each.id === id);
      assert.ok(found, id);
      return found;
    };
    const record = operation("recordRequests");
    for (const body of record.bodyExamples) {
      const answer = await host.ask(record, { inPath, body });
      assert.equal(answer.status, 202);
    }
    const headers = { gkc_customerId: "customer-4711" };
    await host.ask(operation("updateSession"), { inPath, headers });
    const answer = await host.ask(operation("readTimeline"), { inPath });
    assertDocumented(operation("readTimeline"), answer);
    const { records } = JSON.parse(answer.body) as Timeline;
    const types = records.map(({ type }) => type);
    assert.deepEqual(types, ["created", "request", "request", "request", "associated"]);
  });

  test(`${mode}: HEAD answers as GET does, without the body`, async () => {
    for (const operation of operationsOf(mode).filter(({ method }) => method === "GET")) {
      const asked = takes(operation, "gkc_customerId")
        ? { inPath: await hostOf(mode).session() }
        : {};
      const whole = await ask(operation, asked);
      const head = await ask(operation, { ...asked, method: "HEAD" });
      assert.equal(head.status, whole.status);
      assert.equal(head.body, "");
      for (const name of ["content-type", "cache-control", "content-location"]) {
        assert.equal(head.headers.get(name), whole.headers.get(name), operation.id);
      }
    }
  });

  test(`${mode}: a slash at the end of the page's address leads to the page`, async () => {
    const [page] = operationsOf(mode).filter(({ id }) => id === "docsPage");
    assert.ok(page);
    const answer = await ask(page, { after: "/" });
    assert.equal(answer.status, 308);
    assertDocumented(page, answer);
  });

  test(`${mode}: what the document does not list is not found`, async () => {
    const [health] = operationsOf(mode).filter(({ id }) => id === "health");
    assert.ok(health);
    for (const more of ["/more", "x"]) {
      assert.equal((await ask(health, { after: more })).status, 404);
    }
  });
}

/** Matches the templates of a path, and the path itself, as `/sessions/new` is `/sessions/{sessionId}`. */
function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.")}$`);
}
