// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { connectControl } from "../../src/control/client.ts";
import { machineTime } from "../../src/runtime/clock.ts";
import { open } from "../../src/runtime/open-store.ts";
import { operator } from "../../src/services/audit.ts";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { until } from "../support/eventually.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { utf8 } from "../support/raw-http.ts";
import { MINUTE, SECOND } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";

/** An application that reads the assertions of a server's responses. */
function createApplication({ url, now }: TestServer) {
  const api = createApi(url);
  const keySet = async () => JSON.parse((await api.call("GET", KEY_SET)).text) as JSONWebKeySet;
  /** Returns the header of a proxy's request with this session, and these headers. */
  const assertionOf = async (sessionId: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await api.call("GET", "/forward-auth", { headers: { "gkc-sessionId": sessionId, ...headers } });
    assert.equal(answer.status, 200, answer.text);
    return answer.headers.get("gkc-assertion") ?? undefined;
  };
  return {
    api,
    keySet,
    assertionOf,
    async verify(assertion: string, keys?: JSONWebKeySet) {
      const options = { issuer: "antechamber", audience: "shop", currentDate: new Date(now()) };
      return jwtVerify(assertion, createLocalJWKSet(keys ?? (await keySet())), options);
    },
  };
}

const KEY_SET = "/.well-known/jwks.json";
const withAssertions = { assertionAudience: "shop" } as const;

/** Changes the secret as the command `secrets rotate` does: through the server, or in Redis. */
async function rotateSecret(server: TestServer, over: Partial<Config> = {}): Promise<void> {
  const admin = await connectControl(server.dataDir);
  if (admin !== undefined) {
    await admin.rotateSecret();
    return;
  }
  const noCounts = { created: () => {}, associated: () => {}, rotated: () => {}, ended: () => {}, recorded: () => {} };
  const config = { ...loadConfig({ flags: {}, env: {}, cwd: "" }).config, ...over };
  const opened = await open(config, machineTime, { ...unheard, ...noCounts });
  try {
    await opened.credentials.rotateSecret(operator(null));
  } finally {
    await opened.store.close();
  }
}

onEachEngine((engine) => {
  engine.test("an assertion says who a session is, to whom, and until when", async () => {
    await using server = await engine.serve({ config: withAssertions });
    const { api, assertionOf, verify } = createApplication(server);
    const cases = [
      [{}, { state: "anonymous" }],
      [{ "gkc-customerId": "alice" }, { sub: "alice", state: "recognized" }],
      [{ "gkc-agentId": "7" }, { act: { sub: "7" }, state: "recognized" }],
      [
        { "gkc-customerId": utf8('Müller "\\ 日本'), "gkc-agentId": "7" },
        { act: { sub: "7" }, state: "recognized" },
      ],
    ] as const;
    for (const [headers, expected] of cases) {
      const json = { globalVisitId: "g" };
      const { sessionId, customerId } = sessionOf(await api.create({ headers, json }));
      const before = Math.floor(server.now() / SECOND);
      const assertion = await assertionOf(sessionId);
      assert.ok(assertion !== undefined);
      const { payload, protectedHeader } = await verify(assertion);
      const { iat = 0, exp, ...claims } = payload;
      assert.ok(iat >= before && iat <= server.now() / SECOND);
      assert.equal(exp, iat + 60);
      assert.deepEqual(claims, {
        ...{ iss: "antechamber", aud: "shop", sid: sessionId.slice(0, 24) },
        ...(customerId !== null && { sub: customerId }),
        ...expected,
      });
      assert.equal(protectedHeader.alg, "EdDSA");
      assert.ok(!assertion.includes(sessionId));
    }
  });

  engine.test("an assertion is used again for 20 seconds, and never for another identity", async () => {
    await using server = await engine.serve({ config: withAssertions, frozen: true });
    const { api, assertionOf, verify } = createApplication(server);
    const { sessionId } = sessionOf(await api.create({ json: { visitId: "v" } }));
    const first = await assertionOf(sessionId);
    assert.equal(await assertionOf(sessionId), first);
    // The assertion does not name the global visit, so it stays; the other headers do.
    sessionOf(await api.update(sessionId, { json: { globalVisitId: "g" } }));
    const again = await api.call("GET", "/forward-auth", { headers: { "gkc-sessionId": sessionId } });
    assert.equal(again.headers.get("gkc-assertion"), first);
    assert.equal(again.headers.get("gkc-globalvisitid"), "g");
    server.pass(15 * SECOND);
    assert.equal(await assertionOf(sessionId), first);
    server.pass(5 * SECOND);
    const second = await assertionOf(sessionId);
    assert.notEqual(second, first);
    sessionOf(await api.update(sessionId, { headers: { "gkc-customerId": "alice" } }));
    const third = await assertionOf(sessionId);
    assert.equal((await verify(third ?? "")).payload.sub, "alice");
    assert.equal(await assertionOf(sessionId), third);
    // The clock of the machine is corrected: assertions from the future are not used.
    server.step(-10 * SECOND);
    assert.notEqual(await assertionOf(sessionId), third);
  });

  engine.test(
    "a new secret publishes a new key at once, which does not sign yet; another process has the same keys",
    async () => {
      const over = { ...(await engine.empty()), ...withAssertions };
      await using server = await serve({ config: over });
      const { api, keySet, assertionOf, verify } = createApplication(server);
      const { sessionId } = sessionOf(await api.create({ json: { visitId: "v" } }));
      const { keys } = await keySet();
      const signer = async () => (await verify((await assertionOf(sessionId)) ?? "")).protectedHeader.kid;
      assert.deepEqual(
        [await signer()],
        keys.map(({ kid }) => kid),
      );
      await rotateSecret(server, over);
      await until("it is published", async () => (await keySet()).keys.length === 2);
      const both = await keySet();
      assert.deepEqual(both.keys.slice(1), keys);
      server.pass(30 * SECOND);
      assert.equal(await signer(), keys[0]?.kid);
      await server.restart();
      const again = createApplication(server);
      assert.deepEqual(await again.keySet(), both);
      if (engine.name === "SQLite") return;
      await using other = await serve({ config: over });
      const there = createApplication(other);
      assert.deepEqual(await there.keySet(), both);
      await verify((await there.assertionOf(sessionId)) ?? "", both);
    },
  );
});

test("a verifier that caches the keys for ten minutes verifies every assertion while the secret is rotated", async () => {
  await using server = await serve({ config: withAssertions, frozen: true });
  const { api, keySet, assertionOf, verify } = createApplication(server);
  const { sessionId } = sessionOf(await api.create({ headers: { "gkc-customerId": "alice" } }));
  // Verifiers that fetch the keys at different times.
  const verifiers = [0, 3, 6, 9].map((minutes) => ({
    fetchedAt: server.now() - minutes * MINUTE,
    keys: undefined as JSONWebKeySet | undefined,
  }));
  const signers = new Set<string>();
  const STEP = 10 * SECOND;
  let earlier: string[] = [];
  for (let passed = 0; passed <= 45 * MINUTE; passed += STEP) {
    if (passed === 2 * MINUTE || passed === 20 * MINUTE) await rotateSecret(server);
    const assertion = (await assertionOf(sessionId)) ?? "";
    // An application may get an assertion up to 40 seconds after its signature, and take some time.
    earlier = [...earlier.slice(-3), assertion];
    for (const verifier of verifiers) {
      if (verifier.keys === undefined || server.now() - verifier.fetchedAt >= 10 * MINUTE) {
        verifier.keys = await keySet();
        verifier.fetchedAt = server.now();
      }
      for (const each of earlier) signers.add((await verify(each, verifier.keys)).protectedHeader.kid ?? "");
    }
    // One that has just fetched them.
    await verify(earlier[0] ?? "");
    server.pass(STEP);
  }
  assert.equal(signers.size, 3);
  const { keys } = await keySet();
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [[...signers].at(-1)],
  );
});

test("every 200 has the assertion: that of a new session too, and an empty one for a preflight", async () => {
  await using server = await serve({ config: withAssertions });
  const { api, verify } = createApplication(server);
  const fresh = await api.call("GET", "/forward-auth", { headers: { "gkc-assertion": "forged" } });
  const { payload } = await verify(fresh.headers.get("gkc-assertion") ?? "");
  assert.equal(payload["sid"], fresh.headers.get("gkc-sessionid")?.slice(0, 24));
  const headers = { "x-forwarded-method": "OPTIONS", "gkc-assertion": "forged" };
  for (const sessionId of ["", fresh.headers.get("gkc-sessionid") ?? ""]) {
    const preflight = await api.call("GET", "/forward-auth", { headers: { ...headers, "gkc-sessionId": sessionId } });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers.get("gkc-assertion"), "");
  }
});

test("the public keys need no credential and can be cached for five minutes; no private part is among them", async () => {
  const proxy = keyFor({ role: "agent" });
  await using server = await serve({ config: { auth: "key", ...withAssertions }, keys: [proxy.key] });
  const answer = await createApi(server.url).call("GET", KEY_SET);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("cache-control"), "public, max-age=300");
  const { keys } = JSON.parse(answer.text) as JSONWebKeySet;
  assert.deepEqual(
    keys.map((key) => Object.keys(key).toSorted()),
    [["alg", "crv", "kid", "kty", "use", "x"]],
  );
});

test("without assertionAudience there is no assertion, and no public keys", async () => {
  await using server = await serve();
  const { api, assertionOf } = createApplication(server);
  const { sessionId } = sessionOf(await api.create());
  assert.equal(await assertionOf(sessionId, { "gkc-assertion": "forged" }), undefined);
  for (const method of ["GET", "POST"]) problemOf(await api.call(method, KEY_SET), 404, "not-found");
});

test("issuer and audience are those of the settings", async () => {
  const config = { assertionAudience: "https://shop.example", assertionIssuer: "https://sessions.example" };
  await using server = await serve({ config });
  const { api, keySet } = createApplication(server);
  const answer = await api.call("GET", "/forward-auth");
  const found = createLocalJWKSet(await keySet());
  await jwtVerify(answer.headers.get("gkc-assertion") ?? "", found, {
    issuer: config.assertionIssuer,
    audience: config.assertionAudience,
  });
});
