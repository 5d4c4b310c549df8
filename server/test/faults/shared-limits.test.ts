// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Answer, createApi, problemOf, sessionOf } from "../support/api.ts";
import { until } from "../support/eventually.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { startServices } from "./services.ts";

const COUNT = 100;
/** The rate limit is so low that hardly any tokens return during a test. */
const RATE = `${COUNT}/24h`;
const env = {
  ANTECHAMBER_TRUSTED_PROXIES: "127.0.0.1",
  ANTECHAMBER_CREATES_PER_ADDRESS: RATE,
};

/** Creates a session for a client at `address` through a service; returns whether the limit allowed it. */
async function isAdmitted(url: string, address: string): Promise<boolean> {
  const headers = { "x-forwarded-for": address };
  const answer: Answer = await createApi(url).create({ headers });
  if (answer.status === 200) sessionOf(answer);
  else problemOf(answer, 429, "too-many-requests");
  return answer.status === 200;
}

/** Returns how many of `attempts` creates the limit allows. */
async function admitted(url: string, address: string, attempts: number): Promise<number> {
  const requests = Array.from({ length: attempts }, () => isAdmitted(url, address));
  return (await Promise.all(requests)).filter(Boolean).length;
}

/** Uses all tokens of a client at one service; the other must refuse before it has allowed as many itself. */
async function spendAtOneOf(urls: readonly string[], address: string): Promise<void> {
  const [one = "", other = ""] = urls;
  assert.equal(await admitted(one, address, COUNT + 5), COUNT);
  let more = 0;
  const isRefused = async () => {
    if (!(await isAdmitted(other, address))) return true;
    more++;
    // On a busy machine the services exchange their usage later.
    await delay(100);
    return false;
  };
  await until("the other service refuses as well", isRefused);
  assert.ok(more < COUNT, `the other let ${more} through`);
  assert.equal(await admitted(other, address, 5), 0);
}

test("two processes on one Redis share the rate limit of a client; without Redis, each process limits it alone", async () => {
  await using redis = await startSingleRedis("always");
  await using services = await startServices(redis.url, ["bun", "node"], env);
  const urls = services.servers.map(({ url }) => url);
  await spendAtOneOf(urls, "192.0.2.1");
  await spendAtOneOf(urls.toReversed(), "192.0.2.2");

  await redis.node.kill();
  for (const url of urls) assert.equal(await admitted(url, "192.0.2.3", COUNT + 5), COUNT);

  await redis.node.restart();
  await services.untilServing();
  for (const url of urls) assert.equal(await admitted(url, "192.0.2.3", 5), 0);
  await spendAtOneOf(urls, "192.0.2.4");
  for (const server of services.servers) {
    assert.deepEqual(await server.kill(), { code: 0, signal: null }, server.stderr());
  }
});
