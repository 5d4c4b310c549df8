// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { askSocket, exchange, requestText, utf8 } from "../support/raw-http.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const secret = "a secret of the proxy's, long enough!".replaceAll(" ", "-");
const ranges = (...texts: string[]) => texts.map((text) => parseRange(text) as AddressRange);
const proxy = { auth: "proxy", proxySecret: secret } as const;

let server: TestServer;
before(async () => {
  server = await serve({ config: { ...proxy, trustedProxies: ranges("127.0.0.1") } });
});
after(() => server[Symbol.asyncDispose]());

/** Returns an API whose requests look like the trusted proxy's, with these headers for the caller. */
function askedFor(headers: Readonly<Record<string, string>>, at: TestServer = server): Api {
  return createApi(at.url, { "antechamber-secret": secret, ...headers });
}

const alice = { "antechamber-role": "customer", "antechamber-customer": "alice" };
const agent = { "antechamber-role": "agent", "antechamber-agent": "7" };
const administrator = { "antechamber-role": "administrator" };

test("the trusted proxy names the caller", async () => {
  const own = sessionOf(await askedFor(alice).create({ headers: { gkc_customerId: "alice" } }));
  const mismatch = await askedFor(alice).create({ headers: { gkc_customerId: "bob" } });
  problemOf(mismatch, 403, "identity-mismatch");
  problemOf(await askedFor(alice).call("GET", "/metrics"), 403, "role-not-permitted");
  const bob = { ...alice, "antechamber-customer": "bob" };
  assert.notEqual(sessionOf(await askedFor(bob).retrieve(own.sessionId)).sessionId, own.sessionId);
  const page = askedFor({ "antechamber-role": "customer", "antechamber-customer": "" });
  assert.notEqual(sessionOf(await page.retrieve(own.sessionId)).sessionId, own.sessionId);
  assert.equal(sessionOf(await askedFor(agent).retrieve(own.sessionId)).customerId, "alice");
  sessionOf(await askedFor(agent).create({ headers: { "gkc-agentId": "7" } }));
  assert.equal((await askedFor(administrator).call("GET", "/metrics")).status, 200);
});

test("identity headers with non-ASCII characters are read as UTF-8", async () => {
  const lines = [
    `antechamber-secret: ${secret}`,
    "antechamber-role: customer",
    `antechamber-customer: ${utf8("änna")}`,
    `gkc_customerId: ${utf8("änna")}`,
  ];
  const answer = await exchange(server.port, requestText("PUT /sessions/new", lines));
  assert.equal(answer.status, 200, answer.body);
  assert.equal((JSON.parse(answer.body) as { customerId: string }).customerId, "änna");
});

/** Header lines of requests that must be refused, by their fault. */
const refused: Record<string, string[]> = {
  "has nothing": [],
  "has a role alone": ["antechamber-role: administrator"],
  "has a bearer key": ["Authorization: Bearer ak_x", "antechamber-role: administrator"],
  "has an empty secret": ["antechamber-secret:", "antechamber-role: administrator"],
  "has another secret": [`antechamber-secret: ${secret}x`, "antechamber-role: administrator"],
  "has a part of the secret": [`antechamber-secret: ${secret.slice(1)}`, "antechamber-role: administrator"],
  "has the secret twice": [
    `antechamber-secret: ${secret}`,
    `antechamber-secret: ${secret}`,
    "antechamber-role: administrator",
  ],
  "has the secret under another name": [`antechamber_secret: ${secret}`, "antechamber-role: administrator"],
};
/** Header lines of requests with the right secret but invalid identity headers, such as forged ones of a client. */
const passedOn: Record<string, string[]> = {
  "no role": [],
  "an empty role": ["antechamber-role:"],
  "an unknown role": ["antechamber-role: root"],
  "a role in capitals": ["antechamber-role: Administrator"],
  "two roles": ["antechamber-role: customer", "antechamber-role: administrator"],
  "the same role twice": ["antechamber-role: customer", "antechamber-role: customer"],
  "a role with an underscore alone": ["antechamber_role: administrator"],
  "another role with an underscore": ["antechamber-role: customer", "Antechamber_Role: administrator"],
  "another role with a dot": ["antechamber-role: customer", "antechamber.role: administrator"],
  "a customer with an underscore": ["antechamber-role: customer", "antechamber_customer: alice"],
  "a customer with a dot": ["antechamber-role: customer", "ANTECHAMBER.CUSTOMER: alice"],
  "an agent with an underscore": ["antechamber-role: agent", "antechamber_agent: 7"],
  "a second secret with a dot": ["antechamber-role: agent", "antechamber.secret: x"],
  "two customers": ["antechamber-role: customer", "antechamber-customer: alice", "Antechamber-Customer: bob"],
  "a customer that is no UTF-8": ["antechamber-role: customer", "antechamber-customer: \u00e9"],
  "a customer in ISO-8859-1": ["antechamber-role: customer", "antechamber-customer: m\u00fcller"],
  "a customer that is too long": ["antechamber-role: customer", `antechamber-customer: ${"x".repeat(257)}`],
  "an agent for a customer": ["antechamber-role: customer", "antechamber-customer: alice", "antechamber-agent: 7"],
  "a customer for an agent": ["antechamber-role: agent", "antechamber-customer: alice"],
  "a customer for an administrator": ["antechamber-role: administrator", "antechamber-customer: alice"],
};
for (const [what, lines] of Object.entries(passedOn)) {
  refused[`has ${what}`] = [`antechamber-secret: ${secret}`, ...lines];
}

test("every forged or faulty request gets the same refusal", async () => {
  const bodies = new Set<string>();
  for (const [what, lines] of Object.entries(refused)) {
    for (const line of ["PUT /sessions/new", "GET /sessions/x", "GET /metrics"]) {
      const answer = await exchange(server.port, requestText(line, lines));
      assert.equal(answer.status, 401, `${line} that ${what}: ${answer.body}`);
      bodies.add(answer.body.replace(answer.headers.get("x-request-id") ?? "", ""));
    }
  }
  assert.equal(bodies.size, 1, [...bodies].join("\n"));
  assert.match([...bodies].join(""), /"code":"invalid-credential"/);
  const reasons = reasonsIn(server.log());
  for (const reason of [
    "the header antechamber-secret is missing",
    "antechamber-secret is not the value of proxySecret",
    "the header antechamber_role is present: the proxy has to remove it",
    "antechamber-role is none of customer, agent, service, reporter, administrator",
    "antechamber-customer or antechamber-agent is no valid id, or does not belong to the role",
  ]) {
    assert.ok(reasons.includes(reason), `${reason} is not in the log: ${[...new Set(reasons)].join("; ")}`);
  }
});

/** Returns the reasons for which the log says that a proxy was refused. */
function reasonsIn(log: string): string[] {
  const lines = log.split("\n").filter((line) => line.includes('"msg":"proxy refused"'));
  return lines.map((line) => (JSON.parse(line) as { reason: string }).reason);
}

test("a peer that is not a listed proxy is refused, even with the secret", async () => {
  await using far = await serve({
    config: { ...proxy, trustedProxies: ranges("10.0.0.0/8", "::2", "127.0.0.2") },
  });
  const unlisted = await askedFor(administrator, far).create();
  problemOf(unlisted, 401, "invalid-credential");
  const pretends = { ...administrator, "x-forwarded-for": "10.0.0.1", forwarded: "for=10.0.0.1" };
  problemOf(await askedFor(pretends, far).create(), 401, "invalid-credential");
  const wrongSecret = await createApi(server.url, administrator).create();
  const even = ({ text, headers }: typeof unlisted) => text.replace(headers.get("x-request-id") ?? "", "");
  assert.equal(even(unlisted), even(wrongSecret));
  assert.deepEqual(new Set(reasonsIn(far.log())), new Set(["127.0.0.1 is not in trustedProxies"]));
  await using near = await serve({ config: { ...proxy, trustedProxies: ranges("127.0.0.0/8") } });
  sessionOf(await askedFor(administrator, near).create());
});

test("the secret is also required over a Unix socket", async () => {
  await using folder = temporaryDirectory();
  const path = `${folder.path}/http.sock`;
  await using _ = await serve({ config: { ...proxy, socket: { path, mode: 0o600 } } });
  const asked = { "antechamber-secret": secret, ...administrator };
  assert.equal((await askSocket(path, "PUT", "/sessions/new", asked)).status, 200);
  assert.equal((await askSocket(path, "GET", "/sessions/unknown/", asked)).status, 200);
  const pretends = await askSocket(path, "PUT", "/sessions/new", administrator);
  assert.equal(pretends.status, 401, pretends.body);
});
