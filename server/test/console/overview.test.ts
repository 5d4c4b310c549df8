// runs: outside

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { sessionOf } from "../support/api.ts";
import { assertAccessible, assertNoSideScroll, goTo, photograph, sharedConsole, tabTo } from "./support/console.ts";
import { shopStatistics } from "./support/statistics.ts";

const data = await shopStatistics(Date.now());
const site = await sharedConsole({ config: { dataDir: data.path } });
after(() => data.remove());

test("an operator sees at a glance what happens, and chooses the range, which is in the address", async () => {
  const page = await site.open("overview");
  const tiles = page.locator(".tile");
  await tiles.first().waitFor();
  assert.deepEqual(await tiles.locator("h2").allInnerTexts(), [
    ...["Live sessions", "Sessions created", "Recorded requests", "Requests to the API", "Refusals"],
  ]);
  assert.match(await tiles.nth(2).innerText(), /\d[\d.,]* \/ min/);
  await page.getByText("Healthy").waitFor();
  assert.match(await page.locator(".state-line").innerText(), /SQLite/);
  const services = page.getByRole("table", { name: /Services/ }).locator("tbody th");
  await services.nth(4).waitFor();
  assert.deepEqual((await services.allInnerTexts()).toSorted(), ["account", "checkout", "images", "search", "shop"]);

  await page.getByRole("radio", { name: "14 days" }).check();
  await page.waitForURL(/range=14d/);
  await tiles.first().waitFor();
  const opened = await site.open("overview?range=15m");
  assert.ok(await opened.getByRole("radio", { name: "15 minutes" }).isChecked());
  await page.getByRole("radio", { name: "p99" }).first().check();
  await page.getByRole("heading", { name: "Duration by service, p99" }).waitFor();
  assert.deepEqual(site.complaints, []);
});

test("deliveries that wait for a receiver that does not respond are shown", async () => {
  const created = await site.api.call("POST", "/webhooks", { json: { url: "http://127.0.0.1:1/" } });
  assert.equal(created.status, 201, created.text);
  await site.api.create({ headers: { gkc_customerId: "waited for" } });
  const page = await site.open("overview");
  await page.getByText(/^Webhooks [1-9]\d* pending, oldest/).waitFor();
  const { id } = JSON.parse(created.text) as { id: string };
  await site.api.call("DELETE", `/webhooks/${id}`);
});

test("charts are shown in a browser on Linux without a language", async () => {
  const page = await site.context.newPage();
  await page.addInitScript('Object.defineProperty(Navigator.prototype, "language", { get: () => "C" })');
  await page.goto("overview");
  await page.locator(".chart-plot canvas").first().waitFor();
  await page.close();
});

test("services with the names of members that every object inherits do not disturb the page", async () => {
  const { sessionId } = sessionOf(await site.api.create());
  const record = (service: string) => ({ method: "GET", path: "/", status: 200, service });
  const recorded = await site.api.call("POST", `/sessions/${sessionId}/requests?durable=true`, {
    json: ["constructor", "__proto__", "toString"].map(record),
  });
  assert.equal(recorded.status, 202, recorded.text);
  const page = await site.open("overview");
  await page.locator(".tile").first().waitFor();
  assert.deepEqual(site.complaints, []);
});

test("without the mouse, the range is chosen and a chart is read, also as a table", async () => {
  const page = await site.open("help");
  await goTo(page, "o");
  await tabTo(page, page.getByRole("radio", { name: "1 hour" }));
  await page.keyboard.press("ArrowLeft");
  await page.waitForURL(/range=15m/);
  await page.keyboard.press("ArrowRight");
  await page.waitForURL(/range=1h/);
  await tabTo(page, page.getByRole("slider", { name: /Live sessions/ }));
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  const announced = page.locator("[data-region=announcement]");
  await announced.getByText(/live [\d,.k ]+/).waitFor();
  await tabTo(page, page.getByRole("button", { name: "Table of Changes per minute" }));
  await page.keyboard.press("Enter");
  const table = page.getByRole("region", { name: "Changes per minute, as a table" });
  await table.locator("tbody tr").first().waitFor();
  assert.deepEqual(await table.locator("thead th").allInnerTexts(), [
    "Time",
    "created",
    "associated",
    "ended",
    "expired",
  ]);
  assert.ok((await table.locator("tbody tr").count()) >= 59);
  assert.deepEqual(site.complaints, []);
});

test("the page refreshes by itself, and says so when the service does not respond", async () => {
  const page = await site.context.newPage();
  await page.clock.install();
  await page.goto("overview");
  await page.locator(".tile").first().waitFor();
  const refreshed = page.waitForRequest(/\/stats\?/);
  await page.clock.runFor(11_000);
  await refreshed;
  await page.route(/\/stats\?/, (route) => route.abort());
  await page.clock.runFor(60_000);
  await page.getByText("no longer up to date").waitFor();
  await page.locator(".tile").first().waitFor();
  await page.close();
  assert.ok(
    site.complaints.every((text) => /ERR_FAILED/.test(text)),
    site.complaints.join("\n"),
  );
});

test("the overview is accessible in both colour schemes and on a phone", async () => {
  const page = await site.open("overview");
  await page.locator(".tile").first().waitFor();
  await page.getByText("Healthy").waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await page.setViewportSize({ width: 1280, height: 2000 });
  await photograph(page, "overview");
});
