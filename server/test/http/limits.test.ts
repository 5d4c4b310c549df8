import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { type Answer, createApi, problemOf, sessionOf } from "../support/api.ts";
import { keyFor, serve, unlimited } from "../support/in-process.ts";
import { newSession, post, visit } from "../support/records.ts";
import { MINUTE, SECOND } from "../support/sessions.ts";

const perMinute = (count: number) => ({ count, period: MINUTE });
const trustedProxies = [parseRange("127.0.0.1") as AddressRange];

/** Returns the header with which a proxy reports the client's address. */
const client = (address: string) => ({ headers: { "x-forwarded-for": address } });

/** Starts a server behind a proxy on this machine, with rate limits by address. */
function behindProxy(perAddress: Partial<Config["perAddress"]>, more: Partial<Config> = {}) {
  const config = { trustedProxies, perAddress: { ...unlimited, ...perAddress }, ...more };
  return serve({ config, frozen: true });
}

/** Returns the number of successes; all other responses must be 429. */
function admitted(answers: readonly Answer[]): number {
  const refused = answers.filter(({ status }) => status !== 200);
  for (const answer of refused) problemOf(answer, 429, "too-many-requests");
  return answers.length - refused.length;
}

async function times(count: number, ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < count; i++) answers.push(await ask());
  return answers;
}

test("a client above the rate limit of its address is refused, and learns when to try again", async () => {
  await using server = await behindProxy({ creates: perMinute(4) });
  const api = createApi(server.url);
  const create = () => api.create(client("192.0.2.1"));
  assert.equal(admitted(await times(6, create)), 4);
  const refusal = await create();
  const { detail } = problemOf(refusal, 429, "too-many-requests");
  assert.match(detail, /At most 4 such requests in 60 s/);
  assert.equal(refusal.headers.get("retry-after"), "15");
  assert.equal(refusal.headers.get("ratelimit-policy"), '"creates-per-address";q=4;w=60');
  assert.equal(refusal.headers.get("ratelimit"), '"creates-per-address";r=0;t=15');
  assert.equal(refusal.headers.get("cache-control"), "no-store");
  server.pass(15 * SECOND);
  assert.equal(admitted(await times(3, create)), 1);
  assert.equal(admitted(await times(3, () => api.create(client("192.0.2.2")))), 3);
});

test("creates, retrievals of unknown sessions, and other requests are counted separately", async () => {
  const rates = { creates: perMinute(1), misses: perMinute(2), requests: perMinute(20) };
  await using server = await behindProxy(rates);
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create(client("192.0.2.1")));
  const asked = client("192.0.2.1");
  assert.equal(admitted(await times(4, () => api.retrieve("unknown", asked))), 2);
  const refusal = await api.retrieve("unknown", asked);
  assert.equal(refusal.headers.get("ratelimit-policy"), '"misses-per-address";q=2;w=60');
  // The 5 retrievals of unknown sessions count as requests, too.
  assert.equal(admitted(await times(15, () => api.retrieve(sessionId, asked))), 15);
  const beyond = await api.update(sessionId, { ...asked, json: { visitId: "v" } });
  assert.equal(beyond.headers.get("ratelimit-policy"), '"requests-per-address";q=20;w=60');
  problemOf(await api.create(asked), 429, "too-many-requests");
});

test("a request refused by a rate limit changes nothing", async () => {
  await using server = await behindProxy({ requests: perMinute(1) });
  const api = createApi(server.url);
  const id = await newSession(api);
  const asked = client("192.0.2.1");
  await api.retrieve(id, asked);
  const headers = { ...asked.headers, gkc_customerId: "c" };
  problemOf(await api.update(id, { headers }), 429, "too-many-requests");
  problemOf(await post(api, id, visit("/"), asked.headers), 429, "too-many-requests");
  assert.equal(sessionOf(await api.retrieve(id, client("192.0.2.2"))).customerId, null);
});

test("a proxy's visitors are counted separately, and a visitor above the limit gets 503", async () => {
  await using server = await behindProxy({ misses: perMinute(2) });
  const api = createApi(server.url);
  const ask = (address: string, more = {}) =>
    api.call("GET", "/forward-auth", { headers: { ...client(address).headers, ...more } });
  const [first] = await times(2, () => ask("192.0.2.1"));
  const refusal = await ask("192.0.2.1");
  assert.equal(refusal.status, 503);
  assert.equal((JSON.parse(refusal.text) as { code: string }).code, "too-many-requests");
  assert.equal(refusal.headers.get("retry-after"), "30");
  assert.equal((await ask("192.0.2.2")).status, 200);
  const session = { "gkc-sessionid": first?.headers.get("gkc-sessionid") ?? "" };
  assert.equal(admitted(await times(5, () => ask("192.0.2.1", session))), 5);
});

test("requests without a valid credential also count: guesses, unknown paths, the API page", async () => {
  await using server = await behindProxy({ requests: perMinute(3) }, { auth: "key" });
  const api = createApi(server.url, { authorization: "Bearer guessed" });
  const statuses: number[] = [];
  for (const path of ["/sessions/a", "/nothing", "/docs", "/docs", "/sessions/a", "/metrics"]) {
    statuses.push((await api.call("GET", path, client("192.0.2.1"))).status);
  }
  assert.deepEqual(statuses, [401, 404, 200, 429, 429, 429]);
});

test("probes have no rate limit", async () => {
  await using server = await behindProxy({ requests: perMinute(1) });
  const api = createApi(server.url);
  for (const path of ["/healthz", "/readyz"]) {
    const answers = await times(5, () => api.call("GET", path, client("192.0.2.1")));
    assert.equal(admitted(answers), 5);
  }
});

test("each credential is counted separately, whatever addresses use it", async () => {
  const [one, other] = [keyFor({ role: "administrator" }), keyFor({ role: "administrator" })];
  const perCredential = { creates: perMinute(3), misses: perMinute(1), requests: perMinute(2) };
  await using server = await serve({
    config: { auth: "key", perCredential },
    keys: [one.key, other.key],
    frozen: true,
  });
  const apis = [one, other].map(({ bearer }) => createApi(server.url, { authorization: bearer }));
  for (const api of apis) {
    assert.equal(admitted(await times(5, () => api.create())), 3);
    assert.equal(admitted(await times(2, () => api.retrieve("unknown"))), 1);
    const refusal = await api.retrieve("unknown");
    assert.equal(refusal.headers.get("ratelimit-policy"), '"requests-per-credential";q=2;w=60');
  }
});

test("only a trusted proxy can report a client, and this machine has no rate limit", async () => {
  const one = perMinute(1);
  const trusted = [parseRange("10.0.0.0/8") as AddressRange];
  const rates = { creates: one, misses: one, requests: one };
  await using server = await behindProxy(rates, { trustedProxies: trusted });
  const api = createApi(server.url);
  assert.equal(admitted(await times(5, () => api.create(client("192.0.2.1")))), 5);
});

test("a clock that is set back does not delay a client", async () => {
  await using server = await behindProxy({ creates: perMinute(1) });
  const api = createApi(server.url);
  const create = () => api.create(client("192.0.2.1"));
  assert.equal(admitted(await times(2, create)), 1);
  server.step(-60 * MINUTE);
  server.pass(MINUTE);
  assert.equal(admitted(await times(2, create)), 1);
});

test("a client that ignores refusals gets only a limited number of refusals per second", async () => {
  await using server = await behindProxy({ requests: perMinute(1) });
  const api = createApi(server.url);
  const flooder = client("192.0.2.66");
  const began = performance.now();
  let refusals = 0;
  const ask = async () => {
    // A slow machine needs longer for a flood.
    while (performance.now() - began < 500 || refusals <= 50) {
      const answer = await api.retrieve("unknown", flooder);
      refusals += 1 - admitted([answer]);
    }
  };
  const connections = 32;
  await Promise.all(Array.from({ length: connections }, ask));
  const stretches = (performance.now() - began) / 50 + 1;
  assert.ok(refusals <= stretches * (50 + connections), `${refusals} in ${stretches} stretches`);
  const others = await times(5, () => api.create(client("192.0.2.1")));
  assert.equal(admitted(others), 5);
});
