// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import type { BasePath } from "../../src/config/base-path.ts";
import type { AddressRange } from "../../src/network/addresses.ts";
import { parseRange } from "../../src/network/addresses.ts";
import { idFields } from "../../src/session/fields.ts";
import { onEachEngine } from "../support/engines.ts";
import { keyFor, type TestServer, unlimited } from "../support/in-process.ts";
import { exchange, openConnection, type RawResponse, requestText } from "../support/raw-http.ts";
import { MINUTE } from "../support/sessions.ts";

/* Sends requests as the clients of each dialect do, and checks the responses (contract.md#dialects). */

const ID = /^[A-Za-z0-9_-]{40}$/;
/** The placeholder that the demonstration client sends while it has no session id. */
const PLACEHOLDER = "00000000-0000-0000-0000-0000000000";
const ISSUED_ELSEWHERE = "AaIH2SEAAACPHF0qsH5DyZFuAD3vQx0c_9LmWb7R";

const basePaths: readonly BasePath[] = [
  { path: "/plain", dialect: "8.5.0" },
  { path: "/gks-server/v1", dialect: "8.5.1" },
  { path: "/kc.current/v1", dialect: "current" },
  { path: "/session/v2", dialect: "v2" },
];

/** Headers that the widgets and jQuery add to every call of v1. */
const ofWidget = [
  "Accept: application/json, text/javascript, */*; q=0.01",
  "Content-Type: application/json; charset=UTF-8",
  "gkc_apiClientId: 8dd2c1c6-0b7a-4b7e-8b5a-1f0e3f4a9c11",
  "gkc_apiClientMediaType: selfservice",
  "Content-Length: 0",
];
const ofWidgetV2 = [
  "Accept: application/json, text/javascript, */*; q=0.01",
  "gkc_apiClientId: 8dd2c1c6-0b7a-4b7e-8b5a-1f0e3f4a9c11",
  "ContactCenterID: 2c4f0e3a-77d4-4b43-9f2e-7d0c8a6b1c3e",
];

/** How the clients of a dialect send requests and read responses. */
interface Spoken {
  readonly base: string;
  /** Returns the session in the response of a successful request. */
  session(answer: RawResponse): SessionInfo;
  create(...headers: string[]): string;
  update(id: string, ...headers: string[]): string;
}

const v1 = (base: string): Spoken => ({
  base,
  session(answer) {
    const { response, status, ...session } = successIn(answer);
    assert.deepEqual(response, session);
    assert.deepEqual(status, { code: 0 });
    assert.equal(answer.headers.get("gkc_sessionid"), undefined);
    return session as unknown as SessionInfo;
  },
  create: (...headers) => requestText(`PUT ${base}/sessions/new`, [...ofWidget, ...headers]),
  update: (id, ...headers) => requestText(`POST ${base}/sessions/${id}`, [...ofWidget, ...headers]),
});

const v2: Spoken = {
  base: "/session/v2",
  session(answer) {
    const { data, ...rest } = successIn(answer) as { data: SessionInfo };
    assert.deepEqual(rest, { status: { code: 0 } });
    assert.equal(answer.headers.get("gkc_sessionid"), data.sessionId);
    return data;
  },
  create: (...headers) =>
    requestText("POST /session/v2/sessions/", [
      ...ofWidgetV2,
      "Content-Type: application/json",
      "Content-Length: 0",
      ...headers,
    ]),
  // The clients of v2 send no Content-Length with a PATCH.
  update: (id, ...headers) => requestText(`PATCH /session/v2/sessions/${id}`, [...ofWidgetV2, ...headers]),
};

const dialects = { "8.5.1": v1("/gks-server/v1"), current: v1("/kc.current/v1"), v2 };

function successIn(answer: RawResponse): Record<string, unknown> {
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return JSON.parse(answer.body) as Record<string, unknown>;
}

/** Asserts that a response is this refusal of a newer dialect, and returns its problem details. */
function refusalIn(answer: RawResponse, status: number, code: string): Problem {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const { error, ...problem } = JSON.parse(answer.body) as Problem & { error: unknown };
  assert.equal(problem.status, status);
  assert.equal(problem.code, code, answer.body);
  assert.deepEqual(error, { code, message: problem.detail });
  return problem;
}

onEachEngine(({ test, serve }) => {
  let server: TestServer;
  before(async () => {
    server = await serve({ config: { basePaths } });
  });
  after(() => server[Symbol.asyncDispose]());

  const ask = (request: string) => exchange(server.port, request);
  const customer = (id: string) => `gkc_customerId: ${id}`;
  let used = 0;
  const fresh = (name: string) => `${name}-${++used}`;
  /** Returns the number of a customer's sessions. */
  const countOf = async (customerId: string) => {
    const answer = await ask(requestText(`GET /sessions?customerId=${customerId}`));
    return (JSON.parse(answer.body) as { total: number }).total;
  };

  for (const [name, { base, session, create, update }] of Object.entries(dialects)) {
    test(`${name}: a client creates a session and associates its customer, on one connection`, async () => {
      await using connection = await openConnection(server.port);
      const onIt = async (request: string) => {
        connection.send(request);
        return await connection.response();
      };
      const created = session(await onIt(create()));
      assert.match(created.sessionId, ID);
      assert.equal(created.state, "anonymous");
      const ann = fresh("ann");
      for (let page = 0; page < 3; page++) {
        const updated = session(await onIt(update(created.sessionId, customer(ann))));
        assert.equal(updated.sessionId, created.sessionId);
        assert.deepEqual([updated.state, updated.customerId], ["recognized", ann]);
      }
      const another = await onIt(update(created.sessionId, customer(fresh("bob"))));
      if (name === "8.5.1") assert.notEqual(session(another).sessionId, created.sessionId);
      else assert.equal(refusalIn(another, 400, "already-exists").field, "customerId");
      const atRoot = await onIt(requestText(`GET /sessions/${created.sessionId}`));
      assert.equal((JSON.parse(atRoot.body) as SessionInfo).customerId, ann);
    });

    test(`${name}: the session gets the ids of headers and body, whatever characters they have`, async () => {
      const json = (body: string) => ["Content-Type: application/json", body] as const;
      const visitId = fresh(`"visit" \\ü🦊`);
      const [type, body] = json(JSON.stringify({ visitId, globalVisitId: "g", tenantId: "t" }));
      const line = create().split(" HTTP", 1)[0] as string;
      const bytes = Buffer.from(body).toString("latin1");
      const created = session(await ask(requestText(`${line}?tenantId=1`, [type, "gkc-agentId: m\u00fcller"], bytes)));
      assert.deepEqual([created.visitId, created.globalVisitId], [visitId, "g"]);
      assert.equal(created.agentId, "müller");
      const taken = await ask(requestText(line, [type], bytes));
      assert.equal(refusalIn(taken, 400, "already-exists").field, "visitId");
    });

    test(`${name}: a create can be replayed with its idempotency key, even at the root`, async () => {
      const key = `Idempotency-Key: ${fresh(name)}`;
      const erin = customer(fresh("erin"));
      const first = session(await ask(create(key, erin)));
      assert.deepEqual(session(await ask(create(key, erin))), first);
      const atRoot = await ask(requestText("PUT /sessions/new", [key, erin]));
      assert.deepEqual(JSON.parse(atRoot.body), first);
      const reused = await ask(create(key, customer("another")));
      refusalIn(reused, 422, "idempotency-key-reused");
    });

    test(`${name}: extra slashes after the base URL, and a path parameter, make no difference`, async () => {
      const { sessionId } = session(await ask(create().replace(base, `${base}//`)));
      const rewritten = update(`${sessionId};jsessionid=1`, customer("c")).replace(base, `/${base}/`);
      assert.equal(session(await ask(rewritten)).sessionId, sessionId);
    });

    test(`${name}: every refusal below the base path has an 'error' member`, async () => {
      const { sessionId } = session(await ask(create()));
      const type = ["Content-Type: application/json"];
      const line = update(sessionId).split(" HTTP", 1)[0] as string;
      const long = JSON.stringify({ visitId: "v".repeat(17_000) });
      refusalIn(await ask(update(sessionId)), 400, "nothing-to-associate");
      refusalIn(await ask(requestText(line, type, "{")), 400, "invalid-request");
      refusalIn(await ask(requestText(line, [], "{}")), 415, "unsupported-media-type");
      refusalIn(await ask(requestText(line, type, long)), 413, "body-too-large");
      for (const path of ["", "/", "/kbs", "//kbs", "/healthz", "/sessions/a/b"]) {
        refusalIn(await ask(requestText(`GET ${base}${path}`)), 404, "not-found");
      }
      const wrong = await ask(requestText(`PUT ${base}/sessions/${sessionId}`));
      refusalIn(wrong, 405, "method-not-allowed");
      const requests = await ask(requestText(`POST ${base}/sessions/x/requests`, type, "{}"));
      refusalIn(requests, 400, "invalid-request");
      const gone = await ask(requestText(`DELETE ${base}/sessions/x`));
      refusalIn(gone, 404, "session-not-found");
      const elsewhere = update(sessionId, customer("c")).replace("localhost", "evil.example");
      refusalIn(await ask(elsewhere), 400, "invalid-request");
    });

    test(`${name}: a refusal at the root, or below a path that only begins like the base path, has no 'error' member`, async () => {
      for (const path of ["/sessions/x/y", `${base}x/sessions/new`, "/plain/kbs"]) {
        const answer = await ask(requestText(`GET ${path}`));
        assert.equal(answer.status, 404);
        assert.ok(!("error" in (JSON.parse(answer.body) as object)), path);
      }
    });

    test(`${name}: records, timeline and end work as at the root`, async () => {
      const { sessionId } = session(await ask(create()));
      const at = `${base}/sessions/${sessionId}`;
      const json = ["Content-Type: application/json"];
      const record = JSON.stringify({ method: "GET", path: "/help" });
      const recorded = await ask(requestText(`POST ${at}/requests`, json, record));
      assert.deepEqual([recorded.status, recorded.body], [202, '{"accepted":1}']);
      const { body } = await ask(requestText(`GET ${at}/requests`));
      assert.equal((JSON.parse(body) as { total: number }).total, 1);
      assert.equal((await ask(requestText(`DELETE ${at}`))).status, 204);
      refusalIn(await ask(requestText(`DELETE ${at}`)), 404, "session-not-found");
    });
  }

  test("8.5.1: retrieving never creates a session", async () => {
    const { base, session, create, update } = dialects["8.5.1"];
    const created = session(await ask(create()));
    await ask(update(created.sessionId, customer("retrieved")));
    const at = (id: string) => `${base}/sessions/${id}`;
    const found = await ask(requestText(`GET ${at(created.sessionId)}`));
    assert.equal(session(found).customerId, "retrieved");
    assert.equal(found.headers.get("content-location"), at(created.sessionId));
    const head = await exchange(server.port, requestText(`HEAD ${at(created.sessionId)}`), {
      head: true,
    });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("content-length"), found.headers.get("content-length"));

    const nobody = fresh("nobody");
    for (const id of [PLACEHOLDER, "undefined", "null", "new", ISSUED_ELSEWHERE, "%00"]) {
      const answer = await ask(requestText(`GET ${at(id)}`, [customer(nobody)]));
      assert.equal(refusalIn(answer, 404, "session-not-found").title, "Session not found");
    }
    const foreign = await ask(requestText(`GET ${at(created.sessionId)}`, [customer(nobody)]));
    const unknown = await ask(requestText(`GET ${at(PLACEHOLDER)}`, [customer(nobody)]));
    const withoutId = ({ body }: RawResponse) => body.replace(/"requestId":"[^"]*"/, "");
    assert.equal(foreign.status, 404);
    assert.equal(withoutId(foreign), withoutId(unknown));
    assert.equal(await countOf(nobody), 0);
  });

  test("8.5.1: updating creates a session with a new id if there is none", async () => {
    const { session, update } = dialects["8.5.1"];
    for (const id of [PLACEHOLDER, "undefined", ISSUED_ELSEWHERE, "new", "%2F"]) {
      const ann = fresh("ann");
      const answer = await ask(update(id, customer(ann)));
      const created = session(answer);
      assert.match(created.sessionId, ID);
      assert.notEqual(created.sessionId, id);
      assert.equal(created.customerId, ann);
      assert.equal(await countOf(ann), 1);
      const again = session(await ask(update(created.sessionId, customer(ann))));
      assert.equal(again.sessionId, created.sessionId);
      refusalIn(await ask(update(id)), 400, "nothing-to-associate");
    }
  });

  test("8.5.1: updating an ended session creates another one without the ended session's ids", async () => {
    const { session, create, update } = dialects["8.5.1"];
    const ended = session(await ask(create(customer("c"))));
    assert.equal((await ask(requestText(`DELETE /sessions/${ended.sessionId}`))).status, 204);
    const next = session(await ask(update(ended.sessionId, "gkc_agentId: 7")));
    assert.notEqual(next.sessionId, ended.sessionId);
    assert.deepEqual([next.customerId, next.agentId], [null, "7"]);
  });

  test("8.5.1: an update that names another customer creates a session for that one", async () => {
    const { session, create, update } = dialects["8.5.1"];
    const [ann, bob] = [fresh("ann"), fresh("bob")];
    const hers = session(await ask(create(customer(ann))));
    const his = session(await ask(update(hers.sessionId, customer(bob), "gkc_agentId: 7")));
    assert.notEqual(his.sessionId, hers.sessionId);
    assert.deepEqual([his.customerId, his.agentId], [bob, "7"]);
    const still = session(await ask(update(hers.sessionId, customer(ann))));
    assert.deepEqual([still.sessionId, still.agentId], [hers.sessionId, null]);
    const agent = await ask(update(his.sessionId, "gkc_agentId: 8"));
    assert.equal(refusalIn(agent, 400, "already-exists").field, "agentId");
  });

  test("8.5.1: an update that would create a session follows the rules for visits", async () => {
    const { base, session } = dialects["8.5.1"];
    const body = JSON.stringify({ visitId: fresh("visit") });
    const json = ["Content-Type: application/json"];
    const line = `POST ${base}/sessions/${PLACEHOLDER}`;
    const first = session(await ask(requestText(line, json, body)));
    const second = await ask(requestText(line, json, body));
    assert.equal(refusalIn(second, 400, "already-exists").field, "visitId");
    assert.ok(!second.body.includes(first.sessionId));
  });

  test("8.5.1: an update that creates a session creates only one per idempotency key", async () => {
    const { session, update } = dialects["8.5.1"];
    const key = `Idempotency-Key: ${fresh("update")}`;
    const ann = fresh("ann");
    const first = session(await ask(update(PLACEHOLDER, key, customer(ann))));
    assert.deepEqual(session(await ask(update(PLACEHOLDER, key, customer(ann)))), first);
    assert.equal(await countOf(ann), 1);
    const other = await ask(update(PLACEHOLDER, key, customer(fresh("bob"))));
    refusalIn(other, 422, "idempotency-key-reused");
    const elsewhere = await ask(update("undefined", key, customer(ann)));
    refusalIn(elsewhere, 422, "idempotency-key-reused");
    const malformed = await ask(update(PLACEHOLDER, "Idempotency-Key: a, b\u00e9", customer(ann)));
    refusalIn(malformed, 400, "invalid-request");
  });

  test("current: retrieving an unknown session creates one, updating does not", async () => {
    const { base, session, update } = dialects.current;
    const carol = fresh("carol");
    const answer = await ask(requestText(`GET ${base}/sessions/${PLACEHOLDER}?tenantId=1`, [customer(carol)]));
    const created = session(answer);
    assert.equal(created.customerId, carol);
    assert.equal(answer.headers.get("content-location"), `${base}/sessions/${created.sessionId}`);
    for (let i = 0; i < 3; i++) {
      const again = await ask(requestText(`GET ${base}/sessions/${created.sessionId}`));
      assert.deepEqual(session(again), created);
    }
    const lost = refusalIn(await ask(update(PLACEHOLDER, customer(carol))), 404, "session-not-found");
    assert.equal(lost.title, "There is no such session");
  });

  test("v2: a new session does not reuse the client's former id", async () => {
    const { session, create } = v2;
    const earlier = session(await ask(create())).sessionId;
    for (const id of [earlier, PLACEHOLDER]) {
      const created = session(await ask(create(`gkc_sessionId: ${id}`)));
      assert.match(created.sessionId, ID);
      assert.notEqual(created.sessionId, id);
    }
    const bare = session(await ask(create().replace("/sessions/ ", "/sessions ")));
    assert.match(bare.sessionId, ID);
  });

  test("v2: an update without a live session is refused, and the response says how to create one", async () => {
    const { update } = v2;
    for (const id of [PLACEHOLDER, "undefined", ISSUED_ELSEWHERE]) {
      const problem = refusalIn(await ask(update(id, customer("c"))), 404, "session-not-found");
      assert.match(problem.detail, /POST \/sessions\//);
    }
  });

  test("v2: only the methods of v2 are allowed", async () => {
    const allowed = async (path: string) => {
      const answer = await ask(requestText(`OPTIONS /session/v2${path}`));
      assert.equal(answer.status, 204);
      return answer.headers.get("allow");
    };
    assert.equal(await allowed("/sessions/"), "GET, POST, HEAD, OPTIONS");
    assert.equal(await allowed(`/sessions/${PLACEHOLDER}`), "PATCH, DELETE, OPTIONS");
    for (const request of ["PUT /session/v2/sessions/new", "GET /session/v2/sessions/x"]) {
      refusalIn(await ask(requestText(request)), 405, "method-not-allowed");
    }
    for (const base of ["", "/plain", "/gks-server/v1", "/kc.current/v1"]) {
      for (const line of [`POST ${base}/sessions/`, `PATCH ${base}/sessions/x`]) {
        assert.equal((await ask(requestText(line, [customer("c")]))).status, 405, line);
      }
    }
  });

  test("a dot in a base path matches only a dot", async () => {
    assert.equal((await ask(requestText("PUT //kcxcurrent/v1/sessions/new"))).status, 404);
  });

  test("the root and a base path without a dialect use 8.5.0", async () => {
    for (const base of ["", "/plain"]) {
      const answer = await ask(requestText(`PUT ${base}/sessions/new`, ofWidget));
      const members = Object.keys(successIn(answer));
      assert.equal(members.length, 5 + idFields.length);
      assert.equal(answer.headers.get("gkc_sessionid"), undefined);
      const lost = await ask(requestText(`POST ${base}/sessions/${PLACEHOLDER}`, [customer("c")]));
      assert.equal(lost.status, 404);
      assert.ok(!("error" in (JSON.parse(lost.body) as object)));
    }
  });

  test("expiry: 8.5.1 continues with a new id, the others refuse the session as unknown", async () => {
    const short = { idle: 2 * MINUTE, total: 10 * MINUTE };
    const config = { basePaths, lifetimes: { anonymous: short, recognized: short } };
    await using frozen = await serve({ config, frozen: true });
    const asked = (request: string) => exchange(frozen.port, request);
    for (const [name, { session, create, update }] of Object.entries(dialects)) {
      const created = session(await asked(create()));
      frozen.pass(3 * MINUTE);
      const answer = await asked(update(created.sessionId, customer(name)));
      if (name !== "8.5.1") {
        refusalIn(answer, 404, "session-not-found");
        continue;
      }
      const next = session(answer);
      assert.notEqual(next.sessionId, created.sessionId);
      assert.equal(next.customerId, name);
      const old = await asked(requestText(`GET /gks-server/v1/sessions/${created.sessionId}`));
      refusalIn(old, 404, "session-not-found");
    }
  });
});

onEachEngine(({ test, serve }) => {
  const keys = {
    alice: keyFor({ role: "customer", customerId: "alice" }),
    bob: keyFor({ role: "customer", customerId: "bob" }),
    page: keyFor({ role: "customer" }),
    reporter: keyFor({ role: "reporter" }),
  };
  const stored = Object.values(keys).map(({ key }) => key);
  const bearer = (who: keyof typeof keys) => `Authorization: ${keys[who].bearer}`;
  const apiKey = (who: keyof typeof keys) => bearer(who).replace(/.* /, "x-api-key: ");

  for (const [name, { base, session, create, update }] of Object.entries(dialects)) {
    test(`${name}: in mode key, a session that the caller may not access is unknown, and refusals have an 'error' member`, async () => {
      await using server = await serve({ config: { basePaths, auth: "key" }, keys: stored });
      const ask = (request: string) => exchange(server.port, request);
      refusalIn(await ask(create()), 401, "credential-required");
      refusalIn(await ask(create("x-api-key: nobody's")), 401, "invalid-credential");
      refusalIn(await ask(create(bearer("alice"), apiKey("alice"))), 400, "invalid-request");
      const mismatch = await ask(create(apiKey("alice"), "gkc_customerId: bob"));
      refusalIn(mismatch, 403, "identity-mismatch");
      const end = requestText(`DELETE ${base}/sessions/x`, [bearer("reporter")]);
      refusalIn(await ask(end), 403, "role-not-permitted");

      const own = session(await ask(create(apiKey("alice"), "gkc_customerId: alice")));
      const again = await ask(update(own.sessionId, apiKey("alice"), "gkc_customerId: alice"));
      assert.equal(session(again).sessionId, own.sessionId);
      const foreign = await ask(update(own.sessionId, apiKey("bob"), "gkc_customerId: bob"));
      const asAlice = await ask(update(own.sessionId, apiKey("bob"), "gkc_customerId: alice"));
      refusalIn(asAlice, 403, "identity-mismatch");
      if (name === "8.5.1") {
        const { sessionId, customerId } = session(foreign);
        assert.notEqual(sessionId, own.sessionId);
        assert.equal(customerId, "bob");
        for (const who of ["bob", "page"] as const) {
          const read = requestText(`GET ${base}/sessions/${own.sessionId}`, [bearer(who)]);
          refusalIn(await ask(read), 404, "session-not-found");
        }
      } else {
        refusalIn(foreign, 404, "session-not-found");
      }
    });
  }

  const anHour = (count: number) => ({ count, period: 60 * MINUTE });
  const client = (n: number) => `X-Forwarded-For: 2001:db8:${n}::1`;
  const trustedProxies = [parseRange("127.0.0.1") as AddressRange];

  test("8.5.1: an update that creates a session counts for the rate limits of creates, by address and by credential", async () => {
    const { session, create, update } = dialects["8.5.1"];
    const config = { basePaths, trustedProxies, auth: "key" } as const;
    const two = { ...unlimited, creates: anHour(2) };
    for (const limited of [{ perAddress: two }, { perCredential: two }]) {
      await using server = await serve({ config: { ...config, ...limited }, keys: stored });
      const ask = (request: string) => exchange(server.port, request);
      const asked = ["gkc_customerId: alice", bearer("alice"), client(1)];
      const first = session(await ask(update(PLACEHOLDER, ...asked)));
      session(await ask(update(PLACEHOLDER, ...asked)));
      const third = await ask(update(PLACEHOLDER, ...asked));
      refusalIn(third, 429, "too-many-requests");
      assert.match(third.headers.get("ratelimit-policy") ?? "", /^"creates-per-/);
      refusalIn(await ask(create(...asked)), 429, "too-many-requests");
      // This update creates no session, so it does not count for the rate limit of creates.
      assert.equal(session(await ask(update(first.sessionId, ...asked))).customerId, "alice");
    }
  });

  test("8.5.1: an update that creates a session respects the customer's quota", async () => {
    const { session, update } = dialects["8.5.1"];
    await using server = await serve({ config: { basePaths, maxSessionsPerCustomer: 2 } });
    const ask = () => exchange(server.port, update(PLACEHOLDER, "gkc_customerId: ann"));
    session(await ask());
    session(await ask());
    const third = await ask();
    refusalIn(third, 429, "too-many-requests");
    assert.match(third.headers.get("ratelimit-policy") ?? "", /^"sessions-per-customer"/);
  });

  test("a refusal by a store that accepts no writes has an 'error' member, and the store is not asked for a forged id", async () => {
    await using server = await serve({ config: { basePaths, maxPendingWrites: 0 } });
    const ask = (request: string) => exchange(server.port, request);
    for (const { session, create } of Object.values(dialects)) {
      refusalIn(await ask(create("gkc_customerId: c")), 503, "unavailable");
      session(await ask(create()));
    }
    refusalIn(await ask(dialects.current.update(PLACEHOLDER, "gkc_agentId: c")), 404, "session-not-found");
  });
});
