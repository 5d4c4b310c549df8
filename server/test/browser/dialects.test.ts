// runs: outside

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { BasePath } from "../../src/config/base-path.ts";
import { keyFor, serve } from "../support/in-process.ts";
import { MINUTE } from "../support/sessions.ts";
import { type ClientSite, type Outcome, openClientSite } from "./existing-clients.ts";

/* Clients of each dialect in a real browser, whose page has another origin than the service. */

let site: ClientSite;
before(async () => {
  site = await openClientSite();
});
after(() => site[Symbol.asyncDispose]());

const basePaths: readonly BasePath[] = [
  { path: "/plain", dialect: "8.5.0" },
  { path: "/gks-server/v1", dialect: "8.5.1" },
  { path: "/current", dialect: "current" },
  { path: "/session/v2", dialect: "v2" },
];
const short = { idle: 2 * MINUTE, total: 20 * MINUTE };
const service = keyFor({ role: "agent" });
const apiKey = service.bearer.slice("Bearer ".length);

/** The dialects, by the version of their clients: the base path of the page, and how the responses differ. */
const clients = {
  "8.5.0": { auth: "local", base: "/plain", hasEnvelope: false, goesOn: false },
  "8.5.1": { auth: "local", base: "/gks-server/v1", hasEnvelope: true, goesOn: true },
  "8.5.1, base URL/": { auth: "local", base: "/gks-server/v1/", hasEnvelope: true, goesOn: true },
  current: { auth: "local", base: "/current", hasEnvelope: true, goesOn: false },
  v2: { auth: "key", base: "", hasEnvelope: true, goesOn: false },
} as const;

for (const [name, { auth, base, hasEnvelope, goesOn }] of Object.entries(clients)) {
  const version = name === "v2" ? "v2" : "v1";

  test(`a page on another origin creates and associates a session, lets it expire, and serves the next person: ${name}`, async () => {
    const config = {
      auth,
      basePaths,
      corsOrigins: [site.origin],
      lifetimes: { anonymous: short, recognized: short },
    };
    await using server = await serve({ config, keys: [service.key], frozen: true });
    const context = await site.context();
    await context.addInitScript({ content: `window.apiKey = ${JSON.stringify(apiKey)}` });
    const page = await site.open(context, server.url + base, version);
    const run = (call: string) => page.evaluate<Outcome>(call);
    const customerOf = ({ session }: Outcome) => (hasEnvelope ? session?.customerId : undefined);
    const refused = ({ status, error }: Outcome, expected: number, code: string) => {
      assert.equal(status, expected);
      assert.equal(error?.code, hasEnvelope ? code : undefined);
      if (hasEnvelope) assert.notEqual(error?.message, "");
    };

    const created = await run("createSession()");
    assert.match(created.storedId, /^[\w-]{40}$/);
    const zoe = await run("associate('zoë@shop.example')");
    assert.deepEqual([zoe.status, zoe.storedId], [200, created.storedId]);
    assert.equal(customerOf(zoe), hasEnvelope ? "zoë@shop.example" : undefined);

    await page.reload();
    const reloaded = await run("associate('zoë@shop.example')");
    assert.deepEqual([reloaded.status, reloaded.storedId], [200, created.storedId]);

    server.pass(3 * MINUTE);
    const late = await run("associate('zoë@shop.example')");
    if (goesOn) {
      assert.equal(late.status, 200);
      assert.notEqual(late.storedId, created.storedId);
      assert.equal(customerOf(late), "zoë@shop.example");
    } else {
      refused(late, 404, "session-not-found");
      const again = await run("createSession().then(() => associate('zoë@shop.example'))");
      assert.equal(again.status, 200);
      assert.notEqual(again.storedId, created.storedId);
    }

    const ofZoe = await run("associate('zoë@shop.example')");
    let ofBob = await run("associate('bob')");
    if (!goesOn) {
      refused(ofBob, 400, "already-exists");
      ofBob = await run("createSession().then(() => associate('bob'))");
    }
    assert.equal(ofBob.status, 200);
    assert.notEqual(ofBob.storedId, ofZoe.storedId);
    assert.equal(customerOf(ofBob), hasEnvelope ? "bob" : undefined);

    if (version === "v1") {
      const found = await run("retrieve()");
      assert.equal(found.storedId, ofBob.storedId);
      server.pass(3 * MINUTE);
      const over = await run("retrieve()");
      if (goesOn) refused(over, 404, "session-not-found");
      else assert.notEqual(over.storedId, ofBob.storedId);
    }
    const nowhere = await run("search()");
    assert.equal(nowhere.status, 404, "the page sees what went wrong");
    await context.close();
  });
}

test("8.5.1: a client that has no session id yet, only a placeholder, can associate its customer with a session", async () => {
  await using server = await serve({ config: { basePaths, corsOrigins: ["*"] } });
  const context = await site.context();
  const page = await site.open(context, `${server.url}/gks-server/v1`, "v1");
  const linked = await page.evaluate<Outcome>("associate('ann')");
  assert.match(linked.storedId, /^[\w-]{40}$/);
  assert.equal(linked.session?.customerId, "ann");
  const again = await page.evaluate<Outcome>("associate('ann')");
  assert.equal(again.storedId, linked.storedId);
  await context.close();
});
