// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertNoSideScroll, photograph, sharedConsole } from "./support/console.ts";
import { makeSession, makeVisit } from "./support/visitors.ts";

const site = await sharedConsole();
const { url } = site.server;
const visit = await makeVisit(url, "mei.tanaka@shop.example");
const older = await makeSession(url, { customerId: "mei.tanaka@shop.example" }, { label: "Safari on iPhone" });

test("an agent reads a timeline up to the first error, without the mouse", async () => {
  const page = await site.open(`session?handle=${visit.handle}`);
  await page.getByText("60 of 60 requests").waitFor();
  await page.keyboard.press("e");
  const focused = () => page.evaluate<string>("document.activeElement.innerText.replace(/\\s+/g, ' ')");
  assert.match(await focused(), /404 .*GET/);
  await page.keyboard.press("n");
  assert.match(await focused(), /500/);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog
    .getByText("Server error")
    .or(dialog.getByRole("img", { name: "Server error" }))
    .first()
    .waitFor();
  await assertAccessible(page);
  await photograph(page, "session-entry");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.keyboard.press("i");
  await page.waitForFunction(
    "document.activeElement.innerText.includes('Signed in: customer mei.tanaka@shop.example')",
  );
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction("/GET|POST/.test(document.activeElement.innerText)");
  assert.deepEqual(site.complaints, []);
});

test("the session page is accessible in both colour schemes, and fits small windows", async () => {
  const page = await site.open(`session?handle=${visit.handle}`);
  await page.getByText("60 of 60 requests").waitFor();
  await page.getByText("Sessions of this customer").waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "session");
  assert.equal(older.handle.length, 24);
});
