import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import axe from "axe-core";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { type Api, createApi } from "../../support/api.ts";
import { startChromium } from "../../support/chromium.ts";
import { eventually } from "../../support/eventually.ts";
import { serve, type TestServer, type TestServerOptions } from "../../support/in-process.ts";

/** A real server with its console, and a browser that looks at it. */
export interface ConsoleSite extends AsyncDisposable {
  readonly server: TestServer;
  readonly api: Api;
  readonly context: BrowserContext;
  /** Opens a page of the console, such as `search?customerId=anna`, in a new tab, and waits for its heading. */
  open(path: string): Promise<Page>;
  /** Everything that went wrong in the pages: errors, violations of the content security policy, dialogs. */
  readonly complaints: readonly string[];
}

async function openConsole(options: TestServerOptions = {}): Promise<ConsoleSite> {
  const server = await serve({ ...options, config: { console: true, ...options.config } });
  const chromium = await startChromium();
  const context = await chromium.browser.newContext({
    baseURL: `${server.url}/console/`,
    viewport: { width: 1280, height: 860 },
    locale: "en-GB",
    timezoneId: "UTC",
    permissions: ["clipboard-read", "clipboard-write"],
    reducedMotion: "reduce",
  });
  // Messages are shown for six seconds. A busy machine may look for them later.
  await context.addInitScript(
    "window.setTimeout = ((real) => (task, ms) => real(task, ms === 6000 ? 30000 : ms))(setTimeout)",
  );
  const complaints: string[] = [];
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  context.on("dialog", (dialog) => {
    complaints.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== server.url) complaints.push(`request to ${request.url()}`);
  });
  return {
    server,
    api: createApi(server.url),
    context,
    complaints,
    async open(path) {
      const page = await context.newPage();
      await page.goto(path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      return page;
    },
    async [Symbol.asyncDispose]() {
      await chromium[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/**
 * Starts a server with its console, and Chromium, and closes both after the tests of the file. Most test files need one for
 * all of their tests.
 */
export async function sharedConsole(options: TestServerOptions = {}): Promise<ConsoleSite> {
  const site = await openConsole(options);
  after(() => site[Symbol.asyncDispose]());
  return site;
}

/** Goes to the page of the console with this letter. Both keys are sent at once, because the second one has only 1.5 s. */
export async function goTo(page: Page, letter: string): Promise<void> {
  await Promise.all([page.keyboard.press("g"), page.keyboard.press(letter)]);
}

/** Presses Tab, at most 60 times, until the focus is on an element, as a person without a mouse does. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor();
  const focused = target.and(page.locator(":focus"));
  for (let presses = 0; (await focused.count()) === 0; presses++) {
    assert.ok(presses < 60, `Tab does not lead to ${String(target)}`);
    await page.keyboard.press("Tab");
  }
}

/** The part of axe's result that the tests read. */
interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Asserts that axe finds no violation of WCAG 2.2 AA or of its best practices, in light and in dark colours. */
export async function assertAccessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    // A policy without inline scripts does not stop `evaluate`, which runs over the protocol of the browser.
    await page.evaluate(axe.source);
    // Only the contrast depends on the colours.
    const rules = colorScheme === "light" ? "{}" : '{ runOnly: ["color-contrast"] }';
    const call = `axe.run(${rules}).then(({ violations }) => violations)`;
    const violations = await page.evaluate<readonly Violation[]>(call);
    const found = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join("\n  ")}`,
    );
    assert.deepEqual(found, [], `axe in ${colorScheme} colours`);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** Asserts that nothing sticks out of a page at its side, and no time out of its card, in a window of this width. */
export async function assertNoSideScroll(page: Page, width = 320): Promise<void> {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 720 });
  // Charts are drawn again when they have noticed their new size.
  await eventually(async () => {
    const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
    assert.ok(wide <= width, `the page is ${wide} pixels wide in a window of ${width}`);
    const times = await page.evaluate<readonly string[]>(`[...document.querySelectorAll(".card time")]
      .filter((time) => time.getBoundingClientRect().right > time.closest(".card").getBoundingClientRect().right)
      .map((time) => time.textContent)`);
    assert.deepEqual(times, [], `times that stick out of their card in a window of ${width}`);
  });
  if (before) await page.setViewportSize(before);
}

/**
 * Takes screenshots of a page into the folder that the variable `SCREENSHOTS` names, if it is set: in light and dark
 * colours, each on a desktop and 390 pixels wide.
 */
export async function photograph(page: Page, name: string): Promise<void> {
  const folder = process.env["SCREENSHOTS"];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const size = page.viewportSize() ?? { width: 1280, height: 860 };
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [form, viewport] of [["desktop", size] as const, ["phone", { width: 390, height: 844 }] as const]) {
      await page.setViewportSize(viewport);
      await page.screenshot({ path: join(folder, `${name}-${form}-${colorScheme}.png`), fullPage: form === "phone" });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
}
