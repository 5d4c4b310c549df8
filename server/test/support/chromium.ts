// needs: chromium

import { after } from "node:test";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";

/** Flags of Debian's Chromium, so that it calls no other hosts; `--no-sandbox`, because root may run the tests. */
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Time in milliseconds for Chromium to start, and for each thing that a test waits for in a page. */
const TIMEOUT_MS = 90_000;

/** A browser of a test. Its contexts share nothing with those of other tests: no cookies, no storage, no cache. */
export interface TestBrowser extends AsyncDisposable {
  readonly browser: Pick<Browser, "newContext" | "newPage">;
}

/** A running Chromium, whose files are all in memory: if it is killed early, it leaves nothing on the disk. */
interface Running {
  readonly browser: Browser;
  readonly folder: TemporaryDirectory;
}

/** The browsers of this test file, by their flags. Starting one costs more than most tests. */
const running = new Map<string, Promise<Running>>();
after(async () => {
  for (const { browser, folder } of await Promise.all(running.values())) {
    await browser.close();
    folder.remove();
  }
});

/** Opens Chromium with the flags `more`, and without the flags of Playwright in `without`. */
export async function startChromium(
  more: readonly string[] = [],
  without: readonly string[] = [],
): Promise<TestBrowser> {
  const key = JSON.stringify([more, without]);
  const launched = running.get(key) ?? launch(more, without);
  running.set(key, launched);
  const { browser } = await launched;
  const contexts: BrowserContext[] = [];
  const newContext: Browser["newContext"] = async (options) => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(TIMEOUT_MS);
    contexts.push(context);
    return context;
  };
  return {
    browser: { newContext, newPage: async (options) => await (await newContext(options)).newPage() },
    async [Symbol.asyncDispose]() {
      for (const context of contexts) await context.close();
    },
  };
}

async function launch(more: readonly string[], without: readonly string[]): Promise<Running> {
  const folder = temporaryDirectory();
  try {
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      timeout: TIMEOUT_MS,
      args: [...flags, ...more],
      ignoreDefaultArgs: [...without],
      env: { ...process.env, TMPDIR: folder.path },
    });
    return { browser, folder };
  } catch (error) {
    folder.remove();
    throw error;
  }
}
