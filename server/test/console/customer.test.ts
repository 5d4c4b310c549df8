// runs: outside

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAdministration } from "@antechamber/client/administration";
import { HOUR, MINUTE } from "../support/sessions.ts";
import { assertAccessible, assertNoSideScroll, photograph, sharedConsole } from "./support/console.ts";
import { makeSession, makeStory } from "./support/visitors.ts";

const site = await sharedConsole();
const { url } = site.server;
const admin = createAdministration({ url });

async function liveOf(customerId: string): Promise<string[]> {
  const live: string[] = [];
  for await (const { handle } of admin.list({ customerId, live: true })) live.push(handle);
  return live;
}

test("the customer page shows all sessions, is accessible in both colour schemes, and fits small windows", async () => {
  const customerId = "ana.sousa@shop.example";
  await makeStory(site.server, customerId);
  site.server.pass(2 * HOUR);
  const other = await makeSession(url, { customerId }, { label: "Safari on iPhone" });
  await admin.end(other.handle);
  await makeSession(url, { customerId }, { label: "Chrome on Android", records: [{ method: "GET", path: "/basket" }] });
  site.server.pass(12 * MINUTE);
  await makeStory(site.server, customerId, "Edge on Windows");
  await site.context.clock.setFixedTime(site.server.now());
  const page = await site.open(`customer?id=${encodeURIComponent(customerId)}`);
  await page.getByText(/entries, newest first/).waitFor();
  await page.locator(".lane").nth(3).waitFor();
  assert.equal(await page.locator(".lane").count(), 4);
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "customer");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/sessions\?handle=/);
  assert.deepEqual(site.complaints, []);
});

test("an agent signs a customer out everywhere else, after a count, without the mouse", async () => {
  const customerId = "signs out";
  const kept = await makeSession(url, { customerId }, { label: "Desk" });
  await makeSession(url, { customerId }, { label: "Phone" });
  await makeSession(url, { customerId }, { label: "Lost laptop" });
  const page = await site.open(`customer?id=${encodeURIComponent(customerId)}`);
  await page.keyboard.press("x");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("3 sessions will end.").waitFor();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type("Everywhere except Desk");
  await dialog.getByText("2 sessions will end.").waitFor();
  await assertAccessible(page);
  await photograph(page, "customer-sign-out");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("2 sessions ended.").waitFor();
  assert.deepEqual(await liveOf(customerId), [kept.handle]);
});

test("an administrator exports a customer from the palette, without the mouse", async () => {
  const customerId = "=cmd|exports/../x";
  await makeSession(url, { customerId }, { records: [{ method: "GET", path: "/secret" }] });
  const page = await site.open(`customer?id=${encodeURIComponent(customerId)}`);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").waitFor();
  await page.keyboard.type("export");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Export this customer" }).waitFor();
  const download = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  const file = await download;
  assert.equal(file.suggestedFilename(), "customer--cmd-exports-..-x.ndjson");
  const lines = readFileSync(await file.path(), "utf8")
    .trim()
    .split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { type: string }).type),
    ["session", "entry", "entry", "answer", "answer"],
  );
  await page.getByText("Exported 5 lines.").waitFor();
});

test("an administrator erases a customer only after a count and the typed id, without the mouse", async () => {
  const customerId = "Erika Mustermann";
  await makeSession(url, { customerId });
  await makeSession(url, { customerId });
  const page = await site.open(`customer?id=${encodeURIComponent(customerId)}`);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").waitFor();
  await page.keyboard.type("erase");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  const button = dialog.getByRole("button", { name: "Erase 2 sessions" });
  await button.waitFor();
  await page.keyboard.type("erika mustermann");
  assert.equal(await button.isDisabled(), true);
  await page.keyboard.press("Enter");
  assert.equal((await liveOf(customerId)).length, 2);
  await assertAccessible(page);
  await photograph(page, "customer-erase");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(customerId);
  await page.keyboard.press("Enter");
  await page.getByText("2 sessions erased").waitFor();
  await page.getByText("Customer not found").waitFor();
  assert.deepEqual(await liveOf(customerId), []);
  assert.deepEqual(site.complaints, []);
});

test("an administrator signs a customer out everywhere else, exports and erases the customer with the mouse", async () => {
  const customerId = "leaves the shop";
  const kept = await makeSession(url, { customerId }, { label: "Desk" });
  await makeSession(url, { customerId }, { label: "Phone" });
  const page = await site.open(`customer?id=${encodeURIComponent(customerId)}`);
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Sign out…" }).click();
  await dialog.getByText("2 sessions will end.").waitFor();
  await dialog.getByRole("combobox").selectOption(kept.handle);
  await dialog.getByRole("button", { name: "End 1 session" }).click();
  await page.getByText("1 session ended.").waitFor();
  assert.deepEqual(await liveOf(customerId), [kept.handle]);

  await page.getByRole("button", { name: "Export", exact: true }).click();
  const download = page.waitForEvent("download");
  await dialog.getByRole("button", { name: "Export", exact: true }).click();
  assert.equal((await download).suggestedFilename(), "customer-leaves-the-shop.ndjson");
  await page.getByText(/^Exported \d+ lines\.$/).waitFor();

  await page.getByRole("button", { name: "Erase…" }).click();
  await dialog.getByRole("textbox").fill(customerId);
  await dialog.getByRole("button", { name: "Erase 2 sessions" }).click();
  await page.getByText("Customer not found").waitFor();
  assert.deepEqual(site.complaints, []);
});
