// runs: once

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { SessionInfo } from "@antechamber/client/protocol";
import { handleOf, MAX_GENERATION } from "../../src/session/id.ts";
import { type Answer, type Api, createApi, problemOf, type RequestOptions, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { keyFor } from "../support/in-process.ts";
import { acceptedOf, newSession, pageOf, pathsIn, post, requestsOf, visit } from "../support/records.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../support/sessions.ts";

/** Returns the options of an update that rotates, with a customer or an idempotency key if one is given. */
function rotating({ customerId, key, ...ids }: Readonly<Record<string, string>> = {}): RequestOptions {
  const headers = {
    ...(customerId !== undefined && { gkc_customerId: customerId }),
    ...(key !== undefined && { "idempotency-key": key }),
  };
  return { headers, json: { ...ids, rotate: true } };
}

/** Rotates a session and returns it. */
async function rotate(api: Api, id: string, ids?: Readonly<Record<string, string>>): Promise<SessionInfo> {
  return sessionOf(await api.update(id, rotating(ids)));
}

const cookie = (id: string) => ({ headers: { cookie: `sessionId=${id}`, "x-forwarded-uri": "/page" } });

/** Asserts that nothing but a new session is found with this id. */
async function assertUnknown(api: Api, id: string): Promise<void> {
  assert.notEqual(sessionOf(await api.retrieve(id)).sessionId, id);
  assert.equal((await api.call("HEAD", `/sessions/${id}`)).status, 404);
  const asked = await api.call("GET", "/forward-auth", cookie(id));
  assert.notEqual(asked.headers.get("gkc-sessionid"), id);
  assert.ok(asked.headers.has("set-cookie"));
  problemOf(await post(api, id, visit("/")), 404, "session-not-found");
  await assertClosed(api, id);
}

/** Asserts that the id neither reads nor changes the session, which is so from the rotation on. */
async function assertClosed(api: Api, id: string): Promise<void> {
  problemOf(await api.update(id, { json: { visitId: randomUUID() } }), 404, "session-not-found");
  problemOf(await api.update(id), 404, "session-not-found");
  problemOf(await api.update(id, rotating()), 404, "session-not-found");
  problemOf(await api.call("GET", requestsOf(id)), 404, "session-not-found");
  problemOf(await api.call("DELETE", `/sessions/${id}`), 404, "session-not-found");
}

onEachEngine(({ test, serve }) => {
  test("contract.md#rule-9: a sign-in with rotate gives the session a new id, and everything else stays", async () => {
    await using server = await serve({ frozen: true });
    const api = createApi(server.url);
    const before = sessionOf(await api.create({ json: { visitId: "v" } }));
    acceptedOf(await post(api, before.sessionId, visit("/1")));
    server.pass(SECOND);
    const answer = await api.update(before.sessionId, rotating({ customerId: "anna", globalVisitId: "g" }));
    const after = sessionOf(answer);
    assert.equal(answer.headers.get("content-location"), `/sessions/${after.sessionId}`);
    assert.notEqual(after.sessionId, before.sessionId);
    assert.equal(handleOf(after.sessionId), handleOf(before.sessionId));
    const { customerId, visitId, globalVisitId, createdAt } = after;
    assert.deepEqual([customerId, visitId, globalVisitId], ["anna", "v", "g"]);
    assert.equal(createdAt, before.createdAt);
    assert.deepEqual(sessionOf(await api.retrieve(after.sessionId)), after);
    acceptedOf(await post(api, after.sessionId, visit("/2")));
    const page = await pageOf(api, after.sessionId);
    assert.equal(page.handle, handleOf(before.sessionId));
    assert.deepEqual(
      page.records.map(({ type, customerId: owner }) => [type, owner]),
      [
        ["created", null],
        ["request", null],
        ["associated", "anna"],
        ["rotated", "anna"],
        ["request", "anna"],
      ],
    );
  });

  test("rotate alone gives an anonymous session that was not stored a new id, which survives a restart", async () => {
    await using server = await serve({ frozen: true });
    const id = await newSession(createApi(server.url));
    const rotated = await rotate(createApi(server.url), id);
    assert.equal(rotated.state, "anonymous");
    await server.restart();
    const api = createApi(server.url);
    assert.deepEqual(sessionOf(await api.retrieve(rotated.sessionId)), rotated);
    await assertClosed(api, id);
    server.pass(10 * SECOND);
    await assertUnknown(api, id);
    assert.deepEqual(sessionOf(await api.retrieve(rotated.sessionId)).sessionId, rotated.sessionId);
  });

  test("only true rotates; other values than a boolean are refused and change nothing", async () => {
    await using server = await serve();
    const api = createApi(server.url);
    const { sessionId } = sessionOf(await api.create());
    for (const json of [{}, { rotate: false }, { rotate: null }]) {
      const answer = await api.update(sessionId, { json: { ...json, globalVisitId: "g" } });
      assert.equal(sessionOf(answer).sessionId, sessionId);
      assert.equal(answer.headers.get("content-location"), null);
      problemOf(await api.update(sessionId, { json }), 400, "nothing-to-associate");
    }
    for (const value of ["true", "", 1, 0, [], {}, [true]]) {
      const answer = await api.update(sessionId, { json: { rotate: value, visitId: "v" } });
      assert.deepEqual(problemOf(answer, 400, "invalid-request").errors, [
        { in: "body", name: "rotate", detail: "rotate is neither true nor false." },
      ]);
    }
    assert.equal(sessionOf(await api.retrieve(sessionId)).visitId, null);
    // The member means nothing to a create.
    sessionOf(await api.create({ json: { rotate: "true" } }));
  });

  test("during the grace a retired id is answered as the anonymous session that it was, then it is unknown", async () => {
    const lifetimes = {
      anonymous: { idle: MINUTE, total: DAY },
      recognized: { idle: HOUR, total: DAY },
    };
    const config = { forwardAuthSources: ["header", "cookie", "query"], lifetimes } as const;
    await using server = await serve({ frozen: true, config });
    const api = createApi(server.url);
    const before = sessionOf(await api.create({ json: { globalVisitId: "g" } }));
    const old = before.sessionId;
    const after = await rotate(api, old, { customerId: "anna" });
    assert.notEqual(after.expiresAt, before.expiresAt);
    const anonymous = { ...before, globalVisitId: null };
    for (const at of [0, 10 * SECOND - 1]) {
      server.pass(at);
      for (let repeated = 0; repeated < 2; repeated++) {
        const answer = await api.retrieve(old);
        assert.deepEqual(sessionOf(answer), anonymous);
        assert.equal(answer.headers.get("content-location"), `/sessions/${old}`);
        assert.equal((await api.call("HEAD", `/sessions/${old}`)).status, 200);
        for (const options of [cookie(old), { headers: { "gkc-sessionId": old } }]) {
          const asked = await api.call("GET", "/forward-auth", options);
          assert.equal(asked.status, 200);
          assert.equal(asked.headers.get("gkc-sessionid"), old);
          assert.equal(asked.headers.get("set-cookie"), null);
          for (const name of ["gkc-customerid", "gkc-agentid", "gkc-visitid", "gkc-globalvisitid"]) {
            assert.equal(asked.headers.get(name), "", name);
          }
        }
      }
      acceptedOf(await post(api, old, visit("/under-way"), { "idempotency-key": `k${at}` }));
      await assertClosed(api, old);
    }
    const { records } = await pageOf(api, after.sessionId);
    const underWay = ["/page", "/", "/page", "/", "/under-way"];
    assert.deepEqual(pathsIn(records), [...underWay, ...underWay]);
    server.pass(1);
    await assertUnknown(api, old);
    assert.equal(sessionOf(await api.retrieve(after.sessionId)).customerId, "anna");
  });

  test("a retired id in one place does not hide the present one in another", async () => {
    await using server = await serve({ frozen: true });
    const api = createApi(server.url);
    const old = await newSession(api);
    const { sessionId } = await rotate(api, old, { customerId: "anna" });
    for (const headers of [
      { "gkc-sessionId": old, cookie: `sessionId=${sessionId}` },
      { cookie: `sessionId=${old}; sessionId=${sessionId}` },
      { cookie: `sessionId=${sessionId}; sessionId=${old}` },
    ]) {
      const asked = await api.call("GET", "/forward-auth", { headers });
      assert.equal(asked.headers.get("gkc-sessionid"), sessionId);
      assert.equal(asked.headers.get("gkc-customerid"), "anna");
    }
  });

  test("without a grace, or once the session has ended, a retired id is unknown at once", async () => {
    for (const rotationGrace of [0, 10 * SECOND]) {
      await using server = await serve({ config: { rotationGrace } });
      const api = createApi(server.url);
      const old = await newSession(api);
      const { sessionId } = await rotate(api, old, { customerId: "anna" });
      if (rotationGrace > 0) assert.equal((await api.call("DELETE", `/sessions/${sessionId}`)).status, 204);
      await assertUnknown(api, old);
    }
  });

  test("a refused update rotates nothing", async () => {
    await using server = await serve();
    const api = createApi(server.url);
    await newSession(api, { json: { visitId: "held" } });
    const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: "anna" } }));
    for (const [options, status] of [
      [rotating({ customerId: "bob" }), 400],
      [rotating({ visitId: "held" }), 400],
      [rotating({ customerId: "anna", visitId: "held" }), 400],
      [rotating({ visitId: "x".repeat(300) }), 400],
      [rotating({ key: "a key with spaces" }), 400],
    ] as const) {
      assert.equal((await api.update(sessionId, options)).status, status);
      assert.equal(sessionOf(await api.retrieve(sessionId)).sessionId, sessionId);
      assert.equal(sessionOf(await api.retrieve(sessionId)).visitId, null);
    }
    for (const unknown of ["undefined", "A".repeat(40)]) {
      problemOf(await api.update(unknown, rotating({ key: "k" })), 404, "session-not-found");
    }
  });

  test("a lost response is repeated with its idempotency key, and the old id is accepted for nothing else", async () => {
    await using server = await serve({ frozen: true });
    const old = await newSession(createApi(server.url));
    const request = rotating({ customerId: "anna", visitId: "v", key: "k" });
    const first = sessionOf(await createApi(server.url).update(old, request));
    for (const later of [0, SECOND, 60 * SECOND]) {
      server.pass(later);
      await server.restart();
      const api = createApi(server.url);
      const answer = await api.update(old, request);
      assert.deepEqual(sessionOf(answer), first);
      assert.equal(answer.headers.get("content-location"), `/sessions/${first.sessionId}`);
      problemOf(await api.update(old, rotating({ customerId: "anna", visitId: "v" })), 404, "session-not-found");
      problemOf(await api.update(old, rotating({ customerId: "anna", visitId: "v", key: "other" })), 404);
      for (const other of [rotating({ customerId: "bob", visitId: "v", key: "k" }), rotating({ key: "k" })]) {
        problemOf(await api.update(old, other), 422, "idempotency-key-reused");
      }
      problemOf(await api.update(first.sessionId, request), 422, "idempotency-key-reused");
    }
    const api = createApi(server.url);
    // The repetition shows the session as it is now.
    const later = await api.update(first.sessionId, { json: { globalVisitId: "g" } });
    assert.equal(sessionOf(await api.update(old, request)).globalVisitId, sessionOf(later).globalVisitId);
    const second = await rotate(api, first.sessionId);
    problemOf(await api.update(old, request), 404, "session-not-found");
    assert.equal(sessionOf(await api.retrieve(second.sessionId)).customerId, "anna");
    assert.equal(handleOf(second.sessionId), handleOf(old));
  });

  test("a repetition does not revive a session that has ended", async () => {
    await using server = await serve();
    const api = createApi(server.url);
    const old = await newSession(api);
    const { sessionId } = sessionOf(await api.update(old, rotating({ customerId: "anna", key: "k" })));
    assert.equal((await api.call("DELETE", `/sessions/${sessionId}`)).status, 204);
    problemOf(await api.update(old, rotating({ customerId: "anna", key: "k" })), 404, "session-not-found");
  });

  test("of many rotations of one session at the same time one succeeds; those with its key get the same id", async () => {
    await using server = await serve();
    const api = createApi(server.url);
    for (const key of [undefined, "one", "several"]) {
      const old = await newSession(api);
      const requests = Array.from({ length: 30 }, (_, i) =>
        rotating({ customerId: "anna", ...(key && { key: key === "one" ? "one" : `several-${i}` }) }),
      );
      const answers = await Promise.all(requests.map((request) => api.update(old, request)));
      const ids = new Set(answers.filter(({ status }) => status === 200).map((one) => sessionOf(one).sessionId));
      assert.equal(ids.size, 1);
      for (const answer of answers.filter(({ status }) => status !== 200)) {
        problemOf(answer, key === "one" ? 409 : 404);
      }
      assert.equal(sessionOf(await api.retrieve([...ids][0] ?? "")).customerId, "anna");
    }
  });

  test(`a session can be rotated ${MAX_GENERATION} times, and then keeps its last id`, async () => {
    await using server = await serve({ config: { accessLog: "off" } });
    const api = createApi(server.url);
    let id = await newSession(api);
    const ids = new Set([id]);
    for (let i = 0; i < MAX_GENERATION; i++) {
      id = (await rotate(api, id)).sessionId;
      ids.add(id);
    }
    assert.equal(ids.size, MAX_GENERATION + 1);
    for (const key of [undefined, "k", "k"]) {
      const request = rotating({ customerId: "anna", ...(key !== undefined && { key }) });
      problemOf(await api.update(id, request), 400, "rotation-limit");
    }
    assert.equal(sessionOf(await api.retrieve(id)).customerId, null);
    assert.equal(sessionOf(await api.update(id, { headers: { gkc_customerId: "anna" } })).sessionId, id);
    const types: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const page = await pageOf(api, id, `limit=7&after=${after}`);
      types.push(...page.records.map(({ type }) => type));
      after = page.next;
    }
    assert.deepEqual(types, ["created", ...Array.from({ length: MAX_GENERATION }, () => "rotated"), "associated"]);
  });

  test("rotateOnRecognition always: every update that brings the first person rotates the session, and no other", async () => {
    await using server = await serve({ frozen: true, config: { rotateOnRecognition: "always" } });
    const api = createApi(server.url);
    for (const headers of [{ gkc_customerId: "anna" }, { gkc_agentId: "seven" }]) {
      const old = await newSession(api);
      const same = sessionOf(await api.update(old, { json: { globalVisitId: "g" } }));
      assert.equal(same.sessionId, old);
      const request = { headers: { ...headers, "idempotency-key": randomUUID() } };
      const answer = await api.update(old, request);
      const { sessionId, state } = sessionOf(answer);
      assert.notEqual(sessionId, old);
      assert.equal(state, "recognized");
      assert.equal(answer.headers.get("content-location"), `/sessions/${sessionId}`);
      await assertClosed(api, old);
      problemOf(await api.update(old, { headers }), 404, "session-not-found");
      assert.equal(sessionOf(await api.update(old, request)).sessionId, sessionId);
      // The session is recognized already, and existing clients repeat this on every page.
      assert.equal(sessionOf(await api.update(sessionId, { headers })).sessionId, sessionId);
      const both = sessionOf(
        await api.update(sessionId, { headers: { gkc_customerId: "anna", gkc_agentId: "seven" } }),
      );
      const isFirstCustomer = "gkc_agentId" in headers;
      assert.equal(both.sessionId !== sessionId, isFirstCustomer, "an agent who joins a customer rotates nothing");
      assert.deepEqual([both.customerId, both.agentId], ["anna", "seven"]);
    }
  });

  test("rotateOnRecognition asked: an update without rotate keeps the id, whatever its idempotency key", async () => {
    await using server = await serve();
    const api = createApi(server.url);
    const id = await newSession(api);
    for (const key of ["k", "k", "not a valid key"]) {
      const headers = { gkc_customerId: "anna", "idempotency-key": key };
      assert.equal(sessionOf(await api.update(id, { headers })).sessionId, id);
    }
  });

  test("each dialect rotates, and shows the new id where its clients read it", async () => {
    const basePaths = [
      { path: "/one", dialect: "8.5.1" },
      { path: "/now", dialect: "current" },
      { path: "/two", dialect: "v2" },
    ] as const;
    await using server = await serve({ config: { basePaths } });
    const api = createApi(server.url);
    for (const { path, dialect } of basePaths) {
      const method = dialect === "v2" ? "PATCH" : "POST";
      const old = await newSession(api);
      const request = rotating({ customerId: "anna", key: randomUUID() });
      const send = (options: RequestOptions, id = old): Promise<Answer> =>
        api.call(method, `${path}/sessions/${id}`, options);
      const idIn = ({ text }: Answer) => {
        const body = JSON.parse(text) as { data?: SessionInfo; response?: SessionInfo };
        return (body.data ?? body.response)?.sessionId ?? "";
      };
      const first = await send(request);
      const rotated = idIn(first);
      assert.notEqual(rotated, old);
      assert.equal(handleOf(rotated), handleOf(old));
      assert.equal(first.headers.get("content-location"), `${path}/sessions/${rotated}`);
      if (dialect === "v2") assert.equal(first.headers.get("gkc_sessionid"), rotated);
      assert.equal((await send(request)).text, first.text);
      assert.notEqual(idIn(await send({ json: { rotate: true } }, rotated)), rotated);
      const withRetired = await send(rotating({ customerId: "anna" }));
      if (dialect === "8.5.1") assert.notEqual(handleOf(idIn(withRetired)), handleOf(old));
      else problemOf(withRetired, 404, "session-not-found");
      // The first session has its second new id by now, so nothing is left to repeat.
      const late = await send(request);
      if (dialect === "8.5.1") assert.notEqual(handleOf(idIn(late)), handleOf(old));
      else problemOf(late, 404, "session-not-found");
      problemOf(await send({ json: { rotate: true } }), dialect === "8.5.1" ? 400 : 404);
      problemOf(await send({ json: { rotate: 1 } }), 400, "invalid-request");
    }
  });

  test("mode key: during the grace a retired id is answered to anyone who reached the session before", async () => {
    const people = {
      anna: keyFor({ role: "customer", customerId: "anna" }),
      bob: keyFor({ role: "customer", customerId: "bob" }),
      page: keyFor({ role: "customer" }),
    };
    await using server = await serve({ config: { auth: "key" }, keys: Object.values(people).map(({ key }) => key) });
    const as = (who: keyof typeof people) => createApi(server.url, { authorization: people[who].bearer });
    const first = await newSession(as("page"));
    const second = (await rotate(as("anna"), first, { customerId: "anna" })).sessionId;
    const third = (await rotate(as("anna"), second)).sessionId;
    for (const who of ["anna", "bob", "page"] as const) {
      const seen = async (id: string) => sessionOf(await as(who).retrieve(id));
      const shown = await seen(first);
      assert.deepEqual([shown.sessionId, shown.customerId], [first, null]);
      acceptedOf(await post(as(who), first, visit("/under-way")));
      // The second id was retired when the session was anna's already.
      const isReached = who === "anna";
      assert.equal((await seen(second)).sessionId === second, isReached);
      assert.equal((await post(as(who), second, visit("/later"))).status, isReached ? 202 : 404);
      assert.equal((await seen(third)).sessionId === third, isReached);
    }
    const { records } = await pageOf(as("anna"), third);
    assert.deepEqual(pathsIn(records), ["/under-way", "/later", "/under-way", "/under-way"]);
  });

  test("mode key: anyone who may update a session may rotate it, except a reporter", async () => {
    const people = {
      anna: keyFor({ role: "customer", customerId: "anna" }),
      bob: keyFor({ role: "customer", customerId: "bob" }),
      page: keyFor({ role: "customer" }),
      agent: keyFor({ role: "agent" }),
      reporter: keyFor({ role: "reporter" }),
      administrator: keyFor({ role: "administrator" }),
    };
    await using server = await serve({
      config: { auth: "key" },
      keys: Object.values(people).map(({ key }) => key),
    });
    const as = (who: keyof typeof people) => createApi(server.url, { authorization: people[who].bearer });
    for (const who of ["anna", "bob", "page", "agent", "administrator"] as const) {
      const old = await newSession(as("page"));
      const { sessionId } = await rotate(as(who), old);
      assert.notEqual(sessionId, old, who);
    }
    problemOf(await as("reporter").update(await newSession(as("page")), rotating()), 403, "role-not-permitted");
    const old = await newSession(as("page"));
    const request = rotating({ customerId: "anna", key: "k" });
    problemOf(await as("page").update(old, request), 403, "identity-mismatch");
    const { sessionId } = sessionOf(await as("anna").update(old, request));
    for (const who of ["bob", "page"] as const) {
      problemOf(await as(who).update(sessionId, rotating()), 404, "session-not-found");
      problemOf(await as(who).update(old, rotating({ key: "k" })), 404, "session-not-found");
    }
    problemOf(await as("agent").update(old, request), 404, "session-not-found");
    assert.equal(sessionOf(await as("anna").update(old, request)).sessionId, sessionId);
    assert.equal(sessionOf(await as("anna").retrieve(sessionId)).customerId, "anna");
  });

  test("the metrics count rotations", async () => {
    await using server = await serve();
    const api = createApi(server.url);
    const old = await newSession(api);
    const request = rotating({ customerId: "anna", key: "k" });
    const { sessionId } = sessionOf(await api.update(old, request));
    sessionOf(await api.update(old, request));
    problemOf(await api.update(old, rotating()), 404);
    await rotate(api, sessionId);
    const { text } = await api.call("GET", "/metrics");
    assert.match(text, /^antechamber_sessions_rotated_total 2$/m);
    assert.match(text, /^antechamber_sessions_associated_total 1$/m);
  });
});
