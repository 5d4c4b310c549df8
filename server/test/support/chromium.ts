// needs: chromium

import { type Browser, chromium } from "playwright-core";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Chromium of Debian's package, without what would call home; `--no-sandbox`, as tests may be root's. */
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

/** A browser that leaves nothing on the disk: where it is ended early, it forgets files of its own. */
export interface TestBrowser extends AsyncDisposable {
  readonly browser: Browser;
}

/** Starts Chromium with the flags `more`, and `without` some of Playwright's flags. */
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
