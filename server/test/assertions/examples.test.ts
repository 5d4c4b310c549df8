// runs: outside
// needs: python3-cryptography, python3-jwt

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Antechamber, startAntechamber } from "../proxies/antechamber.ts";
import { nginx } from "../proxies/nginx.ts";
import { startProxy } from "../proxies/proxy-process.ts";
import { cookieOf } from "../proxies/setup.ts";
import { visit } from "../proxies/visitor.ts";
import {
  type ExampleApplication,
  inFlask,
  onThisRuntime,
  startExampleApplication,
} from "../support/example-application.ts";

const usual = { folder: "signed-identity", home: "/" };
const examples: readonly ExampleApplication[] = [
  { ...usual, name: "Express", command: onThisRuntime("express.ts") },
  { ...usual, name: "Flask", command: inFlask },
];

let antechamber: Antechamber;
before(async () => {
  antechamber = await startAntechamber({ ANTECHAMBER_ASSERTION_AUDIENCE: "shop" });
});
after(() => antechamber[Symbol.asyncDispose]());

for (const example of examples) {
  test(`the example for ${example.name} knows a visitor behind nginx, and believes nobody who comes without the proxy`, async () => {
    await using application = await startExampleApplication(example, { ANTECHAMBER_URL: antechamber.server.url });
    await using proxy = await startProxy(nginx, { antechamber: antechamber.port, application: application.port });
    const session = await antechamber.createSession({ customerId: "alice", agentId: "7" });
    const known = await visit(proxy.port, "/", { headers: [cookieOf(session)] });
    assert.equal(known.status, 200, known.body);
    const handle = session.sessionId.slice(0, 24);
    assert.deepEqual(JSON.parse(known.body), { session: handle, customer: "alice", agent: "7" });

    const stranger = await visit(proxy.port, "/", { headers: ["gkc-customerId: alice", "gkc-assertion: forged"] });
    const { customer, agent } = JSON.parse(stranger.body) as Record<string, unknown>;
    assert.deepEqual([stranger.status, customer, agent], [200, null, null]);

    const forged = ["gkc-customerId: alice", `gkc-sessionId: ${session.sessionId}`];
    for (const headers of [[], forged, [...forged, "gkc-assertion: e30.e30.e30"]]) {
      const direct = await visit(application.port, "/", { headers });
      assert.equal(direct.status, 401);
      assert.doesNotMatch(direct.body, /alice/);
    }
  });
}
