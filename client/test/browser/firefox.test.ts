// runs: outside, only in test:long

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makeVisit } from "../../../server/test/console/support/visitors.ts";
import { eventually } from "../../../server/test/support/eventually.ts";
import { type Firefox, keys, startFirefox } from "../../../server/test/support/firefox.ts";
import { serve } from "../../../server/test/support/in-process.ts";
import type { SessionInfo } from "../../src/protocol.ts";
import { createTransport } from "../../src/transport.ts";
import { serveSite } from "./site.ts";

/* Tests of pages run in Chromium; these do the most important tasks in Firefox. */

let firefox: Firefox;
before(async () => {
  firefox = await startFirefox();
});
after(() => firefox[Symbol.asyncDispose]());

test("Firefox: tabs share a session, a sign-in and a sign-out, and the last records arrive", async () => {
  await using site = await serveSite();
  const tabs = await Promise.all(["/one", "/other"].map((path) => firefox.open(site.url + path)));
  const [one, other] = tabs;
  assert.ok(one && other);
  for (const tab of tabs) await tab.waitFor("window.client !== undefined");
  const [first, second] = await Promise.all(tabs.map((tab) => tab.evaluate<SessionInfo>("client.session()")));
  assert.equal(first?.sessionId, second?.sessionId);
  const { sessionId } = await one.evaluate<SessionInfo>("client.identify({ customerId: 'Zoë' })");
  await other.waitFor(`client.session().then((session) => session.sessionId === "${sessionId}")`);

  await one.evaluate("client.record(Array.from({ length: 30 }, (_, n) => ({ method: 'VIEW', path: '/' + n })))");
  await one.goto("about:blank");
  const transport = createTransport({ url: site.antechamber.url });
  await eventually(async () => assert.equal((await transport.timeline(sessionId)).total, 30));

  assert.equal(await other.evaluate("client.signOut()"), true);
  await one.goto(`${site.url}/again`);
  await one.waitFor("window.client !== undefined");
  assert.equal((await one.evaluate<SessionInfo>("client.session()")).customerId, null);
  for (const tab of tabs) await tab.close();
  assert.deepEqual(firefox.complaints, []);
});

test("Firefox: an agent finds a customer, reads a timeline and ends the session, and an operator sees the figures", async () => {
  await using server = await serve({ config: { console: true } });
  const { handle } = await makeVisit(server.url, "mei.tanaka@shop.example");
  const tab = await firefox.open(`${server.url}/console/search`);
  const shows = (text: string) => tab.waitFor(`document.body.innerText.includes(${JSON.stringify(text)})`);
  const focusIsOn = (text: string) => tab.waitFor(`document.activeElement.textContent.includes("${text}")`);
  await shows("newest first");
  await tab.type(`/${handle}${keys.enter}`);
  await shows("60 of 60 requests");
  await tab.type("e");
  await focusIsOn("404");
  await tab.type(keys.enter);
  await tab.waitFor("document.querySelector('dialog[open]') !== null");
  await tab.type(keys.escape);
  await tab.waitFor("document.querySelector('dialog[open]') === null");
  await focusIsOn("404");
  await tab.click("button", "End session");
  await tab.click("dialog[open] button.danger", "End session");
  await shows("The session was ended.");
  await tab.type("go");
  await tab.waitFor("document.querySelector('.chart-plot canvas') !== null");
  await tab.type("gl");
  // The page shows what happens after it has connected, so the first sessions may be too early.
  const transport = createTransport({ url: server.url });
  await eventually(async () => {
    await transport.create({ customerId: "anna" });
    assert.ok(await tab.evaluate("document.querySelector('tbody').textContent.includes('anna')"));
  }, 60_000);
  await tab.close();
  assert.deepEqual(firefox.complaints, []);
});
