// runs: outside

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createAdministration } from "@antechamber/client/administration";
import { createTransport } from "@antechamber/client/transport";
import type { Page } from "playwright-core";
import { assertNoSideScroll, sharedConsole } from "../../console/support/console.ts";
import { shopStatistics } from "../../console/support/statistics.ts";
import { injections, MARK } from "../markup.ts";

/* Markup, other directions of writing, invisible characters and very long words in the texts that callers choose. */

const disguised = ["\u202etxt.exe\u2066", "a\u200b\u200d\ufeff\u00adb", "W".repeat(200), "\u0430dmin", "__proto__"];
const texts = [...injections.map((text) => text.replaceAll(/\p{Cc}/gu, "")), ...disguised];
const [markup = ""] = texts;

// The overview shows finished minutes only.
const folder = await shopStatistics(Date.now(), texts);
const site = await sharedConsole({ config: { dataDir: folder.path } });
after(() => folder.remove());
const { url } = site.server;

/** Creates sessions of one customer, with all texts in every place. Returns the handle of one of them. */
async function makeHostileSessions(): Promise<string> {
  const transport = createTransport({ url });
  const records = texts.map((text) => ({
    ...{ method: "GET", path: `/${text}`, status: 200, durationMs: 1, service: text },
    attributes: { [text.slice(0, 60)]: text, traceId: text },
  }));
  const data = Object.fromEntries(texts.map((text, at) => [text.slice(0, 100), at % 2 === 0 ? text : [text]]));
  let handle = "";
  for (const text of texts) {
    const ids = { customerId: markup, agentId: text, visitId: text, globalVisitId: text };
    const { sessionId } = await transport.create(ids, { label: text.slice(0, 100) });
    if (handle !== "") continue;
    handle = sessionId.slice(0, 24);
    await transport.record(sessionId, records, { durable: true });
    await transport.replaceData(sessionId, data);
  }
  return handle;
}

/** Asserts that no text has become more than a text, and that the page is not wider than its window. */
async function assertHarmless(page: Page, what: string): Promise<void> {
  assert.equal(await page.evaluate<boolean>(`${JSON.stringify(MARK)} in globalThis`), false, what);
  const elements = ":is(main, dialog) :is(script, iframe, base, meta, style, math, img, object, embed)";
  const links = ':is([href^="javascript:" i], [href^="data:" i])';
  assert.equal(await page.locator(`${elements}, ${links}`).count(), 0, what);
  await assertNoSideScroll(page, 390);
}

test("no text of a caller becomes markup, runs a script or breaks the layout in the console", async () => {
  const handle = await makeHostileSessions();
  const admin = createAdministration({ url });
  for (const description of texts) {
    await admin.webhooks.create({ url: "https://receiver.example/", description, types: ["session.ended"] });
  }
  const query = (values: Record<string, string>) => new URLSearchParams(values).toString();
  const page = await site.open("overview");
  const visit = async (path: string) => {
    await page.goto(path);
    // The pages show the text as it is.
    await page.getByText(markup).first().waitFor();
    await assertHarmless(page, path);
  };
  await visit("webhooks");
  await visit("overview");
  await visit(`search?${query({ customerId: markup })}`);
  await visit(`search?${query({ text: `${markup}?` })}`);
  await visit(`customer?${query({ id: markup })}`);
  await visit(`customer?${query({ id: `${markup}?` })}`);
  await visit(`sessions?handle=${handle}`);

  await page.getByRole("list", { name: "Timeline" }).getByRole("button").nth(1).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Attributes").waitFor();
  await assertHarmless(page, "an entry of the timeline");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").getByRole("combobox").waitFor();
  await page.keyboard.type(markup);
  await page.getByRole("dialog").getByRole("option").first().waitFor();
  await assertHarmless(page, "the palette");
  assert.deepEqual(site.complaints, []);
});
