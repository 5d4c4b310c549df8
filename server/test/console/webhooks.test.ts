// runs: outside

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { WebhookList } from "@antechamber/client/protocol";
import type { Page } from "playwright-core";
import { until } from "../support/eventually.ts";
import { startReceiver } from "../webhooks/receiver.ts";
import { assertAccessible, assertNoSideScroll, goTo, photograph, sharedConsole, tabTo } from "./support/console.ts";
import { makeSession } from "./support/visitors.ts";

const site = await sharedConsole();
const { url } = site.server;
let status = 204;
const receiver = await startReceiver((response) => {
  // The tests send failed deliveries again themselves; the service waits for longer than they take.
  response.writeHead(status, status === 500 ? { "retry-after": "600" } : {}).end();
});
after(() => receiver[Symbol.asyncDispose]());

async function endpoints(): Promise<WebhookList["webhooks"]> {
  return (JSON.parse((await site.api.call("GET", "/webhooks")).text) as WebhookList).webhooks;
}

const states = (page: Page) => page.locator("tbody [data-title=State]").allInnerTexts();

test("an operator adds an endpoint, sees its secret once, and sends a test event", async () => {
  const page = await site.open("webhooks");
  await page.getByText("No endpoint yet").waitFor();
  await page.keyboard.press("a");
  await assertAccessible(page);
  await photograph(page, "webhooks-add");
  // The field of the URL has the focus.
  await page.keyboard.type("http://192.0.2.1/");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "url" }).waitFor();
  await page.getByLabel("URL").fill(receiver.url);
  await page.getByLabel("Description").fill("The shop");
  await page.getByLabel("session.created").check();
  await page.getByLabel("URL").press("Enter");
  const secret = await page.locator(".secret code").innerText();
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  await assertAccessible(page);
  await page.getByRole("button", { name: "Copy secret" }).click();
  await page.waitForFunction(`navigator.clipboard.readText().then((text) => text === ${JSON.stringify(secret)})`);
  await page.getByRole("button", { name: "I have stored it" }).click();
  await page.waitForURL(/id=wh_/);
  assert.ok(!(await page.content()).includes(secret), "the secret is shown once");

  await page.getByText("Nothing was sent yet").waitFor();
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await until("the test has arrived", async () => (await states(page)).join() === "delivered");
  assert.equal(receiver.received.length, 1);
  assert.deepEqual(
    (await endpoints()).map(({ types, description }) => [types, description]),
    [[["session.created"], "The shop"]],
  );
  assert.deepEqual(
    site.complaints.filter((text) => !text.includes("400")),
    [],
  );
  await page.close();
});

test("failed deliveries show why, and are sent again", async () => {
  const [endpoint] = await endpoints();
  status = 500;
  await makeSession(url, { customerId: "anna" });
  await until("an attempt failed", () => receiver.received.length === 2);
  status = 204;
  const page = await site.open(`webhooks?id=${endpoint?.id}`);
  const row = page.locator("tbody tr").first();
  await row.getByText("HTTP 500").waitFor();
  assert.deepEqual(await states(page), ["waiting", "delivered"]);
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "webhooks-endpoint");
  await row.getByRole("button", { name: /Send again/ }).click();
  await until("it has arrived", async () => (await states(page)).join() === "delivered,delivered");

  status = 500;
  await makeSession(url, { customerId: "berta" });
  await until("an attempt failed", () => receiver.received.length === 4);
  status = 204;
  await goTo(page, "w");
  await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
  await page.locator("tbody tr").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await row.getByText("HTTP 500").waitFor();
  await page.keyboard.press("j");
  const again = row.getByRole("button", { name: /Send again/ });
  await tabTo(page, again);
  await page.keyboard.press("Enter");
  await until("it has arrived", async () => (await states(page))[0] === "delivered");
  assert.equal(await again.and(page.locator(":focus")).count(), 1, "the focus stays");
  await page.getByLabel("State").selectOption("failed");
  await page.getByText("No delivery in this state").waitFor();
  assert.equal(new URL(page.url()).searchParams.get("state"), "failed");
  await page.close();
});

test("an endpoint is edited, disabled, gets a new secret and is removed", async () => {
  const [endpoint] = await endpoints();
  const page = await site.open("webhooks");
  await page.locator("tbody tr").first().waitFor();
  await assertAccessible(page);
  await assertNoSideScroll(page);
  await photograph(page, "webhooks");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: endpoint?.url ?? "" }).waitFor();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("session.ended").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("session.created, session.ended").waitFor();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("button", { name: "Enable" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Test", exact: true }).isDisabled());
  await page.getByRole("button", { name: "Change the secret" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Change the secret" }).click();
  assert.match(await page.locator(".secret code").innerText(), /^whsec_/);
  // A click beside the dialog would lose the secret, so it does nothing.
  await page.mouse.click(5, 5);
  await page.getByRole("button", { name: "I have stored it" }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("No endpoint yet").waitFor();
  assert.deepEqual(await endpoints(), []);
  await page.close();
});
