import assert from "node:assert/strict";
import { test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { openConnection } from "../support/raw-http.ts";
import { aliases, assertionHeader, FORGED, identityHeaders } from "./aliases.ts";
import { startAntechamber } from "./antechamber.ts";
import { assertionOf, identityOf } from "./application.ts";
import { startProxy } from "./proxy-process.ts";
import { cookieOf, identityHeadersOf, type ProxySetup, portsOf, takeOnly, untilRecorded } from "./setup.ts";
import { smuggled } from "./smuggling.ts";
import { sessionCookie, visit, visitText } from "./visitor.ts";

/** An id of the maximum length with the longest characters. Four of them make 4 KiB of headers. */
const LONGEST = "\u{1f511}".repeat(256);

/** Tests that each request arrives with its session's identity, and that its sender cannot change that. */
export function identityContract(proxyName: string, setup: () => ProxySetup): void {
  test(`${proxyName}: a request arrives with the identity of its session, wherever the id is`, async () => {
    const { antechamber, application, proxy } = setup();
    const ids = { customerId: "Jürgen {env.HOME} $host", agentId: "7", visitId: "v-1" };
    const session = await antechamber.createSession({ ...ids, globalVisitId: "g 日本" });
    const other = await antechamber.createSession({ customerId: "mallory" });
    for (const [path, header] of [
      ["/", cookieOf(session)],
      ["/", `gkc-sessionId: ${session.sessionId}`],
      // An id in the query of a link is ignored.
      [`/?a=b&sessionId=${other.sessionId}`, cookieOf(session)],
    ] as const) {
      const answer = await visit(proxy.port, path, { headers: [header] });
      assert.equal(answer.status, 200, proxy.log());
      assert.equal(sessionCookie(answer), undefined);
      const arrival = takeOnly(application);
      assert.equal(arrival.url, path);
      assert.deepEqual(identityOf(arrival), identityHeadersOf(session));
    }
  });

  test(`${proxyName}: the longest ids arrive`, async () => {
    const { antechamber, application, proxy } = setup();
    const [customerId, agentId] = [LONGEST, LONGEST];
    const visitId = `${LONGEST.slice(2)}1`;
    const session = await antechamber.createSession({
      ...{ customerId, agentId, visitId, globalVisitId: LONGEST },
    });
    const answer = await visit(proxy.port, "/", { headers: [cookieOf(session)] });
    assert.equal(answer.status, 200, proxy.log());
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
  });

  test(`${proxyName}: a client's own identity headers do not arrive in any spelling, sent once or twice`, async () => {
    const { antechamber } = setup();
    const session = await antechamber.createSession({ visitId: "spellings" });
    for (const headers of [[], [cookieOf(session)]]) {
      assert.deepEqual(await smuggled(setup(), aliases(), headers), []);
    }
  });

  test(`${proxyName}: the assertion of the session arrives, and no other`, async () => {
    const { program, application } = setup();
    await using antechamber = await startAntechamber({ ANTECHAMBER_ASSERTION_AUDIENCE: "shop" });
    await using proxy = await startProxy(program, portsOf(antechamber, application));
    const keySet = createRemoteJWKSet(new URL(`${antechamber.server.url}/.well-known/jwks.json`));
    const claimsOf = async (headers: readonly string[], method = "GET") => {
      const answer = await visit(proxy.port, "/", { method, headers });
      assert.equal(answer.status, 200, proxy.log());
      const assertion = assertionOf(takeOnly(application));
      if (assertion === undefined) return undefined;
      return (await jwtVerify(assertion, keySet, { issuer: "antechamber", audience: "shop" })).payload;
    };
    const session = await antechamber.createSession({ customerId: LONGEST, agentId: LONGEST });
    const forged = [`${assertionHeader}: ${FORGED}`, `Connection: close, ${assertionHeader}`];
    for (const more of [[], forged]) {
      const claims = await claimsOf([cookieOf(session), ...more]);
      assert.equal(claims?.sub, LONGEST);
      assert.deepEqual(claims["act"], { sub: LONGEST });
      assert.equal(claims["sid"], session.sessionId.slice(0, 24));
      assert.equal((await claimsOf(more))?.["state"], "anonymous");
      assert.equal(await claimsOf(more, "OPTIONS"), undefined);
    }
    assert.deepEqual(await smuggled({ proxy, application }, aliases(), [cookieOf(session)]), []);
  });

  test(`${proxyName}: a client cannot have the identity removed by naming it in Connection`, async () => {
    const { antechamber, application, proxy } = setup();
    const session = await antechamber.createSession({ customerId: "alice" });
    const connection = `Connection: keep-alive, ${identityHeaders.join(", ")}`;
    const headers = [cookieOf(session), connection];
    assert.equal((await visit(proxy.port, "/", { headers })).status, 200);
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
  });

  test(`${proxyName}: simultaneous visitors on keep-alive connections each get their own identity`, async () => {
    const { antechamber, application, proxy } = setup();
    const visitors = 40;
    const requests = 50;
    const requested = new Set<string>();
    await Promise.all(
      Array.from({ length: visitors }, async (_, visitor) => {
        const session = await antechamber.createSession({ customerId: `customer ${visitor}` });
        const path = `/${session.sessionId.slice(0, 24)}`;
        requested.add(path);
        await using connection = await openConnection(proxy.port);
        for (let at = 0; at < requests; at++) {
          connection.send(visitText(path, { headers: [cookieOf(session)] }));
          assert.equal((await connection.response()).status, 200);
        }
        const mine = application.requests.filter(({ url }) => url === path);
        assert.equal(mine.length, requests);
        for (const arrival of mine) assert.deepEqual(identityOf(arrival), identityHeadersOf(session));
        assert.equal((await untilRecorded(antechamber, session.sessionId, requests)).length, requests);
      }),
    );
    // The application got no other requests.
    assert.deepEqual(
      application.take().filter(({ url }) => !requested.has(url)),
      [],
    );
  });
}
