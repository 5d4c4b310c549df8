// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import type { Page } from "playwright-core";
import { createApi } from "../../support/api.ts";
import { startChromium } from "../../support/chromium.ts";
import { serve } from "../../support/in-process.ts";

/** Opens an operation on the page, ready to be filled in. */
async function tryOut(page: Page, tag: string, operation: string) {
  const block = page.locator(`#operations-${tag}-${operation}`);
  await block.locator(".opblock-summary-control").click();
  await block.locator(".try-out__btn").click();
  return {
    block,
    async execute(): Promise<string> {
      const answered = page.waitForResponse((response) => !response.url().includes("/docs"));
      await block.locator(".execute").click();
      const answer = await (await answered).text();
      await block.locator(".live-responses-table .response-col_description pre").first().waitFor();
      return answer;
    },
  };
}

test("the page sends only fields that were filled in, and fits desktops and phones", async () => {
  await using server = await serve();
  await using chromium = await startChromium();
  await createApi(server.url).create({ headers: { gkc_customerId: "customer-4711" } });
  const page = await chromium.browser.newPage({ viewport: { width: 1280, height: 900 } });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(`${server.url}/`);
  assert.equal(page.url(), `${server.url}/docs`);

  const create = await tryOut(page, "sessions", "createSession");
  const inputs = create.block.locator(".parameters input");
  assert.equal(await inputs.count(), 4);
  for (const input of await inputs.all()) assert.equal(await input.inputValue(), "");
  const made = [await create.execute(), await create.execute()].map((text) => JSON.parse(text) as SessionInfo);
  assert.deepEqual(
    made.map(({ state, visitId }) => [state, visitId]),
    [
      ["anonymous", null],
      ["anonymous", null],
    ],
  );
  assert.notEqual(made[0]?.sessionId, made[1]?.sessionId);

  const list = await tryOut(page, "administration", "listSessions");
  const found = JSON.parse(await list.execute()) as { total: number; sessions: SessionInfo[] };
  assert.equal(found.sessions[0]?.customerId, "customer-4711");

  const tell = await tryOut(page, "administration", "exportCustomer");
  await tell.block.locator("input[placeholder=customerId]").fill("customer-4711");
  await tell.execute();
  const shown = await tell.block.locator(".live-responses-table").innerText();
  assert.match(shown, /"type":"end"/);
  assert.doesNotMatch(shown, /can't parse/);

  const audit = await tryOut(page, "administration", "readAudit");
  assert.match(await audit.execute(), /customer\.export/);

  const tooWide = "document.documentElement.scrollWidth - innerWidth";
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    assert.equal(await page.evaluate(tooWide), 0, `at a width of ${width}`);
  }
  assert.deepEqual(complaints, []);
});
