// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { startVisitor } from "../../../../examples/help-centre/test/browser.ts";
import { createApi, sessionOf } from "../../support/api.ts";
import { serve } from "../../support/in-process.ts";
import { acceptedOf, post } from "../../support/records.ts";
import { injections, MARK } from "../markup.ts";

test("the API page shows ids that contain markup as text, and executes none of them", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create({ json: { visitId: injections[0] } }));
  const records = injections.map((text) => ({
    ...{ method: "GET", path: `/${text}`, service: text.slice(0, 256).replaceAll(/\p{Cc}/gu, "") },
    attributes: { [text.slice(0, 60)]: text },
  }));
  assert.equal(acceptedOf(await post(api, sessionId, records)), injections.length);
  await using visitor = await startVisitor(server.url);
  const page = await visitor.open("/docs");

  for (const operation of ["readTimeline", "retrieveSession"]) {
    const part = page.locator(`.opblock[id$="${operation}"]`);
    await part.locator(".opblock-summary-control").click();
    await part.getByRole("button", { name: "Try it out" }).click();
    await part.getByPlaceholder("sessionId").first().fill(sessionId);
    await part.getByRole("button", { name: "Execute" }).click();
    const shown = part.locator(".live-responses-table .response .highlight-code").first();
    await shown.waitFor();
    const text = await shown.innerText();
    assert.ok(text.includes("<script>") && text.includes(sessionId.slice(0, 24)), text.slice(0, 500));
    // Resources that load late could execute something, too.
    await page.waitForLoadState("networkidle");
    assert.equal(await page.evaluate((mark) => mark in globalThis, MARK), false);
  }
  assert.deepEqual(visitor.complaints, []);
  assert.deepEqual([...visitor.hosts], ["127.0.0.1"]);
});

test("an API response that is opened in a browser is not shown as a page, and executes nothing", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  await using visitor = await startVisitor(server.url);
  for (const text of injections.slice(0, 4)) {
    const { sessionId } = sessionOf(await api.create({ json: { visitId: text } }));
    for (const path of [`/sessions/${sessionId}`, `/${encodeURIComponent(text)}`]) {
      const page = await visitor.open(path);
      assert.equal(await page.locator("script, img, svg, iframe").count(), 0, path);
      assert.equal(await page.evaluate((mark) => mark in globalThis, MARK), false);
      await page.close();
    }
  }
});
