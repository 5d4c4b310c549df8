// runs: outside

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { onThisRuntime, startExampleApplication } from "../support/example-application.ts";
import { serve } from "../support/in-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* The shop of docs/from-a-visitor-table.md, unchanged, before and after the move. */

/** Sends a request with the cookie of a browser, which it updates. Follows redirects, and returns the body. */
async function send(
  browser: { cookie: string },
  url: string,
  fields?: Readonly<Record<string, string>>,
): Promise<unknown> {
  const body = fields === undefined ? {} : { method: "POST", body: new URLSearchParams(fields) };
  const response = await fetch(url, { ...body, redirect: "manual", headers: { cookie: browser.cookie } });
  const [cookie] = response.headers.getSetCookie();
  if (cookie !== undefined) browser.cookie = cookie.split(";")[0] ?? "";
  const location = response.headers.get("location");
  return location === null ? await response.json() : await send(browser, new URL(location, url).href);
}

/** Visits the shop as two visitors, and returns everything that they see, and the cookie of the first before the sign-in. */
async function visit(port: number): Promise<{ seen: unknown[]; planted: string; site: string }> {
  const site = `http://127.0.0.1:${port}`;
  const [anna, bob] = [{ cookie: "" }, { cookie: "" }];
  const seen = [await send(anna, site), await send(anna, `${site}/basket`, { article: "apples" })];
  const planted = anna.cookie;
  seen.push(await send(anna, `${site}/basket`, { article: "pears" }), await send(bob, site));
  seen.push(await send(anna, `${site}/sign-in`, { name: "anna" }), await send(anna, `${site}/history`));
  return { seen, planted, site };
}

const expected = [
  { customer: null, basket: [] },
  { customer: null, basket: ["apples"] },
  { customer: null, basket: ["apples", "pears"] },
  { customer: null, basket: [] },
  { customer: "anna", basket: ["apples", "pears"] },
];
const paths = ["/", "/basket", "/", "/basket", "/", "/sign-in", "/"];

const application = (name: string) => ({
  name,
  folder: "visitor-table",
  home: "/history",
  command: onThisRuntime(`${name}.ts`),
});

test("the shop with a table of visitors", async () => {
  await using directory = temporaryDirectory();
  const environment = { DATABASE: join(directory.path, "visitors.db") };
  await using running = await startExampleApplication(application("before"), environment);
  const { seen } = await visit(running.port);
  assert.deepEqual(seen, [...expected, [...paths, "/history"]]);
});

test("the shop with Antechamber, in which a planted cookie does not lead to the customer", async () => {
  await using antechamber = await serve();
  await using running = await startExampleApplication(application("after"), { ANTECHAMBER_URL: antechamber.url });
  const { seen, planted, site } = await visit(running.port);
  assert.deepEqual(seen, [...expected, paths]);
  assert.deepEqual(await send({ cookie: planted }, site), { customer: null, basket: [] });
});
