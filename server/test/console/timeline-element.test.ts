// runs: outside

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { createAdministration } from "@antechamber/client/administration";
import { injections } from "../attacks/markup.ts";
import { startChromium, type TestBrowser } from "../support/chromium.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { assertAccessible, photograph } from "./support/console.ts";
import { type MadeSession, makeSession } from "./support/visitors.ts";

/* A support tool on another origin, whose strict policy permits only the script and the calls of Antechamber. */

const markup = injections[3] ?? "";
const service = keyFor({ role: "service" });
const key = service.bearer.slice("Bearer ".length);
let server: TestServer;
let chromium: TestBrowser;
let made: MadeSession;
let foreign: MadeSession;
let tokens = 0;

const tool = createServer((request, response) => {
  if (request.url === "/token") {
    tokens += 1;
    const admin = createAdministration({ url: server.url, key });
    void admin.createViewToken({ session: made.handle }).then((token) => response.end(JSON.stringify(token)));
    return;
  }
  const handle = request.url === "/foreign" ? foreign.handle : made.handle;
  response.setHeader("content-type", "text/html");
  response.setHeader(
    "content-security-policy",
    `default-src 'none'; script-src ${server.url}; connect-src 'self' ${server.url}`,
  );
  response.end(`<!doctype html><html lang="en"><title>Support tool</title>
    <main>
      <h1>Ticket 4711</h1>
      <antechamber-timeline handle="${handle}" token-src="/token"></antechamber-timeline>
    </main>
    <script src="${server.url}/console/timeline.js"></script>`);
});

before(async () => {
  await new Promise<void>((resolve) => tool.listen(0, "127.0.0.1", resolve));
  const { port } = tool.address() as AddressInfo;
  const config = { auth: "key", console: true, corsOrigins: [`http://127.0.0.1:${port}`] } as const;
  server = await serve({ config, keys: [service.key] });
  const records = [
    { method: "GET", path: `/basket${markup}`, status: 200, service: markup, durationMs: 12 },
    { method: "POST", path: "/checkout", status: 500, service: "orders", durationMs: 1700 },
  ];
  made = await makeSession(server.url, { customerId: "4711" }, { records, key });
  foreign = await makeSession(server.url, { customerId: "another" }, { records, key });
  chromium = await startChromium();
});
after(async () => {
  await chromium[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  tool.closeAllConnections();
  await new Promise((resolve) => tool.close(resolve));
});

async function open(path: string) {
  const { port } = tool.address() as AddressInfo;
  const page = await chromium.browser.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(`http://127.0.0.1:${port}${path}`);
  return { page, complaints };
}

test("a page of another origin shows a timeline with a token that its own server has fetched", async () => {
  const { page, complaints } = await open("/");
  await page.getByText("2 of 2 requests").waitFor();
  await page.getByRole("button", { name: "First error" }).click();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("orders").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await assertAccessible(page);
  await photograph(page, "embedded");
  // The element shows the texts of visitors as they are.
  assert.equal(await page.getByText(`/basket${markup}`).count(), 1);
  assert.equal(await page.locator("antechamber-timeline :is(img, script, iframe, style)").count(), 0);
  assert.deepEqual(complaints, []);
  assert.equal(tokens, 1);
});

test("the token of one session shows no other one", async () => {
  const { page } = await open("/foreign");
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByText("/checkout").count(), 0);
});
