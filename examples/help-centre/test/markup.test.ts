// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { injections, MARK } from "../../../server/test/attacks/markup.ts";
import { startVisitor } from "./browser.ts";
import { startSiteProcess } from "./site-process.ts";

test("text from a visitor is shown as text on both the visitor's and the agent's page, and sends nothing to other hosts", async () => {
  await using site = await startSiteProcess();
  await using visitor = await startVisitor(site.url);
  const page = await visitor.open("/");
  const sessionId = (await visitor.sessionId()) ?? "";
  for (const text of injections) {
    const asked = encodeURIComponent(text);
    for (const path of [`/search?q=${asked}`, `/${asked}`, `/articles/${asked}`]) {
      const answer = await visitor.context.request.get(path);
      assert.ok(answer.status() < 500, path);
    }
  }
  const isClean = async () => {
    await page.waitForLoadState("networkidle");
    assert.equal(await page.evaluate((mark) => mark in globalThis, MARK), false);
    assert.equal(await page.locator("main script, main iframe, main svg, main img").count(), 0);
  };
  for (const text of injections.slice(0, 4)) {
    await page.getByRole("searchbox").fill(text);
    await page.getByRole("button", { name: "Search" }).click();
    await page.waitForURL(/\/search/);
    await isClean();
  }
  await page.goto("/visit");
  await isClean();
  assert.match(await page.getByRole("main").innerText(), /<script>/);
  await page.goto("/sign-in");
  await page.getByLabel("Mei Tanaka").check();
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/visit");
  await page.goto("/agent");
  await page.getByRole("link", { name: "Mei Tanaka" }).click();
  await isClean();
  assert.match(await page.getByRole("main").innerText(), /<script>/);
  assert.equal((await visitor.sessionId())?.slice(0, 24), sessionId.slice(0, 24));
  assert.deepEqual([...visitor.hosts], ["127.0.0.1"]);
});
