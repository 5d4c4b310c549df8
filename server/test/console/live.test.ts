// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { createTransport } from "@antechamber/client/transport";
import type { Page } from "playwright-core";
import { eventually, until } from "../support/eventually.ts";
import { assertAccessible, assertNoSideScroll, goTo, photograph, sharedConsole } from "./support/console.ts";
import { makeSession } from "./support/visitors.ts";

const site = await sharedConsole();
const { url } = site.server;

const rowsOf = (page: Page) => page.locator("tbody tr");
const cells = (page: Page, title: string) => page.locator(`tbody [data-title=${title}]`).allInnerTexts();

/** Waits until the page is connected: a session that is created then appears. */
async function connected(page: Page, probe: string): Promise<void> {
  await until("the page shows events", async () => {
    await makeSession(url, { customerId: probe });
    // A few events suffice, and many would push others out of the list.
    await page
      .locator("tbody")
      .filter({ hasText: probe })
      .waitFor({ timeout: 500 })
      .catch(() => undefined);
    return (await cells(page, "Customer")).includes(probe);
  });
  await settled(page, probe, "the last one");
}

/** Waits until all events so far are shown: they are in order, so all earlier ones are shown with this one. */
async function settled(page: Page, customerId: string, label: string): Promise<void> {
  await makeSession(url, { customerId }, { label });
  await until("the last one is shown", async () => (await cells(page, "Detail"))[0] === label);
}

/** Creates a session of a customer that signs in and out. */
async function makeVisit(customerId: string): Promise<void> {
  const { sessionId } = await makeSession(url, { visitId: `visit of ${customerId}` }, { label: "Firefox on Windows" });
  const transport = createTransport({ url });
  await transport.update(sessionId, { customerId });
  await transport.end(sessionId);
}

test("events appear as they happen, newest first, and lead to the session and the customer", async () => {
  const page = await site.open("help");
  await goTo(page, "l");
  await page.getByRole("heading", { level: 1, name: "Live" }).waitFor();
  await connected(page, "first");
  await makeVisit("zoë@shop.example");
  await until("the visit is shown", async () => (await cells(page, "Event"))[0] === "ended");
  assert.deepEqual((await cells(page, "Event")).slice(0, 3), ["ended", "associated", "created"]);
  assert.deepEqual((await cells(page, "Customer")).slice(0, 3), ["zoë@shop.example", "zoë@shop.example", "anonymous"]);
  assert.deepEqual((await cells(page, "Detail")).slice(0, 2), ["signed out", "with customer"]);
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "live");
  await page.keyboard.press("j");
  const link = await page.evaluate<string>("document.activeElement.getAttribute('href')");
  assert.match(link, /customer\?id=zo/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "zoë@shop.example" }).waitFor();
  assert.deepEqual(site.complaints, []);
  await page.close();
});

test("while the list is paused, new events wait and are counted", async () => {
  const page = await site.open("live");
  await connected(page, "before");
  await page.keyboard.press("p");
  const before = await rowsOf(page).count();
  for (let i = 0; i < 12; i++) await makeSession(url, { customerId: `waiting-${i}` });
  await page.getByRole("button", { name: "12 new events" }).waitFor();
  assert.equal(await rowsOf(page).count(), before);
  await photograph(page, "live-paused");
  await page.keyboard.press("n");
  await until("they are shown", async () => (await rowsOf(page).count()) === before + 12);
  await page.getByRole("button", { name: "Continue" }).click();
  await settled(page, "after the pause", "shown at once");
  await page.getByRole("button", { name: "Pause" }).click();
  await makeSession(url, { customerId: "waits" });
  await page.getByRole("button", { name: "1 new event" }).click();
  await rowsOf(page).filter({ hasText: "waits" }).locator("[data-title=Session] a").click();
  await page.getByRole("heading", { level: 1, name: "waits" }).waitFor();
  await page.close();
});

test("filters are in the address, and the list stays bounded in a flood", async () => {
  const page = await site.open("live?types=session.created&customerId=flood");
  await connected(page, "flood");
  for (let at = 0; at < 6; at++) {
    await Promise.all(Array.from({ length: 50 }, () => makeSession(url, { customerId: "flood" })));
    await makeVisit("somebody else");
  }
  await until("the list is full", async () => (await rowsOf(page).count()) === 200);
  assert.deepEqual(new Set(await cells(page, "Customer")), new Set(["flood"]));
  assert.deepEqual(new Set(await cells(page, "Event")), new Set(["created"]));
  await settled(page, "flood", "after the flood");
  await page.evaluate("scrollTo(0, 2000)");
  await until("the page is scrolled", async () => (await page.evaluate<number>("scrollY")) > 1000);
  await makeSession(url, { customerId: "flood" });
  const news = page.getByRole("button", { name: "1 new event" });
  await news.waitFor();
  await news.click();
  await until("the top is shown", async () => (await page.evaluate<number>("scrollY")) === 0);
  await page.getByRole("button", { name: "Clear all" }).click();
  assert.equal(new URL(page.url()).search, "");
  await page.getByText("Events", { exact: true }).click();
  await page.getByLabel("ended").check();
  await page.waitForURL(/types=session.ended/);
  await page.close();
});

test("two tabs share one connection, and the second continues when the first is closed", async () => {
  let streams = 0;
  site.context.on("request", (request) => {
    if (new URL(request.url()).pathname === "/events") streams++;
  });
  const [one, two] = [await site.open("live"), await site.open("live")];
  await connected(one, "shared");
  await until("both show it", async () => (await cells(two, "Customer")).includes("shared"));
  assert.equal(streams, 1);
  await one.close();
  await makeSession(url, { customerId: "after the first" });
  await until("the second shows it", async () => (await cells(two, "Customer")).includes("after the first"));
  assert.equal(streams, 2);
  await two.close();
});

test("a hidden page closes its connection, and later shows the events that it has missed", async () => {
  const page = await site.context.newPage();
  await page.clock.install();
  await page.goto("live");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await connected(page, "before hiding");
  const setHidden = (isHidden: boolean) =>
    page.evaluate(
      `Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
       document.dispatchEvent(new Event("visibilitychange"))`,
    );
  const readers = async () => {
    const { text } = await site.api.call("GET", "/metrics");
    return Number(/^antechamber_event_readers (\d+)$/m.exec(text)?.[1]);
  };
  await until("only this page reads", async () => (await readers()) === 1);
  await setHidden(true);
  await page.clock.fastForward(31_000);
  await until("the connection is closed", async () => (await readers()) === 0);
  await makeSession(url, { customerId: "while hidden" });
  await setHidden(false);
  await until("it is shown", async () => (await cells(page, "Customer")).includes("while hidden"));

  await setHidden(true);
  await page.clock.fastForward(31_000);
  await until("the connection is closed", async () => (await readers()) === 0);
  await page.clock.fastForward(6 * 60_000);
  await makeSession(url, { customerId: "long ago" });
  await setHidden(false);
  await connected(page, "after long");
  assert.ok((await cells(page, "Event")).includes("gap"));
  assert.ok(!(await cells(page, "Customer")).includes("long ago"));
  await page.close();
});

test("the page does not grow with the number of events", async () => {
  const page = await site.open("live");
  await connected(page, "growing");
  const devtools = await site.context.newCDPSession(page);
  const flood = async (count: number) => {
    for (let left = count; left > 0; left -= 50) {
      await Promise.all(Array.from({ length: 50 }, () => makeSession(url, { customerId: "growing" })));
    }
    await settled(page, "growing", `after ${count}`);
    await devtools.send("HeapProfiler.collectGarbage");
    const { nodes, jsEventListeners } = await devtools.send("Memory.getDOMCounters");
    return { nodes, jsEventListeners };
  };
  const first = await flood(300);
  await flood(1000);
  // The browser may remove nodes later.
  await eventually(async () => {
    const second = await flood(50);
    assert.ok(second.nodes < first.nodes * 1.1, `${first.nodes} nodes, then ${second.nodes}`);
    assert.ok(second.jsEventListeners < first.jsEventListeners * 1.1, "listeners");
  });
  await page.close();
});
