// runs: outside

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { nginx } from "../proxies/nginx.ts";
import { startProxy } from "../proxies/proxy-process.ts";
import { visit } from "../proxies/visitor.ts";
import { type Api, createApi, sessionOf } from "../support/api.ts";
import { succeed } from "../support/command-line.ts";
import { startExampleApplication } from "../support/example-application.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Application, applications } from "./applications.ts";

/* The applications of docs/sign-in.md, unchanged, with a service in mode `key` and with keys as the page says. */

/** The ports on which visitors reach the applications, and the applications' own: behind nginx they differ. */
const ports = new Map<Application, { readonly visitors: number; readonly own: number }>();
const started = new AsyncDisposableStack();
let api: Api;

before(async () => {
  const data = started.adopt(temporaryDirectory(), (folder) => folder.remove());
  const createKey = async (role: string, name: string) =>
    (await succeed(["keys", "create", "--role", role, "--name", name, "--data-dir", data.path])).trim();
  const keys = { shop: await createKey("service", "Shop server"), proxy: await createKey("agent", "Proxy") };
  const { url } = started.use(await startServer({ dataDir: data.path, env: { ANTECHAMBER_AUTH: "key" } }));
  api = createApi(url, { authorization: `Bearer ${keys.shop}` });
  const environment = { ANTECHAMBER_URL: url, ANTECHAMBER_KEY: keys.shop };
  for (const application of applications) {
    const { port } = started.use(await startExampleApplication(application, environment));
    const behind = { antechamber: Number(new URL(url).port), application: port };
    const proxy = application.isBehindNginx && started.use(await startProxy(nginx, behind, withKey(keys.proxy)));
    ports.set(application, { visitors: proxy ? proxy.port : port, own: port });
  }
});
after(() => started.disposeAsync());

/** Gives nginx its key, in the line of the example that is for it. */
function withKey(key: string): (text: string) => string {
  return (text) =>
    text.replace('# proxy_set_header Authorization "Bearer ak_..."', `proxy_set_header Authorization "Bearer ${key}"`);
}

function portsOf(application: Application) {
  const found = ports.get(application);
  assert.ok(found !== undefined, `${application.name} does not run`);
  return found;
}

/** A browser that keeps the session's cookie as browsers do: of several in one response the last one counts. */
interface Browser {
  cookie: string;
  /** Returns who is signed in. */
  customer(): Promise<string | null>;
  /** Sends a form, and returns the status of the response. */
  send(form: string, fields?: Readonly<Record<string, string>>, headers?: readonly string[]): Promise<number>;
}

function openBrowser(application: Application, cookie = ""): Browser {
  const { home, forms } = application;
  const { visitors } = portsOf(application);
  const request = async (path: string, options: Parameters<typeof visit>[2] = {}) => {
    const session = browser.cookie === "" ? [] : [`Cookie: theme=dark; sessionId=${browser.cookie}`];
    const response = await visit(visitors, path, { ...options, headers: [...session, ...(options.headers ?? [])] });
    for (const [, value = ""] of (response.headers.get("set-cookie") ?? "").matchAll(/^sessionId=([^;]*)/gm)) {
      browser.cookie = value;
    }
    return response;
  };
  const browser: Browser = {
    cookie,
    async customer() {
      const { status, body } = await request(home);
      assert.equal(status, 200, body);
      return (JSON.parse(body) as { customer: string | null }).customer;
    },
    async send(form, fields = {}, headers = []) {
      // On a busy machine Antechamber may respond too late. The visitor then tries again.
      for (let attempt = 1; ; attempt++) {
        const { status } = await request(`${forms}/${form}`, formOf(fields, headers));
        if (status !== 503 || attempt === 5) return status;
      }
    },
  };
  return browser;
}

function formOf(fields: Readonly<Record<string, string>>, headers: readonly string[]) {
  const type = "Content-Type: application/x-www-form-urlencoded";
  return { method: "POST", headers: [type, ...headers], body: String(new URLSearchParams(fields)) };
}

const anna = { name: "anna", password: "correct horse" };
const bob = { name: "bob", password: "battery staple" };

for (const application of applications) {
  const { name } = application;

  test(`${name}: a visitor signs in and out`, async () => {
    const browser = openBrowser(application);
    assert.equal(await browser.customer(), null);
    for (const wrong of [{}, { name: "anna" }, { ...anna, password: "guess" }, { name: "eve", password: "" }]) {
      assert.equal(await browser.send("sign-in", wrong), 403);
    }
    assert.equal(await browser.customer(), null);

    assert.equal(await browser.send("sign-in", anna), 303);
    assert.equal(await browser.customer(), "anna");
    assert.equal(await browser.send("sign-in", anna), 303);
    assert.equal(await browser.customer(), "anna");

    const copied = browser.cookie;
    assert.equal(await browser.send("sign-out"), 303);
    assert.equal(await browser.customer(), null);
    assert.equal(await openBrowser(application, copied).customer(), null, "the id opens nothing any more");
  });

  test(`${name}: an id that an attacker has planted before the sign-in does not lead to the customer`, async () => {
    const attacker = openBrowser(application);
    await attacker.customer();
    const planted = attacker.cookie;
    const victim = openBrowser(application, planted);
    assert.equal(await victim.send("sign-in", anna), 303);
    assert.notEqual(victim.cookie, planted);
    assert.equal(victim.cookie.slice(0, 24), planted.slice(0, 24), "the session stays");

    assert.equal(await attacker.customer(), null);
    assert.equal(attacker.cookie, planted, "a request under way does not replace the victim's cookie");
    assert.equal(await attacker.send("sign-in", bob), 303);
    assert.notEqual(attacker.cookie.slice(0, 24), planted.slice(0, 24));
    assert.equal(await victim.customer(), "anna");
  });

  test(`${name}: another person at the same browser gets another session`, async () => {
    const browser = openBrowser(application);
    await browser.send("sign-in", anna);
    const earlier = browser.cookie;
    assert.equal(await browser.send("sign-in", bob), 303);
    assert.equal(await browser.customer(), "bob");
    assert.notEqual(browser.cookie.slice(0, 24), earlier.slice(0, 24));
  });

  test(`${name}: a visitor signs in whose session has expired while the form was open`, async () => {
    const browser = openBrowser(application);
    await browser.customer();
    await api.call("DELETE", `/sessions/${browser.cookie}`);
    assert.equal(await browser.send("sign-in", anna), 303);
    assert.equal(await browser.customer(), "anna");
  });

  test(`${name}: a customer signs out on all devices`, async () => {
    const [here, there, other] = [openBrowser(application), openBrowser(application), openBrowser(application)];
    for (const browser of [here, there]) await browser.send("sign-in", anna);
    await other.send("sign-in", bob);
    assert.equal(await openBrowser(application).send("sign-out-everywhere"), 403);
    assert.equal(await here.send("sign-out-everywhere"), 303);
    const customers = [await here.customer(), await there.customer(), await other.customer()];
    assert.deepEqual(customers, [null, null, "bob"]);
  });

  test(`${name}: another site can sign nobody in or out`, async () => {
    const browser = openBrowser(application);
    await browser.send("sign-in", anna);
    for (const site of ["cross-site", "same-site", "none"]) {
      const headers = [`Sec-Fetch-Site: ${site}`];
      assert.equal(await browser.send("sign-in", bob, headers), 403);
      assert.equal(await browser.send("sign-out", {}, headers), 403);
    }
    assert.equal(await browser.customer(), "anna");
  });

  test(`${name}: over https the cookie of a sign-in is Secure, and no script can read it`, async () => {
    for (const protocol of ["https", "http"]) {
      const form = formOf(anna, [`X-Forwarded-Proto: ${protocol}`]);
      const response = await visit(portsOf(application).own, `${application.forms}/sign-in`, form);
      assert.equal(response.status, 303, response.body);
      const [, ...attributes] = (response.headers.get("set-cookie") ?? "").split("; ");
      const expected = ["HttpOnly", "Path=/", "SameSite=Lax", ...(protocol === "https" ? ["Secure"] : [])];
      assert.deepEqual(attributes.toSorted(), expected);
    }
  });
}

for (const application of applications.filter(({ isBehindNginx }) => isBehindNginx)) {
  test(`${application.name}: empty headers, as Caddy sends them, name nobody`, async () => {
    const { own } = portsOf(application);
    const headers = ["gkc-sessionId:", "gkc-customerId:"];
    const { body } = await visit(own, application.home, { headers });
    assert.deepEqual(JSON.parse(body), { customer: null });
    const { status } = await visit(own, `${application.forms}/sign-out-everywhere`, formOf({}, headers));
    assert.equal(status, 403);
  });

  test(`${application.name}: a visitor signs in whose session ends at that moment`, async () => {
    const { sessionId } = sessionOf(await api.create());
    await api.call("DELETE", `/sessions/${sessionId}`);
    const response = await visit(
      portsOf(application).own,
      `${application.forms}/sign-in`,
      formOf(anna, [`gkc-sessionId: ${sessionId}`]),
    );
    const [, cookie = ""] = /^sessionId=([^;]*)/.exec(response.headers.get("set-cookie") ?? "") ?? [];
    assert.notEqual(cookie.slice(0, 24), sessionId.slice(0, 24));
    assert.equal(await openBrowser(application, cookie).customer(), "anna");
  });
}
