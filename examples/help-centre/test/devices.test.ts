// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { temporaryDirectory } from "../../../server/test/support/temporary-directory.ts";
import { deviceName } from "../devices.ts";
import { type HelpCentre, startHelpCentre } from "../help-centre.ts";
import { photograph, startVisitor } from "./browser.ts";

const ADA = "customer-1001";
const JONAS = "customer-1002";
const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
const iphone =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/604.1";

/** A browser elsewhere, which needs no pages. */
interface Device {
  readonly cookie: string;
  readonly handle: string;
}

/** Signs a customer in from another browser. */
async function signIn(site: HelpCentre, customer: string, userAgent: string): Promise<Device> {
  const first = cookieOf(await fetch(site.url, { headers: { "user-agent": userAgent } }));
  const headers = { cookie: first, "user-agent": userAgent };
  const body = new URLSearchParams({ customer });
  const second = await fetch(`${site.url}/sign-in`, { method: "POST", body, headers, redirect: "manual" });
  assert.equal(second.status, 303);
  const cookie = cookieOf(second);
  // The sign-in gives the session another id; the handle stays.
  assert.notEqual(cookie, first);
  return { cookie, handle: cookie.slice("sessionId=".length).slice(0, 24) };
}

function cookieOf(response: Response): string {
  const [cookie = ""] = response.headers.get("set-cookie")?.split(";") ?? [];
  assert.match(cookie, /^sessionId=[\w-]{40}$/);
  return cookie;
}

async function isSignedIn(site: HelpCentre, { cookie }: Device): Promise<boolean> {
  const response = await fetch(site.url, { headers: { cookie } });
  return (await response.text()).includes("Sign out");
}

const devicesOn = (page: Page) => page.locator(".device").count();

test("people see where they are signed in, end one session, and all others, with the keyboard alone", async () => {
  const site = await startHelpCentre({ port: 0 });
  try {
    await using visitor = await startVisitor(site.url);
    await using pictures = temporaryDirectory();
    const page = await visitor.open("/sign-in");
    await page.getByLabel("Ada Moreno").check();
    await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/visit");
    const [laptop, phone] = [await signIn(site, ADA, firefox), await signIn(site, ADA, iphone)];
    const strangers = await signIn(site, JONAS, firefox);

    await page.getByRole("link", { name: "Your devices" }).click();
    await page.waitForURL("**/devices");
    assert.equal(await devicesOn(page), 3);
    const current = page.locator(".device").first();
    assert.match(await current.innerText(), /This device/);
    assert.equal(await page.getByText("This device").count(), 1);
    const named = await page.locator(".device h2").allInnerTexts();
    assert.deepEqual(named.slice(1).toSorted(), ["Firefox on Windows", "Safari on iOS"]);
    await photograph(page, process.env["HELP_CENTRE_DEVICES"] ?? pictures.path);

    await page.setViewportSize({ width: 360, height: 740 });
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
    // A keyboard reaches each button in the order of the page, and the focus shows.
    const focused = page.locator(`.device:has([value="${phone.handle}"]) button:focus-visible`);
    for (let i = 0; i < 30 && (await focused.count()) === 0; i++) await page.keyboard.press("Tab");
    await focused.press("Enter");
    await page.getByRole("status").getByText("One device was signed out.").waitFor();
    assert.equal(await devicesOn(page), 2);
    assert.deepEqual([await isSignedIn(site, phone), await isSignedIn(site, laptop)], [false, true]);

    await page.getByRole("button", { name: "Sign out all other devices" }).press("Enter");
    await page.getByRole("status").waitFor();
    assert.equal(await devicesOn(page), 1);
    assert.equal(await page.getByRole("button", { name: "Sign out all other devices" }).count(), 0);
    assert.deepEqual([await isSignedIn(site, laptop), await isSignedIn(site, strangers)], [false, true]);

    await page.locator(".device").getByRole("button").click();
    await page.getByRole("link", { name: "Sign in" }).waitFor();
    assert.equal((await page.goto("/devices"))?.url(), `${site.url}/sign-in`);
    assert.deepEqual(visitor.complaints, []);
  } finally {
    await site.close();
  }
});

test("nobody ends the session of somebody else, and a form without a handle ends none", async () => {
  const site = await startHelpCentre({ port: 0 });
  try {
    const [mine, theirs] = [await signIn(site, ADA, firefox), await signIn(site, JONAS, iphone)];
    const end = async (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) => {
      const body = new URLSearchParams(fields);
      const cookie = mine.cookie;
      const options = { method: "POST", body, headers: { cookie, ...headers }, redirect: "manual" } as const;
      return (await fetch(`${site.url}/devices${path}`, options)).status;
    };
    for (const handle of [theirs.handle, theirs.cookie.slice("sessionId=".length), "", "x"]) {
      assert.equal(await end("/end", { handle }), 303);
    }
    assert.equal(await end("/end", {}), 303);
    assert.equal(await end("/end-others", {}, { "sec-fetch-site": "cross-site" }), 403);
    assert.equal(await end("/end-others", {}), 303);
    assert.deepEqual([await isSignedIn(site, mine), await isSignedIn(site, theirs)], [true, true]);
    assert.equal(await end("/end", { handle: mine.handle }), 303);
    assert.equal(await isSignedIn(site, mine), false);
  } finally {
    await site.close();
  }
});

test("a device is named after its browser and its system", () => {
  assert.equal(deviceName(firefox), "Firefox on Windows");
  assert.equal(deviceName(iphone), "Safari on iOS");
  assert.equal(deviceName(undefined), "A browser on an unknown system");
});
