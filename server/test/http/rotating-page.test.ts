// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Api, createApi, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import type { TestServer } from "../support/in-process.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { newSession } from "../support/records.ts";
import { sized } from "../support/tier.ts";

/*
 * A page whose requests go through a proxy with /forward-auth, while the visitor signs in. The browser sends the cookie
 * that it has at that moment, and takes the cookie of each response when that arrives. All orders must end with the
 * cookie of the new id: one that a request under way replaced would sign the visitor out.
 */

const REQUESTS = 20;
const ROUNDS = sized(5, 20, 2000);

/** A browser with one cookie. */
interface Browser {
  cookie: string;
}

/** The steps of a request, each of which happens at once. They are taken in this order. */
type Steps = readonly (() => Promise<void>)[];

/** Sends the proxy's sub-request for a request with this cookie; returns the session and the cookie of its response. */
async function subRequest(api: Api, cookie: string) {
  const answer = await api.call("GET", "/forward-auth", { headers: { cookie: `sessionId=${cookie}` } });
  assert.equal(answer.status, 200);
  const sessionId = answer.headers.get("gkc-sessionid") ?? "";
  const set = /^sessionId=([^;]+)/.exec(answer.headers.get("set-cookie") ?? "")?.[1];
  return { sessionId, customerId: answer.headers.get("gkc-customerid"), set };
}

/** A request of the page: it leaves the browser, is answered, and its response arrives. */
function pageRequest(api: Api, browser: Browser): Steps {
  let sent = "";
  let set: string | undefined;
  return [
    async () => {
      sent = browser.cookie;
    },
    async () => {
      ({ set } = await subRequest(api, sent));
    },
    async () => {
      browser.cookie = set ?? browser.cookie;
    },
  ];
}

/** The sign-in, whose application rotates the session that the proxy names, and sets the cookie. */
function signIn(api: Api, browser: Browser): Steps {
  let sent = "";
  let sessionId = "";
  let set: string | undefined;
  return [
    async () => {
      sent = browser.cookie;
    },
    async () => {
      ({ sessionId, set } = await subRequest(api, sent));
    },
    async () => {
      const answer = await api.update(sessionId, { headers: { gkc_customerId: "anna" }, json: { rotate: true } });
      set = sessionOf(answer).sessionId;
    },
    async () => {
      browser.cookie = set ?? browser.cookie;
    },
  ];
}

/** Takes the steps of several requests in the order that `order` gives: each entry takes the next step of one. */
async function take(requests: readonly Steps[], order: readonly number[]): Promise<void> {
  const taken = requests.map(() => 0);
  for (const i of order) {
    await requests[i]?.[taken[i] ?? 0]?.();
    taken[i] = (taken[i] ?? 0) + 1;
  }
}

/** Returns all orders in which the steps of two requests can be taken. */
function ordersOfTwo(first: number, second: number): number[][] {
  if (first === 0 || second === 0) return [[...Array<number>(first).fill(0), ...Array<number>(second).fill(1)]];
  return [
    ...ordersOfTwo(first - 1, second).map((rest) => [0, ...rest]),
    ...ordersOfTwo(first, second - 1).map((rest) => [1, ...rest]),
  ];
}

/** Returns a random order of the steps of requests with these numbers of steps. */
function randomOrder(random: Random, steps: readonly number[]): number[] {
  const order = steps.flatMap((count, i) => Array<number>(count).fill(i));
  for (let i = order.length - 1; i > 0; i--) {
    const other = random.between(0, i);
    [order[i], order[other]] = [order[other] as number, order[i] as number];
  }
  return order;
}

onEachEngine(({ test, serve }) => {
  let server: TestServer;
  before(async () => {
    server = await serve({ frozen: true, config: { accessLog: "off" } });
  });
  after(() => server[Symbol.asyncDispose]());

  async function check(order: (steps: readonly number[]) => readonly number[], requests: number): Promise<void> {
    const api = createApi(server.url);
    const browser: Browser = { cookie: await newSession(api) };
    const old = browser.cookie;
    const page = Array.from({ length: requests }, () => pageRequest(api, browser));
    const all = [...page, signIn(api, browser)];
    const taken = order(all.map(({ length }) => length));
    await take(all, taken);
    assert.notEqual(browser.cookie, old, `order ${taken.join()}`);
    const next = await subRequest(api, browser.cookie);
    const expected = { sessionId: browser.cookie, customerId: "anna", set: undefined };
    assert.deepEqual(next, expected, `order ${taken.join()}`);
  }

  test("in each order of the steps of one request and a sign-in, the browser keeps the new cookie", async () => {
    const orders = ordersOfTwo(3, 4);
    assert.equal(orders.length, 35);
    for (const order of orders) await check(() => order, 1);
  });

  test(`in ${ROUNDS} random orders of ${REQUESTS} requests and a sign-in, the browser keeps the new cookie`, async () => {
    const random = createRandom(runSeed());
    console.log(`FAULTS_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) await check((steps) => randomOrder(random, steps), REQUESTS);
  });

  test(`${REQUESTS} requests at a time before, during and after a sign-in leave the new cookie, ${ROUNDS} rounds`, async () => {
    const api = createApi(server.url);
    for (let round = 0; round < ROUNDS; round++) {
      const browser: Browser = { cookie: await newSession(api) };
      const old = browser.cookie;
      const run = async (steps: Steps) => {
        for (const step of steps) await step();
      };
      const browse = async () => {
        while (browser.cookie === old) await run(pageRequest(api, browser));
      };
      await Promise.all([...Array.from({ length: REQUESTS }, browse), run(signIn(api, browser))]);
      const next = await subRequest(api, browser.cookie);
      assert.deepEqual([next.customerId, next.set], ["anna", undefined]);
    }
  });
});
