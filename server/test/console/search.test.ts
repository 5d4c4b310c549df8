// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/eventually.ts";
import { assertAccessible, assertNoSideScroll, photograph, sharedConsole } from "./support/console.ts";
import { makeSession, makeShopVisitors } from "./support/visitors.ts";

const site = await sharedConsole();
const { url } = site.server;
const visitors = await makeShopVisitors(url, 60);

test("an agent finds a customer by pasting an id, without the mouse", async () => {
  const page = await site.open("search");
  await page.keyboard.press("/");
  await page.keyboard.type("zoë@shop.example");
  await page.keyboard.press("Enter");
  await page.waitForURL(/customerId=/);
  assert.equal(new URL(page.url()).searchParams.get("customerId"), "zoë@shop.example");
  await page.locator("tbody tr").first().waitFor();
  const customers = await page.locator("tbody td[data-title=Customer]").allInnerTexts();
  assert.ok(customers.length > 3);
  assert.deepEqual(new Set(customers), new Set(["zoë@shop.example"]));
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const focused = await page.evaluate("document.activeElement.closest('tr').rowIndex");
  assert.equal(focused, 2);
  await page.keyboard.press("y");
  await page.getByText("Copied the link.").waitFor();
  const colleague = await site.open(await page.evaluate<string>("navigator.clipboard.readText()"));
  await colleague.locator("tbody tr").first().waitFor();
  assert.deepEqual(await colleague.locator("tbody td[data-title=Customer]").allInnerTexts(), customers);
  // The link after that of the session.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "zoë@shop.example" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/sessions\?handle=/);
  assert.deepEqual(site.complaints, []);
});

test("a text that is an id of two kinds leads to a choice with counts", async () => {
  await makeSession(url, { customerId: "twice" });
  await makeSession(url, { agentId: "twice" });
  await makeSession(url, { agentId: "twice" });
  const page = await site.open("search?q=twice");
  await page.locator(".choices li").first().waitFor();
  assert.deepEqual(await page.locator(".choices a").allInnerTexts(), ["Customer\n1 session", "Agent\n2 sessions"]);
  await page.getByRole("link", { name: "Agent" }).click();
  await page.locator("tbody tr").nth(1).waitFor();
  assert.equal(await page.locator("tbody tr").count(), 2);
});

test("a pasted session id leads to its handle, and is in no address, request or storage", async () => {
  const { sessionId, handle } = await makeSession(url, { customerId: "secret-holder" });
  const addresses: string[] = [];
  const page = await site.open("search");
  page.on("request", (request) => addresses.push(request.url(), request.postData() ?? ""));
  page.on("framenavigated", (frame) => addresses.push(frame.url()));
  const box = page.getByRole("searchbox");
  await box.fill(` sessionId=${sessionId}; path=/`);
  await box.press("Enter");
  await page.waitForURL(/sessions\?handle=/);
  assert.equal(new URL(page.url()).searchParams.get("handle"), handle);
  const stored = await page.evaluate<string>(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state])",
  );
  const secret = sessionId.slice(24);
  assert.deepEqual(
    [...addresses, stored].filter((text) => text.includes(secret)),
    [],
  );
});

test("a pasted API key is not searched for", async () => {
  const page = await site.open("search");
  const box = page.getByRole("searchbox");
  await box.fill(`ak_${"x".repeat(43)}`);
  await box.press("Enter");
  await page.getByText("It was not searched for.").waitFor();
  assert.equal(new URL(page.url()).search, "");
});

test("pages of the list are bounded and are in the address, so the back button works", async () => {
  const page = await site.open("search");
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("tbody tr").count(), 50);
  const first = await page.locator("tbody tr code").first().innerText();
  await page.keyboard.press("]");
  await page.getByText("page 2").waitFor();
  assert.notEqual(await page.locator("tbody tr code").first().innerText(), first);
  assert.ok(new URL(page.url()).searchParams.get("cursor"));
  await page.keyboard.press("[");
  await page.getByText("page 2").waitFor({ state: "detached" });
  await page.getByText(first).waitFor();
});

test("filters are in the address, so that a link shows a colleague the same", async () => {
  const page = await site.open("search");
  await page.getByRole("combobox", { name: "Status" }).selectOption("Expired and ended");
  await page.waitForURL(/live=false/);
  await page.locator("tbody tr").nth(3).waitFor();
  const colleague = await site.open(page.url());
  await colleague.locator("tbody tr").nth(3).waitFor();
  assert.equal(await colleague.locator("tbody tr").count(), 4);
  assert.deepEqual(new Set(await colleague.locator("td[data-title=Status]").allInnerTexts()), new Set(["ended"]));
  await colleague.getByRole("button", { name: /^Remove the filter Status/ }).click();
  await colleague.locator("tbody tr").nth(40).waitFor();
  await colleague.getByRole("link", { name: "zoë@shop.example" }).first().click();
  await colleague.getByText(/^Customer with /).waitFor();
  assert.equal(visitors.length, 60);
});

test("the search is accessible in both colour schemes, and fits small windows", async () => {
  const page = await site.open("search?customerId=k-88213&live=true");
  await page.locator("tbody tr").first().waitFor();
  const menu = page.locator("summary", { hasText: "More filters" });
  await menu.click();
  await page.getByRole("textbox", { name: "Global visit" }).focus();
  await assertAccessible(page);
  await page.keyboard.press("Escape");
  await page.waitForFunction("document.activeElement.tagName === 'SUMMARY'");
  await assertNoSideScroll(page);
  await photograph(page, "search");
  const empty = await site.open("search?q=nobody");
  await empty.getByText("Nothing has this id").waitFor();
  await assertAccessible(empty);
  await photograph(empty, "search-nothing");
  const help = await site.open("help");
  await assertAccessible(help);
  await assertNoSideScroll(help);
  await photograph(help, "help");
  await help.keyboard.press("Control+k");
  await help.getByRole("combobox").waitFor();
  await assertAccessible(help);
  await photograph(help, "palette");
  assert.deepEqual(site.complaints, []);
});

test("filters that are typed take effect together, and the address has them", async () => {
  const page = await site.open("search");
  const menu = page.locator("summary", { hasText: "More filters" });
  await menu.click();
  await page.getByRole("textbox", { name: "Customer", exact: true }).fill("k-88213");
  await page.getByLabel("Created from", { exact: true }).fill("2020-01-02T03:04");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/customerId=k-88213/);
  const query = () => new URL(page.url()).searchParams;
  assert.match(query().get("since") ?? "", /^20(?:20|19)-[\d-]+T[\d:]+\.000Z$/);
  await menu.click();
  assert.equal(await page.getByLabel("Created from", { exact: true }).inputValue(), "2020-01-02T03:04");
  await page.close();
});

test("on a phone the open filters take the whole width", async () => {
  const page = await site.open("search");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator("summary", { hasText: "More filters" }).click();
  const { width = 0 } = (await page.getByRole("textbox", { name: "Customer", exact: true }).boundingBox()) ?? {};
  assert.ok(width > 300, `the field is ${width} pixels wide`);
  await page.close();
});

test("the list is refreshed every ten seconds, never while the tab is hidden, and less often after failures", async () => {
  const page = await site.context.newPage();
  await page.clock.install();
  let requests = 0;
  page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/sessions") requests += 1;
  });
  const next = () => page.waitForResponse((response) => new URL(response.url()).pathname === "/sessions");
  await page.goto("search?customerId=k-88213");
  await page.locator("tbody tr").first().waitFor();
  // From now on time passes only by `runFor`.
  await page.clock.pauseAt(Date.now() + 60_000);
  const refreshed = next();
  await page.clock.runFor(11_000);
  await refreshed;
  const setHidden = (isHidden: boolean) =>
    page.evaluate(`
      Object.defineProperty(document, "hidden", { configurable: true, value: ${isHidden} });
      document.dispatchEvent(new Event("visibilitychange"));
    `);
  await setHidden(true);
  const before = requests;
  await page.clock.runFor(60_000);
  assert.equal(requests, before, "requests while hidden");
  const again = next();
  await setHidden(false);
  await page.clock.runFor(1);
  await again;

  await page.route(/\/sessions\?/, (route) => route.abort());
  await page.clock.runFor(11_000);
  const outdated = page.getByText("This is no longer up to date.");
  // The client itself tries a failed call three times within a second.
  const isShown = async () => {
    await page.clock.runFor(100);
    return await outdated.isVisible();
  };
  await until("the page says so", isShown);
  const afterFailure = requests;
  await page.clock.runFor(12_000);
  assert.equal(requests, afterFailure, "requests 12 s after a failure");
  assert.ok((await page.locator("tbody tr").count()) > 0, "the last list stays");
});
