// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openApp } from "../openapi/apps.ts";
import { type Api, type RequestOptions, sessionOf } from "../support/api.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { assertComplete, inShort, leftBy, trailIn } from "./trail.ts";

interface Act {
  readonly leaves: readonly string[];
  readonly json?: unknown;
  /** A caller without the permission, and the operation that the audit entry about the refusal names. */
  readonly refused: readonly [what: string, by: "alice" | "page" | "reporter"];
}

/**
 * Every route with its audit entries, or `a caller's` if its requests are not audited. `an issuer's` is audited for a
 * token that needs no role (`backchannel-logout.test.ts`).
 */
const routes: Readonly<Record<string, Act | "a caller's" | "an issuer's">> = {
  "GET /sessions": { leaves: [], refused: ["sessions.list", "page"] },
  "POST /sessions/end": {
    leaves: ["sessions.end done"],
    json: { customerId: "one" },
    refused: ["sessions.end", "reporter"],
  },
  "DELETE /sessions/:sessionId": {
    leaves: ["session.end done"],
    refused: ["session.end", "reporter"],
  },
  "GET /customers/:customerId/export": {
    leaves: ["customer.export begun", "customer.export done"],
    refused: ["customer.export", "alice"],
  },
  "DELETE /customers/:customerId": {
    leaves: ["customer.erase begun", "customer.erase done"],
    refused: ["customer.erase", "alice"],
  },
  "GET /audit": { leaves: [], refused: ["audit.read", "reporter"] },
  "GET /audit/verify": { leaves: [], refused: ["audit.verify", "reporter"] },
  "POST /view-tokens": { leaves: [], json: { customerId: "one" }, refused: ["view-token.create", "reporter"] },
  "GET /configuration": { leaves: [], refused: ["configuration.read", "reporter"] },
  "GET /health": { leaves: [], refused: ["health.read", "reporter"] },
  "GET /api-keys": { leaves: [], refused: ["keys.list", "reporter"] },
  "POST /api-keys": { leaves: ["key.create done"], json: { role: "reporter" }, refused: ["key.create", "reporter"] },
  "POST /api-keys/:keyId/rotate": { leaves: ["key.rotate done"], refused: ["key.rotate", "reporter"] },
  "DELETE /api-keys/:keyId": { leaves: ["key.revoke done"], refused: ["key.revoke", "reporter"] },
  "GET /events": "a caller's",
  "GET /stats": "a caller's",
  "GET /webhooks": { leaves: [], refused: ["webhooks.list", "reporter"] },
  "POST /webhooks": {
    leaves: ["webhook.create done"],
    json: { url: "http://127.0.0.1:1/" },
    refused: ["webhook.create", "reporter"],
  },
  "GET /webhooks/:webhookId": { leaves: [], refused: ["webhook.get", "reporter"] },
  "PATCH /webhooks/:webhookId": {
    leaves: ["webhook.update done"],
    json: { description: "of the shop" },
    refused: ["webhook.update", "reporter"],
  },
  "DELETE /webhooks/:webhookId": { leaves: ["webhook.delete done"], refused: ["webhook.delete", "reporter"] },
  "POST /webhooks/:webhookId/test": { leaves: ["webhook.test done"], refused: ["webhook.test", "reporter"] },
  "POST /webhooks/:webhookId/rotate-secret": {
    leaves: ["webhook.rotate-secret done"],
    refused: ["webhook.rotate-secret", "reporter"],
  },
  "GET /webhooks/:webhookId/deliveries": { leaves: [], refused: ["webhook.deliveries", "reporter"] },
  "POST /webhooks/:webhookId/deliveries/:deliveryId/redeliver": {
    leaves: ["webhook.redeliver done"],
    refused: ["webhook.redeliver", "reporter"],
  },
  "PUT /sessions/new": "a caller's",
  "GET /sessions/:sessionId": "a caller's",
  "HEAD /sessions/:sessionId": "a caller's",
  "POST /sessions/:sessionId": "a caller's",
  "POST /sessions/:sessionId/requests": "a caller's",
  "GET /sessions/:sessionId/requests": "a caller's",
  "GET /sessions/:sessionId/data": "a caller's",
  "PATCH /sessions/:sessionId/data": "a caller's",
  "PUT /sessions/:sessionId/data": "a caller's",
  "DELETE /sessions/:sessionId/data": "a caller's",
  "* /forward-auth": "a caller's",
  "* /forward-auth/*": "a caller's",
  "POST /oidc/backchannel-logout": "an issuer's",
  "GET /.well-known/jwks.json": "a caller's",
  "GET /healthz": "a caller's",
  "GET /readyz": "a caller's",
  "GET /metrics": "a caller's",
  "GET /openapi.json": "a caller's",
  "GET /": "a caller's",
  "GET /docs": "a caller's",
  "GET /docs/*": "a caller's",
};

test("the table lists every route", async () => {
  await using opened = await openApp("key");
  const all = opened.app.routes.map(({ method, path }) => `${method} ${path}`);
  assertComplete(routes, all);
  for (const { method, path, act } of opened.app.routes) {
    const row = routes[`${method} ${path}`];
    assert.equal(act, typeof row === "string" ? undefined : row?.refused[0], path);
  }
});

test("operations and refusals over HTTP add audit entries that name the caller", async () => {
  await using server = await serveKeys(holders);
  const as = (person: Holder) => apiOf(server, holders[person]);
  for (const [line, row] of Object.entries(routes)) {
    if (typeof row === "string") continue;
    const headers = { gkc_customerId: "one" };
    const { sessionId } = sessionOf(await as("agent").create({ headers }));
    const [method = "", path = ""] = line.split(" ");
    const webhookId = path.includes(":webhookId") ? await newWebhook(as("administrator")) : "";
    const keyId = path.includes(":keyId") ? await newKey(as("administrator")) : "";
    const asked = path
      .replace(":keyId", keyId)
      .replace(":sessionId", sessionId)
      .replace(":customerId", "one")
      .replace(":webhookId", webhookId)
      .replace(":deliveryId", "1");
    const options: RequestOptions = row.json === undefined ? {} : { json: row.json };
    const [what, by] = row.refused;

    const tried = await leftBy(server.dataDir, async () => {
      const known = trailIn(server.dataDir).length;
      const { status } = await as(by).call(method, asked, options);
      assert.equal(status, 403, line);
      // The audit entry is added only after the response.
      while (trailIn(server.dataDir).length === known) await delay(5);
    });
    assert.deepEqual(inShort(tried), [`${what} refused`], line);
    assert.equal(tried[0]?.who.credential, holders[by].key.id);

    const left = await leftBy(server.dataDir, async () => {
      const answer = await as("administrator").call(method, asked, options);
      assert.ok(answer.status < 300, answer.text);
    });
    assert.deepEqual(inShort(left), row.leaves, line);
    assert.ok(left.every(({ who }) => who.credential === holders.administrator.key.id));
    assert.ok(left.every(({ from }) => from === "127.0.0.1"));
  }
});

/** Creates an API key, and returns its id. */
async function newKey(api: Api): Promise<string> {
  const created = await api.call("POST", "/api-keys", { json: { role: "reporter" } });
  return (JSON.parse(created.text) as { id: string }).id;
}

/** Creates an endpoint with a delivery, and returns its id. */
async function newWebhook(api: Api): Promise<string> {
  const created = await api.call("POST", "/webhooks", { json: { url: "http://127.0.0.1:1/" } });
  const { id } = JSON.parse(created.text) as { id: string };
  assert.equal((await api.call("POST", `/webhooks/${id}/test`)).status, 202);
  return id;
}

test("ending an unknown session adds no audit entry: guessing ids must not fill the trail", async () => {
  await using server = await serveKeys(holders);
  const api = apiOf(server, holders.agent);
  const unknown = "A".repeat(40);
  const left = await leftBy(server.dataDir, async () => {
    assert.equal((await api.call("DELETE", `/sessions/${unknown}`)).status, 404);
  });
  assert.deepEqual(left, []);
});
