// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestEntry, TimelineEntry } from "@antechamber/client/protocol";
import { createTransport, type Transport } from "@antechamber/client/transport";
import type { Page } from "playwright-core";
import { temporaryDirectory } from "../../../server/test/support/temporary-directory.ts";
import { photograph, startVisitor, timelineOf } from "./browser.ts";
import { startSiteProcess } from "./site-process.ts";

/** Waits until the browser's record of an event is in the session. Returns all entries of the timeline. */
async function untilRecorded(
  antechamber: Transport,
  sessionId: string,
  event: string,
): Promise<readonly TimelineEntry[]> {
  const giveUp = Date.now() + 60_000;
  for (;;) {
    const { records } = await antechamber.timeline(sessionId, { limit: 1000 });
    const isThere = records.filter(isRequest).some(({ attributes }) => attributes["event"] === event);
    if (isThere) return records;
    assert.ok(Date.now() < giveUp, `no record of ${event} in ${JSON.stringify(records)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isRequest(entry: TimelineEntry): entry is RequestEntry {
  return entry.type === "request";
}

async function search(page: Page, terms: string): Promise<void> {
  await page.getByRole("searchbox").fill(terms);
  await page.getByRole("button", { name: "Search" }).click();
  await page.waitForURL(/\/search/);
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel(name).check();
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/visit");
}

const anonymousPart = [
  "The visit began",
  "Looked at all articles help-centre",
  "Looked at all articles help-centre",
  "Searched for “refund” browser",
  "Saw the search’s results help-centre",
  "Chose result 1 browser",
  "Read “When does my refund arrive?” help-centre",
  "Found it helpful browser",
  "Read “Return something” help-centre",
  "Opened the sign-in help-centre",
];

test("a visit in two tabs, before and after the sign-in, is one timeline", async () => {
  await using site = await startSiteProcess();
  await using visitor = await startVisitor(site.url);
  await using pictures = temporaryDirectory();

  const page = await visitor.open("/");
  const sessionId = (await visitor.sessionId()) ?? "";
  assert.equal(sessionId.length, 40);
  const url = await page.locator('meta[name="antechamber"]').getAttribute("content");
  const antechamber = createTransport({ url: url ?? "" });

  const tab = await visitor.open("/");
  await search(page, "refund");
  await page.getByRole("link", { name: "When does my refund arrive?" }).click();
  await page.getByRole("button", { name: "Yes" }).click();
  await page.getByText("Thank you.").waitFor();
  await tab.getByRole("link", { name: "Return something" }).click();
  await untilRecorded(antechamber, sessionId, "feedback");
  await signIn(page, "Mei Tanaka");

  // The session has a new id after the sign-in, and the same handle.
  const signedIn = (await visitor.sessionId()) ?? "";
  assert.equal(signedIn.slice(0, 24), sessionId.slice(0, 24));
  await page.reload();
  const seen = await timelineOf(page);
  assert.deepEqual(seen, {
    "Anonymous visitor": anonymousPart,
    "Recognized as Mei Tanaka": [
      "Signed in as Mei Tanaka",
      "Sent the sign-in help-centre",
      "Looked at this visit help-centre",
    ],
  });
  await photograph(page, process.env["HELP_CENTRE_PICTURES"] ?? pictures.path);

  const { records } = await antechamber.timeline(signedIn);
  const start = records.findIndex((entry) => entry.type === "associated");
  assert.deepEqual(records[start]?.type === "associated" && records[start].ids, {
    customerId: "customer-1003",
  });
  for (const [index, entry] of records.entries()) {
    assert.equal(entry.customerId, index < start ? null : "customer-1003");
  }

  await page.goto("/agent");
  await page.getByRole("link", { name: "Mei Tanaka" }).click();
  const agents = await timelineOf(page);
  assert.deepEqual(agents["Anonymous visitor"], anonymousPart);
  assert.deepEqual(agents["Recognized as Mei Tanaka"]?.slice(0, 3), seen["Recognized as Mei Tanaka"]);
  assert.deepEqual(visitor.complaints, []);
  assert.deepEqual([...visitor.hosts], ["127.0.0.1"]);
});

test("signing out starts another visit in all tabs and leaves the old one unchanged", async () => {
  await using site = await startSiteProcess();
  await using visitor = await startVisitor(site.url);
  const page = await visitor.open("/");
  const tab = await visitor.open("/articles/ways-to-pay");
  const before = (await visitor.sessionId()) ?? "";
  const url = await page.locator('meta[name="antechamber"]').getAttribute("content");
  const antechamber = createTransport({ url: url ?? "" });
  // A record from the browser proves that the browser's client has used the old session.
  await search(page, "gift");
  await untilRecorded(antechamber, before, "search");
  await signIn(page, "Jonas Lindqvist");
  const signedIn = (await visitor.sessionId()) ?? "";
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();

  const after = (await visitor.sessionId()) ?? "";
  assert.notEqual(after.slice(0, 24), before.slice(0, 24));

  await search(tab, "<img src=x onerror=alert(1)>");
  await untilRecorded(antechamber, after, "search");
  await tab.goto("/visit");
  const { "Anonymous visitor": lines, ...others } = await timelineOf(tab);
  assert.deepEqual(lines, [
    "The visit began",
    "Looked at all articles help-centre",
    "Searched for “<img src=x onerror=alert(1)>” browser",
    "Saw the search’s results help-centre",
  ]);
  assert.deepEqual(others, {});
  assert.equal(await visitor.sessionId(), after);
  assert.deepEqual(visitor.complaints, []);

  const requests = (await antechamber.timeline(signedIn)).records.filter(isRequest);
  assert.equal(requests.at(-1)?.path, "/sign-out");
  assert.equal(requests.filter(({ attributes }) => "event" in attributes).length, 1);
});
