// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { onThisRuntime, startExampleApplication } from "../support/example-application.ts";
import { serve } from "../support/in-process.ts";
import { startSingleRedis } from "../support/redis/single.ts";

/* The application of docs/from-express-session.md, unchanged, before and after the move: visitors notice no difference. */

/** Sends a request with the cookie of a browser, which it updates. Returns the body; follows redirects like a browser. */
async function send(
  browser: { cookie: string },
  url: string,
  fields?: Readonly<Record<string, string>>,
): Promise<string> {
  const body = fields === undefined ? {} : { method: "POST", body: new URLSearchParams(fields) };
  const response = await fetch(url, { ...body, redirect: "manual", headers: { cookie: browser.cookie } });
  const [cookie] = response.headers.getSetCookie();
  if (cookie !== undefined) browser.cookie = cookie.split(";")[0] ?? "";
  const location = response.headers.get("location");
  return location === null ? await response.text() : await send(browser, new URL(location, url).href);
}

/** Visits the members' area, and returns everything that the visitor sees. */
async function visit(port: number): Promise<unknown[]> {
  const site = `http://127.0.0.1:${port}`;
  const browser = { cookie: "" };
  const seen = [await send(browser, site), await send(browser, `${site}/members`)];
  const planted = browser.cookie;
  seen.push(await send(browser, `${site}/sign-in`, { name: "anna", password: "wrong" }));
  seen.push(await send(browser, `${site}/sign-in`, { name: "anna", password: "correct horse" }));
  seen.push(await send(browser, site), await send(browser, `${site}/members`));
  const signedIn = browser.cookie;
  seen.push(await send({ cookie: planted }, site));
  seen.push(await send(browser, `${site}/sign-out`, {}));
  seen.push(await send({ cookie: signedIn }, `${site}/members`));
  return seen;
}

const signInFirst = '{"member":null,"message":"Please sign in first."}';
const expected = [
  '{"member":null,"message":""}',
  signInFirst,
  '{"member":null,"message":"Wrong name or password."}',
  '{"member":"anna","message":"You are signed in."}',
  '{"member":"anna","message":""}',
  "Welcome, anna.\n",
  '{"member":null,"message":""}',
  '{"member":null,"message":""}',
  signInFirst,
];

const application = (name: string) => ({
  name,
  folder: "express-session",
  home: "/",
  command: onThisRuntime(`${name}.ts`),
});

test("the members' area with express-session and connect-redis", async () => {
  await using redis = await startSingleRedis();
  await using running = await startExampleApplication(application("before"), { REDIS_URL: redis.url });
  assert.deepEqual(await visit(running.port), expected);
});

test("the members' area with express-session and Antechamber", async () => {
  await using antechamber = await serve();
  await using running = await startExampleApplication(application("after"), { ANTECHAMBER_URL: antechamber.url });
  assert.deepEqual(await visit(running.port), expected);
});
