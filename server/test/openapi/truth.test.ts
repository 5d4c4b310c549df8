import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import type { RawResponse } from "../support/raw-http.ts";
import { openApp } from "./apps.ts";
import { type Asked, type Host, startHost } from "./callers.ts";
import { assertDocumented } from "./conformance.ts";
import {
  basePath,
  type DocumentedOperation,
  type Mode,
  modes,
  operationsOf,
} from "./description.ts";

/*
 * Sends what the document says and compares what comes back with what it promises: status, headers,
 * content type and body. The tests are made from the document, so an operation, a status or a code
 * that is written down and not served fails here, and so does one that nobody can provoke.
 */

const hosts = new Map<Mode, Host>();
/** Servers where no change may wait for the disk, so that each is refused. */
const overloaded = new Map<Mode, Host>();

before(async () => {
  for (const mode of modes) {
    hosts.set(mode, await startHost(mode));
    overloaded.set(mode, await startHost(mode, { config: { maxPendingWrites: 0 } }));
  }
});
after(async () => {
  for (const host of [...hosts.values(), ...overloaded.values()]) {
    await host.server[Symbol.asyncDispose]();
  }
});

const hostOf = (mode: Mode): Host => hosts.get(mode) as Host;

/** How each code is provoked; every request is right but for that. */
const provocations: Record<string, (operation: DocumentedOperation) => Promise<RawResponse>> = {
  "invalid-request": (operation) =>
    ask(operation, {
      headers: takesIdentity(operation)
        ? { gkc_customerId: "one", "gkc-customerId": "another" }
        : { Host: "elsewhere.example" },
    }),
  "already-exists": async (operation) => {
    const body = JSON.stringify({ visitId: randomUUID() });
    assert.equal((await ask(createOf(operation), { body })).status, 200);
    return ask(operation, { body });
  },
  "nothing-to-associate": (operation) => ask(operation),
  "session-not-found": (operation) =>
    ask(operation, { inPath: "undefined", headers: { gkc_customerId: "customer-4711" } }),
  "not-found": (operation) => ask(operation, { inPath: "nothing.js" }),
  "body-too-large": (operation) =>
    ask(operation, { body: JSON.stringify({ visitId: "v".repeat(17_000) }) }),
  "unsupported-media-type": (operation) =>
    ask(operation, { body: "visitId=1", headers: { "Content-Type": "text/plain" } }),
  "credential-required": (operation) => ask(operation, { as: "nobody" }),
  "invalid-credential": (operation) => ask(operation, { as: "stranger" }),
  "identity-mismatch": (operation) =>
    ask(operation, { as: "customer", headers: { gkc_customerId: "somebody-else" } }),
  "role-not-permitted": (operation) => ask(operation, { as: "customer" }),
  unavailable: async (operation) => {
    if (operation.method === "HEAD") return headUnreadable(operation);
    const headers = { gkc_customerId: "customer-4711" };
    // Retrieving stores nothing but what it has to create.
    const unknown = operation.id === "retrieveSession" ? { inPath: "unknown" } : {};
    return (overloaded.get(operation.mode) as Host).ask(operation, { headers, ...unknown });
  },
};

/** Nothing but a file that cannot be read keeps HEAD from its answer. */
async function headUnreadable({ mode, method }: DocumentedOperation): Promise<RawResponse> {
  await using opened = await openApp(mode, { unreadable: true });
  const answer = await opened.ask(method, `/sessions/${opened.newId()}`);
  // The listeners leave the body out.
  return { ...answer, body: "" };
}

function ask(operation: DocumentedOperation, asked: Asked = {}): Promise<RawResponse> {
  return hostOf(operation.mode).ask(operation, asked);
}

/** The visit of the example has one live session: each request that names it meets a new server. */
async function askAfresh(operation: DocumentedOperation, asked: Asked): Promise<RawResponse> {
  if (asked.body === undefined) return ask(operation, asked);
  const host = await startHost(operation.mode);
  await using _ = host.server;
  return await host.ask(operation, asked);
}

function takesIdentity({ parameters }: DocumentedOperation): boolean {
  return parameters.some(({ name }) => name === "gkc_customerId");
}

function createOf({ mode }: DocumentedOperation): DocumentedOperation {
  const [create] = operationsOf(mode).filter(({ id }) => id === "createSession");
  assert.ok(create);
  return create;
}

for (const operation of modes.flatMap(operationsOf)) {
  const name = `${operation.mode}: ${operation.id}`;
  for (const { status, codes } of operation.answers) {
    for (const code of codes) {
      test(`${name} answers ${status} ${code} as documented`, async () => {
        const provoke = provocations[code];
        assert.ok(provoke, "nothing here provokes this code");
        const answer = await provoke(operation);
        assert.equal(answer.status, status, answer.body);
        const { content } = assertDocumented(operation, answer);
        if (content !== undefined) assert.equal((JSON.parse(answer.body) as Problem).code, code);
      });
    }
  }

  test(`${name} refuses nothing that the document does not tell of`, async () => {
    for (const provoke of Object.values(provocations)) {
      const answer = await provoke(operation);
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
      assert.equal(answer.status, 200, answer.body);
      const { content } = assertDocumented(operation, answer);
      if (content?.["application/json"]?.examples !== undefined) assertExample(answer, asked);
    }
  });

  test(`${name} is served at ${operation.bases.map((base) => base || "the root").join(" and ")} alone`, async () => {
    const asked = requestsOf(operation).at(-1) as Asked;
    for (const base of ["", basePath]) {
      const isThere = operation.bases.includes(base);
      const { body: _, ...withoutVisit } = asked;
      const answer = await ask(operation, { ...withoutVisit, base });
      assert.equal(answer.status, isThere ? 200 : 404, answer.body);
      const location = answer.headers.get("content-location");
      if (location !== undefined) assert.ok(location.startsWith(`${base}/sessions/`), location);
    }
  });
}

/** Requests made from the examples: none of them where it may be none, each alone, all together. */
function requestsOf(operation: DocumentedOperation): Asked[] {
  const { parameters, bodyExample, id } = operation;
  const files = parameters.find((each) => each.in === "path")?.schema["enum"] as string[];
  if (files !== undefined) return files.map((inPath) => ({ inPath }));
  const given = parameters.flatMap(({ name, example }) =>
    example === undefined ? [] : [{ [name]: example }],
  );
  const body = bodyExample === undefined ? {} : { body: bodyExample };
  const ofIdentity = given.filter((each) => !("X-Request-Id" in each));
  return [
    ...(id === "updateSession" ? [] : [{}]),
    ...ofIdentity.map((headers) => ({ headers })),
    ...(bodyExample === undefined ? [] : [body]),
    { headers: Object.assign({}, ...given) as Record<string, string>, ...body },
  ];
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

for (const mode of modes) {
  test(`${mode}: other methods are refused, and Allow lists those of the document`, async () => {
    const operations = operationsOf(mode);
    for (const operation of operations) {
      const answer = await ask(operation, { method: "DELETE" });
      assert.equal(answer.status, 405, operation.path);
      const allowed = new Set(["OPTIONS", "HEAD"]);
      for (const { path, method } of operations) {
        if (pattern(path).test(operation.path)) allowed.add(method);
      }
      const allow = answer.headers.get("allow")?.split(", ") ?? [];
      assert.deepEqual(allow.toSorted(), [...allowed].toSorted(), operation.path);
    }
  });

  test(`${mode}: HEAD answers as GET does, without the body`, async () => {
    for (const operation of operationsOf(mode).filter(({ method }) => method === "GET")) {
      const asked = takesIdentity(operation) ? { inPath: await hostOf(mode).session() } : {};
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
