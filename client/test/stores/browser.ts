import type { Site, Visit } from "./sites/site.ts";

export const COOKIE = "connect.sid";

/** A browser that keeps the cookie of the session. */
export interface Browser {
  cookie: string;
  /** The attributes of the last cookie. */
  attributes: string;
  /** Sends a request, lets `handle` handle it, and returns the body of the response; by default the session's data. */
  visit(handle?: (visit: Visit) => unknown): Promise<unknown>;
  send(): Promise<unknown>;
}

export function createBrowser(site: Site, cookie = ""): Browser {
  const browser: Browser = {
    cookie,
    attributes: "",
    async visit(handle = ({ session }) => dataOf(session)) {
      site.handle = handle;
      return await browser.send();
    },
    async send() {
      const response = await fetch(site.url, { headers: browser.cookie ? { cookie: browser.cookie } : {} });
      for (const each of response.headers.getSetCookie()) {
        const [pair = "", ...attributes] = each.split("; ");
        browser.cookie = pair.startsWith(`${COOKIE}=`) && pair !== `${COOKIE}=` ? pair : "";
        browser.attributes = attributes.join("; ");
      }
      return await response.json();
    },
  };
  return browser;
}

/** Returns the data of a session object. */
export function dataOf(session: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(session).filter(([name]) => name !== "cookie"));
}
