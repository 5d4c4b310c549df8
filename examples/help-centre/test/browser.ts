import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { startChromium } from "../../../server/test/support/chromium.ts";

/** The browser of a visitor. It collects what goes wrong in the pages (`complaints`). */
export interface Visitor extends AsyncDisposable {
  readonly context: BrowserContext;
  /** Opens a path of the site in a new tab. */
  open(path: string): Promise<Page>;
  /** Returns the id in the cookie `sessionId`. */
  sessionId(): Promise<string | undefined>;
  /** Everything that went wrong in the pages: errors, violations of the content security policy, dialogs. */
  readonly complaints: readonly string[];
  /** The hosts to which the pages sent requests. */
  readonly hosts: ReadonlySet<string>;
}

/** Starts Chromium for a visitor of the site at `url`. */
export async function startVisitor(url: string): Promise<Visitor> {
  const chromium = await startChromium();
  const { browser } = chromium;
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 880, height: 900 },
  });
  const complaints: string[] = [];
  const hosts = new Set<string>();
  context.on("request", (request) => hosts.add(new URL(request.url()).hostname));
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  context.on("dialog", (dialog) => {
    complaints.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  return {
    context,
    complaints,
    hosts,
    async open(path) {
      const page = await context.newPage();
      await page.goto(path);
      return page;
    },
    async sessionId() {
      const cookies = await context.cookies(url);
      return cookies.find(({ name }) => name === "sessionId")?.value;
    },
    [Symbol.asyncDispose]: () => chromium[Symbol.asyncDispose](),
  };
}

/** Returns the lines of each part of the timeline that a page shows, without the times, by the part's heading. */
export async function timelineOf(page: Page): Promise<Record<string, string[]>> {
  const parts: Record<string, string[]> = {};
  for (const part of await page.locator(".part").all()) {
    const lines = await part.locator("li p").allInnerTexts();
    parts[await part.locator("h2").innerText()] = lines.map((line) => line.split("\n")[0] ?? "");
  }
  return parts;
}

/** Takes screenshots of a page: in light colours, in dark colours, and on a small screen. */
export async function photograph(page: Page, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const size = page.viewportSize() ?? { width: 880, height: 900 };
  const shoot = (name: string) => page.screenshot({ path: join(folder, name), fullPage: true });
  await shoot("light.png");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("dark.png");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  await shoot("small.png");
  await page.setViewportSize(size);
}
