import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, sessionOf } from "../support/api.ts";
import { keyFor, serve } from "../support/in-process.ts";
import { assertNoSecrets } from "../support/log-secrets.ts";
import { post, requestsOf, visit } from "../support/records.ts";

/*
 * `assertNoSecrets` (test/support/log-secrets.ts) checks the log of every server that a test stops. These tests check
 * that it finds secrets, and cover requests that no other test sends.
 */

test("the check finds a session id, a key and a token in a log line, and allows hashes and request ids", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create());
  await api.retrieve(sessionId);
  for (const secret of [sessionId, keyFor({}).bearer, keyFor({}).bearer.slice(7)]) {
    assert.throws(() => assertNoSecrets(`{"level":30}\n{"msg":"asked with ${secret}"}\n`));
    assert.throws(() => assertNoSecrets(`{"path":"/sessions/${secret}/requests"}`));
  }
  assert.throws(() => assertNoSecrets("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"));
  assert.ok(server.log().includes('"session"'));
  assertNoSecrets(server.log());
});

test("the log never contains a caller's id, wherever in the request the id was sent", async () => {
  const mark = "SecretOfTheCaller";
  const key = keyFor({ role: "administrator" });
  await using local = await serve();
  await using keyed = await serve({ config: { auth: "key" }, keys: [key.key] });
  for (const server of [local, keyed]) {
    const api = createApi(server.url, { authorization: key.bearer });
    const headers = { gkc_customerId: mark, gkc_agentId: mark };
    const { sessionId } = sessionOf(await api.create({ headers, json: { visitId: mark } }));
    const cookie = { cookie: `sessionId=${sessionId}; other=${mark}` };
    const sent = {
      ...{ "x-forwarded-uri": `/${mark}?sessionId=${sessionId}`, "x-forwarded-method": mark },
      ...{ "x-forwarded-host": mark, "x-forwarded-for": mark, forwarded: `for=${mark}` },
      ...{ "idempotency-key": mark, "x-request-id": `${mark} is none`, referer: mark },
      ...{ "user-agent": mark, origin: `https://${mark}.example`, ...cookie, ...headers },
    };
    const paths = [`/sessions/${sessionId}`, requestsOf(sessionId), "/sessions/new", `/${mark}`];
    const others = ["/forward-auth", `/forward-auth/${mark}`, `/docs/${mark}`, "/metrics"];
    const queries = ["", `?sessionId=${sessionId}&after=${mark}&limit=${mark}&durable=${mark}`];
    const bodies = [{}, { body: `{"visitId":"${mark}` }, { json: { visitId: [mark] } }];
    for (const target of [...paths, ...others].flatMap((path) => queries.map((query) => path + query))) {
      for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]) {
        const hasBody = method === "PUT" || method === "POST";
        for (const body of hasBody ? bodies : [{}]) {
          await api.call(method, target, { headers: sent, ...body });
        }
      }
    }
    await post(api, sessionId, { ...visit(`/${mark}`), service: mark, attributes: { a: mark } });
    const log = server.log();
    assert.ok(log.split("\n").length > 100, "every request has a line");
    const told = log.split("\n").find((line) => line.includes(mark));
    assert.equal(told, undefined);
    assertNoSecrets(log);
  }
});
