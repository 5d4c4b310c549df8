// needs: chromium

import { type Browser, chromium } from "playwright-core";
import { temporaryDirectory } from "./temporary-directory.ts";

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

/** A browser whose files are all in memory: if it is killed early, it leaves nothing on the disk. */
export interface TestBrowser extends AsyncDisposable {
  readonly browser: Browser;
}

/** Starts Chromium with the flags `more`, and without the flags of Playwright in `without`. */
export async function startChromium(
  more: readonly string[] = [],
  without: readonly string[] = [],
): Promise<TestBrowser> {
  const folder = temporaryDirectory();
  try {
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: [...flags, ...more],
      ignoreDefaultArgs: [...without],
      env: { ...process.env, TMPDIR: folder.path },
    });
    return {
      browser,
      async [Symbol.asyncDispose]() {
        await browser.close();
        folder.remove();
      },
    };
  } catch (error) {
    folder.remove();
    throw error;
  }
}
