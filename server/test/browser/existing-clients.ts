import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page } from "playwright-core";
import { startChromium } from "../support/chromium.ts";

/** The result of a client's call in the page. */
export interface Outcome {
  /** HTTP status; 0 if the browser hid the response from the page. */
  readonly status: number;
  /** The argument of the success callback. */
  readonly session?: { readonly sessionId: string; readonly customerId: string | null };
  /** The argument of the failure callback. */
  readonly error?: { readonly code: string; readonly message: string };
  /** The session id that the client uses from then on. */
  readonly storedId: string;
}

/** A site with another origin than the service, and a real browser that visits it. */
export interface ClientSite extends AsyncDisposable {
  readonly origin: string;
  context(): Promise<BrowserContext>;
  /** Opens the page whose client calls the API at `base` in the way of `version`. */
  open(context: BrowserContext, base: string, version: "v1" | "v2"): Promise<Page>;
}

/** Starts the site. Its pages send real requests and preflights; nothing is intercepted. */
export async function openClientSite(): Promise<ClientSite> {
  const web = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>Shop</title><script>${script}</script>`);
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const { port } = web.address() as AddressInfo;
  const origin = `http://localhost:${port}`;
  const chromium = await startChromium();
  return {
    origin,
    context: () => chromium.browser.newContext(),
    async open(context, base, version) {
      const page = await context.newPage();
      const query = new URLSearchParams({ base, version }).toString();
      await page.goto(`${origin}/?${query}`);
      return page;
    },
    async [Symbol.asyncDispose]() {
      await chromium[Symbol.asyncDispose]();
      web.closeAllConnections();
      await new Promise((resolve) => web.close(resolve));
    },
  };
}

/*
 * Works like the existing clients: it uses XMLHttpRequest, never sends a body, and stores the session id as JSON in a
 * cookie. Each response replaces the id: v1 reads it from the body, v2 from a response header.
 */
const script = `
  const query = new URLSearchParams(location.search);
  const base = query.get("base");
  const isV2 = query.get("version") === "v2";
  const COOKIE = "widgets.state.keys=";

  function storedId() {
    const cookie = document.cookie.split("; ").find((each) => each.startsWith(COOKIE));
    const state = cookie && JSON.parse(decodeURIComponent(cookie.slice(COOKIE.length)));
    return state ? state.sessionId : "00000000-0000-0000-0000-0000000000";
  }

  function keep(sessionId) {
    document.cookie = COOKIE + encodeURIComponent(JSON.stringify({ sessionId })) + "; path=/";
  }

  function call(method, path, customerId) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open(method, base + path);
      request.setRequestHeader("gkc_apiClientId", "8dd2c1c6-0b7a-4b7e-8b5a-1f0e3f4a9c11");
      if (isV2) {
        request.setRequestHeader("x-api-key", window.apiKey);
        request.setRequestHeader("ContactCenterID", "2c4f0e3a");
        request.setRequestHeader("gkc_sessionId", storedId());
        if (method !== "PATCH") request.setRequestHeader("Content-Type", "application/json");
      } else {
        request.setRequestHeader("gkc_apiClientMediaType", "selfservice");
        request.setRequestHeader("Content-Type", "application/json; charset=UTF-8");
      }
      if (customerId !== undefined) request.setRequestHeader("gkc_customerId", customerId);
      request.onloadend = () => {
        const { status, responseText } = request;
        const body = responseText === "" ? {} : JSON.parse(responseText);
        if (status !== 200 || body.error) return resolve({ status, error: body.error, storedId: storedId() });
        const sessionId = isV2 ? request.getResponseHeader("gkc_sessionId") : body.sessionId;
        if (sessionId) keep(sessionId);
        resolve({ status, session: isV2 ? body.data : body.response, storedId: storedId() });
      };
      request.send();
    });
  }

  const createSession = () =>
    isV2 ? call("POST", "/session/v2/sessions/") : call("PUT", "/sessions/new");
  const associate = (customerId) =>
    isV2
      ? call("PATCH", "/session/v2/sessions/" + storedId(), customerId)
      : call("POST", "/sessions/" + storedId(), customerId);
  const retrieve = () => call("GET", "/sessions/" + storedId());
  const search = () =>
    fetch(base + "/kbs", { method: "REPORT", headers: { "X-Requested-With": "XMLHttpRequest" } }).then(
      ({ status }) => ({ status, storedId: storedId() }),
      () => ({ status: 0, storedId: storedId() }),
    );
`;
