// needs: sh

import { execFileSync } from "node:child_process";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "playwright-core";
import { startChromium } from "../../../server/test/support/chromium.ts";
import { serve, type TestServer } from "../../../server/test/support/in-process.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Returns the client as a site serves it: bundled and minified. */
function bundle(): string {
  const bun = execFileSync(`${root}scripts/runtime`, ["bun"], { encoding: "utf8" }).trim();
  const entry = `${root}client/src/client.ts`;
  return execFileSync(bun, ["build", "--minify", "--target=browser", entry], { encoding: "utf8" });
}

/** A site whose pages have a `client`, and a service on another origin. */
export interface ServedSite extends AsyncDisposable {
  readonly url: string;
  readonly antechamber: TestServer;
  /** The session ids in the requests to the site, each request as `path header cookie`. */
  readonly seen: string[];
}

/** A site, its service, and a real browser. */
export interface Site extends ServedSite {
  context(options?: { blocked?: boolean }): Promise<BrowserContext>;
  /** Opens a page of the site, and waits until the client is loaded. */
  open(context: BrowserContext, path?: string): Promise<Page>;
}

export interface SiteOptions {
  /** Creates the handler of the paths below `/api/`, given the address of the service. */
  readonly api?: ((service: string) => RequestListener) | undefined;
  /** Flags to omit when Chromium is started. */
  readonly without?: readonly string[];
}

/**
 * Starts the site and the service. `host` is the site's name in the browser. Pages request their session when they load,
 * except those below `/quiet`, which only have `createClient`.
 */
export async function serveSite(host = "localhost", createApi?: SiteOptions["api"]): Promise<ServedSite> {
  const script = bundle();
  const seen: string[] = [];
  let serviceUrl = "";
  let api: RequestListener | undefined;
  const web = createServer((request, response) => {
    const { url = "/", headers } = request;
    if (url.startsWith("/api/")) return api?.(request, response);
    const isScript = url === "/client.js";
    if (!isScript) {
      const id = String(headers["gkc-sessionid"] ?? "-");
      const cookie = /sessionId=([^;]*)/.exec(headers.cookie ?? "")?.[1] ?? "-";
      seen.push(`${url} ${id} ${cookie}`);
    }
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : html(serviceUrl, url.startsWith("/quiet")));
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const { port } = web.address() as AddressInfo;
  const url = `http://${host}:${port}`;
  const antechamber = await serve({ config: { corsOrigins: [url] } });
  serviceUrl = antechamber.url;
  api = createApi?.(serviceUrl);
  return {
    url,
    antechamber,
    seen,
    async [Symbol.asyncDispose]() {
      web.closeAllConnections();
      await new Promise((resolve) => web.close(resolve));
      await antechamber[Symbol.asyncDispose]();
    },
  };
}

/** Starts the site, the service (see `serveSite`) and the browser. */
export async function openSite(host = "localhost", options: SiteOptions = {}): Promise<Site> {
  const site = await serveSite(host, options.api);
  const rules = "--host-resolver-rules=MAP site.test 127.0.0.1";
  const chromium = await startChromium([rules], options.without);
  const { browser } = chromium;
  return {
    ...site,
    async context({ blocked = false } = {}) {
      const context = await browser.newContext();
      if (blocked) await context.addInitScript(blockStorage);
      return context;
    },
    async open(context, path = "/") {
      const page = await context.newPage();
      await page.goto(site.url + path);
      await page.waitForFunction("window.createClient !== undefined");
      return page;
    },
    async [Symbol.asyncDispose]() {
      await chromium[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
    },
  };
}

/** Returns a page that requests its session several times while it loads, as several parts of a site would. */
function html(service: string, isQuiet: boolean): string {
  const ask = "window.first = Promise.all([client.session(), client.session(), client.fetch('/load')])";
  return `<!doctype html><title>Site</title><script type="module">
    import { createClient } from "/client.js";
    window.url = ${JSON.stringify(service)};
    ${isQuiet ? "" : `window.client = createClient({ url }); ${ask};`}
    window.createClient = createClient;
  </script>`;
}

/** A script that makes a page behave as if the user blocked all site data. */
const blockStorage = `
  for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
  Object.defineProperty(Document.prototype, "cookie", {
    get() { return ""; }, set() {},
  });`;
