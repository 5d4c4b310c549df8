// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { until } from "../support/eventually.ts";
import { startIssuer } from "../support/issuer.ts";
import { type Holder, holders } from "../support/key-holders.ts";
import { assertAccessible, assertNoSideScroll, goTo, photograph, sharedConsole, tabTo } from "./support/console.ts";
import { makeSession } from "./support/visitors.ts";

const site = await sharedConsole({
  config: { auth: "key" },
  keys: Object.values(holders).map(({ key }) => key),
});
const secretOf = (person: Holder) => holders[person].bearer.replace("Bearer ", "");

async function signIn(page: Page, credential: string): Promise<void> {
  await page.getByLabel("API key").fill(credential);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Opens a page as a person who has just signed in. */
async function openAs(person: Holder, path: string): Promise<Page> {
  await site.context.clearCookies();
  const page = await site.open(path);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn(page, secretOf(person));
  await page.getByRole("heading", { name: "Sign in" }).waitFor({ state: "detached" });
  return page;
}

test("somebody who is not signed in gets the sign-in, and then the page that they wanted", async () => {
  await site.context.clearCookies();
  const page = await site.open("audit?action=key");
  await page.getByLabel("API key").waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "sign-in");
  await signIn(page, "ak_unknown");
  await page.getByText("This API key is not valid").waitFor();
  await signIn(page, secretOf("alice"));
  await page.getByText("This role may not use the console").waitFor();
  await page.route(/sign-in$/, (route) => route.fulfill({ status: 204 }));
  await signIn(page, secretOf("administrator"));
  await page.getByText("The browser does not store the cookie").waitFor();
  await page.unroute(/sign-in$/);
  await signIn(page, secretOf("administrator"));
  await page.getByRole("heading", { name: "Audit trail" }).waitFor();
  assert.ok(page.url().endsWith("/console/audit?action=key"));
  // Neither scripts nor the storage of the browser can get at the key.
  const readable = await page.evaluate<string>(
    "document.cookie + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })",
  );
  assert.ok(!/ak_|antechamber-console/.test(readable));
});

test("a link to the sign-in leads only into the console", async () => {
  for (const next of [
    "https://evil.example/",
    "//evil.example",
    "../docs",
    "a/../../docs",
    "..%2f..%2fdocs",
    "javascript:alert(1)",
  ]) {
    await site.context.clearCookies();
    const page = await site.open(`sign-in?next=${encodeURIComponent(next)}`);
    await signIn(page, secretOf("agent"));
    await page.getByRole("heading", { name: "Sign in" }).waitFor({ state: "detached" });
    assert.ok(page.url().startsWith(`${site.server.url}/console/`), page.url());
    await page.close();
  }
});

test("signing out ends the sign-in for every tab", async () => {
  const page = await openAs("agent", "search");
  const other = await site.open("search");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("API key").waitFor();
  await other.reload();
  await other.getByLabel("API key").waitFor();
});

test("each role sees the pages that it may use", async () => {
  const pagesOf = async (person: Holder) => {
    const page = await openAs(person, "help");
    const links = page.getByRole("navigation", { name: "Pages of the console" }).getByRole("link");
    await links.first().waitFor();
    return await links.allInnerTexts();
  };
  const short = (texts: readonly string[]) => texts.map((text) => text.split("\n")[0]);
  const operators = ["API keys", "Audit trail", "Settings"];
  for (const person of ["agent", "reporter", "service"] as const) {
    const shown = short(await pagesOf(person));
    assert.ok(shown.includes("Search"));
    assert.deepEqual(
      operators.filter((name) => shown.includes(name)),
      [],
      person,
    );
  }
  const all = short(await pagesOf("administrator"));
  assert.deepEqual(
    operators.filter((name) => all.includes(name)),
    operators,
  );
});

test("the address of a page for other roles shows that, and nothing of the page", async () => {
  const page = await openAs("agent", "keys");
  await page.getByRole("heading", { name: "This page is not for the role agent" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Create a key" }).count(), 0);
  await assertAccessible(page);
  await photograph(page, "keys-as-agent");
});

test("an administrator creates, rotates and revokes a key, and finds who did it, by the keyboard alone", async () => {
  const page = await openAs("administrator", "help");
  await goTo(page, "k");
  const pressButton = async (name: string) => {
    await tabTo(page, page.getByRole("button", { name }));
    await page.keyboard.press("Enter");
  };
  await page.locator("tbody tr").first().waitFor();
  await page.keyboard.press("a");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("Till 4");
  await photograph(page, "key-create");
  await page.keyboard.press("Enter");
  const secret = await page.locator(".secret code").innerText();
  assert.match(secret, /^ak_/);
  await assertAccessible(page);
  await photograph(page, "key-secret");
  await pressButton("I have stored it");
  const status = async (key: string) =>
    (await fetch(`${site.server.url}/sessions`, { headers: { authorization: `Bearer ${key}` } })).status;
  assert.equal(await status(secret), 200);
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "keys");
  await pressButton("Rotate Till 4");
  await tabTo(page, page.getByLabel("Time to change to the new key"));
  await page.keyboard.type("Revoke it at once");
  await pressButton("Rotate the key");
  const second = await page.locator(".secret code").innerText();
  await pressButton("I have stored it");
  assert.deepEqual([await status(secret), await status(second)], [401, 200]);
  await pressButton("Revoke Till 4");
  await pressButton("Revoke the key");
  await page.getByText("The key Till 4 is revoked.").waitFor();
  assert.equal(await status(second), 401);
  const statuses = page.locator("tbody tr", { hasText: "Till 4" }).locator("td[data-title=Status]");
  await until("the list is loaded", async () => (await statuses.allInnerTexts()).join() === "expired,revoked");
  // The last administrator is warned.
  await page.getByRole("button", { name: `Revoke ${holders.administrator.key.id}` }).press("Enter");
  await page.getByText("It is the last valid key of an administrator").waitFor();
  await page.keyboard.press("Escape");

  await goTo(page, "a");
  await tabTo(page, page.getByLabel("What", { exact: true }));
  await page.keyboard.type("API keys");
  await page.waitForURL(/action=key/);
  const newest = page.locator("tbody tr").first();
  await newest.filter({ hasText: "key.revoke" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL((to) => to.searchParams.get("actor") === holders.administrator.key.id);
  assert.deepEqual(
    site.complaints.filter((text) => !text.includes("status of 40")),
    [],
  );
});

test("an administrator creates and rotates a key, and finds who did it, with the mouse", async () => {
  const page = await openAs("administrator", "keys");
  const click = async (name: string) => await page.getByRole("button", { name }).click();
  await click("Create a key");
  await page.getByLabel("Name").fill("Till 5");
  await click("Create the key");
  const secret = await page.locator(".secret code").innerText();
  await click("I have stored it");
  await click("Rotate Till 5");
  await click("Rotate the key");
  assert.notEqual(await page.locator(".secret code").innerText(), secret);
  await click("I have stored it");
  await page.getByRole("link", { name: /^Audit trail/ }).click();
  await page.getByRole("link", { name: "key.rotate" }).first().click();
  await page.waitForURL(/action=key\.rotate/);
  const row = page.locator("tbody tr").first();
  await row.filter({ hasText: "done" }).waitFor();
  await row.getByRole("rowheader").getByRole("link").click();
  await page.waitForURL((to) => to.searchParams.get("actor") === holders.administrator.key.id);
});

test("the audit trail is filtered by its address, and verified", async () => {
  const { handle } = await makeSession(site.server.url, {}, {}).catch(() => ({ handle: "" }));
  assert.equal(handle, "");
  const page = await openAs("administrator", "audit");
  await page.locator("tbody tr").first().waitFor();
  await page.getByRole("button", { name: "Verify the trail" }).click();
  await page.getByText("intact", { exact: true }).waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "audit");
  await page.getByLabel("What", { exact: true }).selectOption("API keys");
  await page.waitForURL(/action=key/);
  await page.locator("tbody tr", { hasText: "console." }).first().waitFor({ state: "detached" });
  // While the filtered entries are loaded, there are none.
  await page.locator("td[data-title=What]", { hasText: "key." }).nth(2).waitFor();
  const acts = await page.locator("td[data-title=What]").allInnerTexts();
  assert.ok(acts.length >= 3 && acts.every((act) => act.startsWith("key.")));
  await page.goto("audit?actor=Nobody");
  await page.getByText("No entry meets these filters").waitFor();
  await page.goto("audit");
  await page.getByLabel(/A hash that you noted/).fill("f".repeat(64));
  await page.getByRole("button", { name: "Verify the trail" }).click();
  await page.getByText("The noted hash is not in the trail").waitFor();
});

test("an administrator finds a setting, its value and its source", async () => {
  const page = await openAs("administrator", "settings");
  await page.locator("tbody tr").first().waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "settings");
  await page.getByLabel("Find a setting").fill("retention");
  await page.locator("tbody tr", { hasText: "cookieName" }).waitFor({ state: "detached" });
  const row = page.locator("tbody tr").filter({ has: page.getByText("retention", { exact: true }) });
  assert.match(await row.innerText(), /14d/);
});

test("a page of another site can neither frame the console nor use its cookie", async () => {
  await openAs("administrator", "keys");
  const { createServer } = await import("node:http");
  const hostile = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<iframe src="${site.server.url}/console/keys"></iframe><script type="module">
      const attempts = [
        ["POST", "/console/sign-out", {}], ["GET", "/api-keys", { "antechamber-console": "1" }],
        ["DELETE", "/api-keys/${holders.agent.key.id}", { "antechamber-console": "1" }], ["PUT", "/sessions/new", {}],
      ];
      const results = await Promise.all(attempts.map(([method, path, headers]) =>
        fetch("${site.server.url}" + path, { method, headers, credentials: "include" })
          .then(({ status }) => String(status), () => "blocked")));
      document.title = results.join();
    </script>`);
  });
  await new Promise<void>((resolve) => hostile.listen(0, "127.0.0.1", resolve));
  try {
    const address = hostile.address();
    const page = await site.context.newPage();
    page.on("console", () => undefined);
    await page.goto(`http://localhost:${typeof address === "object" ? address?.port : 0}/`);
    await page.waitForFunction("document.title !== ''");
    assert.equal(await page.title(), "blocked,blocked,blocked,blocked");
    const isRefused = () => page.frames()[1]?.url() === "chrome-error://chromewebdata/";
    await until("the frame is refused", isRefused);
    await page.close();
    const own = await site.open("keys");
    await own.locator("tbody tr").first().waitFor();
  } finally {
    hostile.close();
    hostile.closeAllConnections();
  }
});

test("in mode jwt people paste a token", async () => {
  await using issuer = await startIssuer();
  const { serve } = await import("../support/in-process.ts");
  await using server = await serve({ config: { auth: "jwt", tokens: issuer.config, console: true } });
  const page = await site.context.newPage();
  await page.goto(`${server.url}/console/`);
  await page.getByLabel("Token").fill(await issuer.token({ role: "agent", agentId: "7" }));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await page.close();
});
