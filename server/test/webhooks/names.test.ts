import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { WebhookDelivery, WebhookWithSecret } from "@antechamber/client/protocol";
import { runHere, succeedJson } from "../support/command-line.ts";
import { until } from "../support/eventually.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import type { Answer } from "./internet/name-server.ts";
import { type PrivateInternet, startInternet } from "./internet/private-internet.ts";

/*
 * Where webhooks lead, with real name servers: the service resolves names as it does everywhere, by the C library, and
 * each connection is seen, whatever its address is (contract.md#webhooks).
 */

const DOMAIN = "receivers.example";
const PUBLIC = "93.184.215.14";
const PUBLIC_IPV6 = "2606:2800:21f:cb07::1";
const allowedHosts = [`inner.${DOMAIN}`, "10.7.0.0/16"];

let internet: PrivateInternet;
let server: ServerProcess;
before(async () => {
  internet = await startInternet(DOMAIN);
  const env = {
    NODE_EXTRA_CA_CERTS: internet.caFile,
    ANTECHAMBER_WEBHOOK_ALLOWED_HOSTS: allowedHosts.join(),
  };
  server = await startServer({ env, wrapper: internet.wrapper });
});
after(async () => {
  await server?.end();
  await internet?.[Symbol.asyncDispose]();
});

const addresses = (...all: string[]): Answer => ({ addresses: all });
const command = (...words: string[]) => ["webhooks", ...words, "--data-dir", server.dataDir];

/** Adds an endpoint and returns its id. */
async function addEndpoint(url: string): Promise<string> {
  const allowed = allowedHosts.flatMap((host) => ["--webhook-allowed-hosts", host]);
  return (await succeedJson<WebhookWithSecret>([...command("add", url), ...allowed])).id;
}

/** Sends a test event to an endpoint. Returns the status of the response, or why there is none. */
async function testEndpoint(id: string): Promise<number | string | null | undefined> {
  const { stdout, stderr } = await runHere([...command("test", id), "--json"]);
  assert.notEqual(stdout, "", stderr);
  const { lastAttempt } = JSON.parse(stdout) as WebhookDelivery;
  return lastAttempt?.status ?? lastAttempt?.error;
}

/** Adds an endpoint, sends a test event for each of the answers, and removes the endpoint. Returns the results. */
async function attempts(url: string, answers: readonly Answer[], count = answers.length) {
  const host = new URL(url).hostname;
  await internet.resolve({ [host]: answers });
  const id = await addEndpoint(url);
  const results = [];
  for (let i = 0; i < count; i++) results.push(await testEndpoint(id));
  await runHere(command("remove", id));
  return results;
}

test("a public address that the name server gives is connected to, of either family", async () => {
  assert.deepEqual(await attempts(`https://a.${DOMAIN}/`, [addresses(PUBLIC), addresses(PUBLIC_IPV6)]), [204, 204]);
  assert.deepEqual(await internet.connections(), [`${PUBLIC} 443`, `${PUBLIC_IPV6} 443`]);
});

test("no answer leads to an inner address: nothing is connected to", async () => {
  const inner = [
    ...["127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"],
    ...["0.0.0.0", "0.1.2.3", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
    ...["::", "::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"],
    ...["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "2001::1"],
  ];
  const answers = inner.map((address) => addresses(address));
  const results = await attempts(`https://b.${DOMAIN}/`, answers);
  assert.deepEqual(
    results,
    inner.map(() => "address-not-allowed"),
  );
  assert.deepEqual(await internet.connections(), []);
});

test("a name that changes its address after the check leads nowhere: it is looked up once for an attempt", async () => {
  const { length } = internet.asked;
  const rebinding = [addresses(PUBLIC), addresses("127.0.0.1", "::1"), addresses("10.0.0.1"), addresses(PUBLIC)];
  const results = await attempts(`https://c.${DOMAIN}/`, rebinding);
  assert.deepEqual(results, [204, "address-not-allowed", "address-not-allowed", 204]);
  const connections = await internet.connections();
  assert.deepEqual([...new Set(connections)], [`${PUBLIC} 443`]);
  // One query for each family.
  assert.equal(internet.asked.length - length, 2 * rebinding.length);
});

test("of a mixed answer only public addresses are connected to, in any order and number", async () => {
  const mixed = [
    addresses("10.0.0.1", PUBLIC),
    addresses(PUBLIC, "127.0.0.1", "::1"),
    addresses("fd00::1", "169.254.169.254", PUBLIC),
  ];
  assert.deepEqual(await attempts(`https://d.${DOMAIN}/`, mixed), [204, 204, 204]);
  assert.deepEqual([...new Set(await internet.connections())], [`${PUBLIC} 443`]);
  // Such an answer is too long for UDP.
  const many = Array.from({ length: 200 }, (_, i) => `10.1.1.${i}`).toSpliced(150, 0, PUBLIC);
  assert.deepEqual(await attempts(`https://e.${DOMAIN}/`, [addresses(...many)]), [204]);
  assert.deepEqual(await internet.connections(), [`${PUBLIC} 443`]);
});

test("an alias is allowed if the address behind it is", async () => {
  await internet.resolve({ "inner.corp": [addresses("10.0.0.2")], "cdn.example": [addresses(PUBLIC)] });
  const aliases = [{ alias: "inner.corp" }, { alias: `inner.${DOMAIN}` }, { alias: "cdn.example" }];
  await internet.resolve({ [`inner.${DOMAIN}`]: [addresses("10.0.0.3")] });
  const results = await attempts(`https://f.${DOMAIN}/`, aliases);
  assert.deepEqual(results, ["address-not-allowed", "address-not-allowed", 204]);
  assert.deepEqual(await internet.connections(), [`${PUBLIC} 443`]);
});

test("a redirect is not followed, also to what a direct request may reach", async () => {
  for (const [i, location] of ["http://169.254.169.254/", `http://inner.${DOMAIN}/`, "https://127.0.0.1/"].entries()) {
    const host = `g${i}.${DOMAIN}`;
    await internet.redirect(host, location);
    assert.deepEqual(await attempts(`https://${host}/`, [addresses(PUBLIC)]), [307]);
    assert.deepEqual(await internet.connections(), [`${PUBLIC} 443`]);
  }
});

test("an inner receiver is reached by its listed name, or by its listed address, and only by these", async () => {
  assert.deepEqual(
    await attempts(`http://inner.${DOMAIN}/`, [addresses("10.0.0.5"), addresses("fd00::5")]),
    [204, 204],
  );
  assert.deepEqual(await internet.connections(), ["10.0.0.5 80", "fd00::5 80"]);
  const moving = [addresses("10.7.1.1"), addresses("10.8.1.1"), addresses(PUBLIC)];
  const refused = "address-not-allowed";
  assert.deepEqual(await attempts(`http://h.${DOMAIN}/`, moving), [204, refused, refused]);
  assert.deepEqual(await internet.connections(), ["10.7.1.1 80"]);
  // A name of this machine may not lead elsewhere.
  assert.deepEqual(await attempts("http://i.localhost/", [addresses("10.0.0.5"), addresses(PUBLIC)]), [
    refused,
    refused,
  ]);
  assert.deepEqual(await internet.connections(), []);
});

test("a name without an address, an unknown one and a failure are unknown hosts, and a slow answer is waited for", async () => {
  const answers: Answer[] = [
    addresses(),
    { failure: "noSuchName" },
    { failure: "serverFailure" },
    { addresses: [PUBLIC], afterMs: 300 },
  ];
  for (const answer of answers) {
    const expected = "afterMs" in Object(answer) ? 204 : "unknown-host";
    assert.deepEqual(await attempts(`https://j.${DOMAIN}/`, [answer]), [expected], JSON.stringify(answer));
  }
  assert.deepEqual(await internet.connections(), [`${PUBLIC} 443`]);
});

test("while the name servers of many endpoints do not respond, another endpoint gets its events", async () => {
  const dead = Array.from({ length: 12 }, (_, i) => `dead${i}.${DOMAIN}`);
  await internet.resolve(Object.fromEntries(dead.map((name) => [name, ["silence"] as const])));
  const ids = await Promise.all(dead.map((name) => addEndpoint(`https://${name}/`)));
  let ended = 0;
  const hanging = ids.map((id) => runHere(command("test", id)).then(() => ended++));
  await until("a look-up hangs", () => internet.asked.some((name) => name.startsWith("dead")));
  assert.deepEqual(await attempts(`https://k.${DOMAIN}/`, [addresses(PUBLIC)]), [204]);
  assert.equal(ended, 0, "no look-up had to end before");
  assert.deepEqual(await internet.connections(), [`${PUBLIC} 443`]);
  await server.kill("SIGKILL");
  await Promise.all(hanging);
});
