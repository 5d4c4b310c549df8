// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdministration } from "@antechamber/client/administration";
import { createTransport } from "@antechamber/client/transport";
import type { Page } from "playwright-core";
import { assertAccessible, assertNoSideScroll, photograph, sharedConsole } from "./support/console.ts";
import { assertShortTasks } from "./support/tasks.ts";
import { makeSession, makeStory, makeVisit } from "./support/visitors.ts";

const site = await sharedConsole();
const { url } = site.server;
const customerId = "mei.tanaka@shop.example";
const visit = await makeVisit(url, customerId);
const newer = await makeSession(url, { customerId }, { label: "Safari on iPhone" });

const address = (handle: string, more = "") => `sessions?handle=${handle}${more}`;

/** Waits until the focus is on an element whose text matches. */
async function focusOn(page: Page, pattern: RegExp): Promise<void> {
  const text = 'document.activeElement.textContent.replaceAll(/\\s+/g, " ")';
  await page.waitForFunction(`${pattern}.test(${text})`);
}

test("an agent reads a timeline up to the first error, without the mouse", async () => {
  const page = await site.open(address(visit.handle));
  await page.getByText("60 of 60 requests").waitFor();
  await page.keyboard.press("e");
  await focusOn(page, /404.*GET/);
  await page.keyboard.press("n");
  await focusOn(page, /500/);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("img", { name: "Server error" }).waitFor();
  await assertAccessible(page);
  await photograph(page, "session-entry");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await focusOn(page, /500/);
  await page.keyboard.press("i");
  await focusOn(page, /Signed in: customer mei\.tanaka@shop\.example/);
  await page.keyboard.press("ArrowDown");
  await focusOn(page, /GET|POST/);
});

test("an agent jumps to the first error and filters by service with the mouse, and the link keeps the filter", async () => {
  const page = await site.open(address(visit.handle));
  await page.getByRole("button", { name: "First error" }).click();
  await focusOn(page, /404/);
  await page.getByRole("list", { name: "Timeline" }).getByRole("button", { name: /404/ }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("404").first().waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.getByLabel("Service").selectOption("orders");
  await page.getByText("15 of 60 requests").waitFor();
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.waitForFunction('navigator.clipboard.readText().then((text) => text.includes("service=orders"))');
  const link = await page.evaluate<string>("navigator.clipboard.readText()");
  const colleague = await site.open(link);
  await colleague.getByText("15 of 60 requests").waitFor();
});

test("an agent switches between the sessions of a customer, by keys and by mouse", async () => {
  const page = await site.open(address(visit.handle));
  await page.getByRole("link", { name: /Safari on iPhone/ }).waitFor();
  await page.keyboard.press("[");
  await page.waitForURL((to) => to.searchParams.get("handle") === newer.handle);
  await page.getByRole("link", { name: /Firefox on Windows/ }).click();
  await page.waitForURL((to) => to.searchParams.get("handle") === visit.handle);
  await page.getByText("60 of 60 requests").waitFor();
});

test("an agent ends a session after confirming it, without the mouse", async () => {
  const ending = await makeSession(url, { customerId: "ends" });
  const page = await site.open(address(ending.handle));
  await page.getByText("The session began").waitFor();
  await page.keyboard.press("x");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const statusOf = async () => {
    const { sessions } = await createAdministration({ url }).listPage({ handle: ending.handle });
    return sessions[0]?.status;
  };
  assert.equal(await statusOf(), "live", "Enter chooses Cancel");
  await page.keyboard.press("x");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("The session was ended.", { exact: true }).waitFor();
  assert.equal(await statusOf(), "ended");
  await page.getByText("a caller, for this session only").waitFor();
  await page.getByRole("button", { name: "End session" }).waitFor({ state: "detached" });
});

test("an agent ends a session with the mouse", async () => {
  const ending = await makeSession(url, { customerId: "ends too" });
  const page = await site.open(address(ending.handle));
  await page.getByRole("button", { name: "End session" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End session" }).click();
  await page.getByText("The session was ended.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "End session" }).waitFor({ state: "detached" });
});

test("markup and formulas in every text that callers can set are shown as text", async () => {
  const evil = `<img src=x onerror="document.title='carried out'"><script>document.title='carried out'</script>{{7*7}}=1+1`;
  const short = `"><svg onload="document.title='carried out'">`;
  const records = [{ method: "GET", path: `/${short}`, service: short, status: 500, attributes: { [short]: evil } }];
  const ids = { customerId: evil, agentId: short, visitId: `${short}2`, globalVisitId: short };
  const made = await makeSession(url, ids, { label: short, records });
  const page = await site.open(address(made.handle));
  await page.getByText("1 of 1 request").waitFor();
  await page.keyboard.press("e");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText(evil).first().waitFor();
  const titles = [await page.title()];
  for (const path of [`customer?id=${encodeURIComponent(evil)}`, `search?q=${encodeURIComponent(evil)}`, "search"]) {
    const other = await site.open(path);
    await other.getByText(evil).first().waitFor();
    titles.push(await other.title());
  }
  assert.deepEqual(
    titles.filter((title) => title.startsWith("carried")),
    [],
  );
  assert.equal(await page.locator("main img, main script").count(), 0);
});

test("10,000 records scroll and jump without a task over 200 ms", async (t) => {
  const large = await makeVisit(url, "ten thousand", 10_000);
  const page = await site.open("search");
  await assertShortTasks(t, page, async () => {
    // The same page, so that the tasks of all loading are measured.
    await page.getByRole("searchbox").fill(large.handle);
    await page.keyboard.press("Enter");
    await page.getByText("10,000 of 10,000 requests").waitFor();
    await page.locator(".row-list button").first().press("End");
    await focusOn(page, /\+\d+:\d\d:\d\d/);
    await page.keyboard.press("e");
    await focusOn(page, /404/);
    for (let step = 0; step < 20; step++) await page.mouse.wheel(0, 4000);
    const rendered = await page.locator(".row-list li").count();
    assert.ok(rendered < 200, `${rendered} rows are rendered`);
  });
});

test("a visit is shown with its identities, its gaps, its failures and its life", async () => {
  const story = await makeStory(site.server, "ana.sousa@shop.example");
  await createTransport({ url }).mergeData(story.sessionId, { cart: { "sku-1": 2 }, locale: "pt" });
  const page = await site.open("help");
  await page.clock.setFixedTime(site.server.now());
  await page.goto(address(story.handle));
  await page.getByText("60 of 60 requests").waitFor();
  await page.getByLabel("Data of the session").getByText("sku-1 2").waitFor();
  const lines = await page.locator(".row-list > li").allInnerTexts();
  assert.equal(lines[0], "Anonymous visitor");
  assert.ok(lines.includes("ana.sousa@shop.example"), "the band after the sign-in");
  await photograph(page, "session-story");
  await page.keyboard.press("i");
  await page.getByText("8 min 59 s without requests").first().waitFor();
});

test("the data of a session are a tree that can be closed, with their size, and say so if there are none", async () => {
  const { sessionId, handle } = await makeSession(url, { customerId: "with.data@shop.example" });
  const page = await site.open(address(handle));
  await page.getByText("No application has stored data in this session.").waitFor();
  await createTransport({ url }).mergeData(sessionId, {
    cart: { items: [{ sku: "sku-1", count: 2 }], note: "<b>\u202e</b>" },
    locale: null,
    beta: true,
    // So deep that the tree is wider than its column.
    deep: Array.from({ length: 24 }).reduce<object>((inner) => ({ inner }), {}),
  });
  await page.reload();
  const tree = page.getByLabel("Data of the session");
  await tree.getByText('sku "sku-1"').waitFor();
  await tree.getByText('note "<b>').waitFor();
  await page.getByText(/\d+ of 16,384 bytes/).waitFor();
  await assertAccessible(page);
  for (const width of [1280, 320]) await assertNoSideScroll(page, width);
  await tree.getByText("cart", { exact: true }).click();
  await tree.getByText('sku "sku-1"').waitFor({ state: "hidden" });
});

test("the session page is accessible in both colour schemes, and fits small windows", async () => {
  const page = await site.open(address(visit.handle));
  await page.getByText("60 of 60 requests").waitFor();
  await page.getByText("Customer’s sessions").waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "session");
  await page.keyboard.press("t");
  await page
    .getByText(/20\d\d, \d\d:/)
    .first()
    .waitFor();
  for (const width of [1100, 320]) await assertNoSideScroll(page, width);
  await page.keyboard.press("t");
  assert.deepEqual(site.complaints, []);
});

/** The request of a session by its handle, not the page whose address has one. */
const sessionRequest = /\/sessions\?(.*&)?handle=/;

test("the heading of a session gets the focus, also if the session is loaded after the page", async () => {
  const page = await site.open(`search?customerId=${encodeURIComponent(customerId)}`);
  await page.locator("tbody a").first().waitFor();
  let respond: () => void = () => undefined;
  const asked = Promise.withResolvers<void>();
  await page.route(sessionRequest, async (route) => {
    if (route.request().isNavigationRequest()) return route.continue();
    respond = () => void route.continue();
    asked.resolve();
  });
  await page.locator("tbody a").first().click();
  await asked.promise;
  respond();
  await page.locator("h1:focus", { hasText: customerId }).waitFor();
  await page.close();
});

test("a text that is no handle leads to a page that says so, and a failed load to a page with a heading", async () => {
  const page = await site.open(address("a".repeat(24)));
  await page.getByRole("heading", { level: 1, name: "Session not found" }).waitFor();
  await page.getByText("Nothing is stored about this session").waitFor();
  await page.route(sessionRequest, (route) =>
    route.request().isNavigationRequest() ? route.continue() : route.fulfill({ status: 503 }),
  );
  await page.goto(address(visit.handle));
  await page.getByText("This could not be loaded").waitFor();
  await page.getByRole("heading", { level: 1, name: "Session", exact: true }).waitFor();
  await assertAccessible(page);
  await page.close();
});
