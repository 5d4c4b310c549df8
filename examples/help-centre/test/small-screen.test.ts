// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { startHelpCentre } from "../help-centre.ts";
import { startVisitor } from "./browser.ts";

test("no page is wider than a screen of 360 pixels", async () => {
  const site = await startHelpCentre({ port: 0 });
  try {
    await using visitor = await startVisitor(site.url);
    const page = await visitor.open("/");
    await page.setViewportSize({ width: 360, height: 740 });
    const word = "a".repeat(90);
    const paths = ["/", `/search?q=${word}`, "/articles/return-an-order", "/sign-in", "/visit"];
    for (const path of [...paths, "/agent", "/agent/visits/1"]) {
      assert.equal((await page.goto(path))?.status(), 200, path);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360, path);
    }
    assert.deepEqual(visitor.complaints, []);
  } finally {
    await site.close();
  }
});
