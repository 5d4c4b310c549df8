// runs: once

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { ConsoleSessionInfo } from "@antechamber/client/protocol";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { Jwks } from "../../src/http/auth/jwks.ts";
import { createProviderSignIn } from "../../src/http/auth/provider-sign-in.ts";
import { freePort } from "../support/free-ports.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { MINUTE } from "../support/sessions.ts";

/*
 * Signs people in to the console at a real OpenID provider, with its own pages, as a browser does.
 */

const SECRET = "a secret of the console";
const people: Readonly<Record<string, object>> = {
  ruth: { role: "agent", agentId: "agent-ruth", name: "Ruth <b>" },
  olga: { role: ["staff", "administrator"], name: "Olga" },
  carl: { role: "customer", customerId: "carl" },
  nina: { name: "Nina" },
};

/** Starts a provider with a public and a confidential client, and an application that must not count. */
async function startProvider() {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // A native application may come back to any port of this machine (RFC 8252, section 7.3).
  const common = { application_type: "native", redirect_uris: ["http://127.0.0.1/console/callback"] } as const;
  const provider = new Provider(issuer, {
    clients: [
      { ...common, client_id: "console", token_endpoint_auth_method: "none" },
      { ...common, client_id: "confidential", client_secret: SECRET },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "RS256", use: "sig" }] },
    cookies: { keys: ["a key for the cookies of the test"] },
    claims: { openid: ["sub", "role", "agentId", "customerId", "name"] },
    conformIdTokenClaims: false,
    ttl: { IdToken: () => 3600 },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, ...people[sub] }),
    }),
  });
  server.on("request", provider.callback());
  return {
    issuer,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

let provider: Awaited<ReturnType<typeof startProvider>>;
let server: TestServer;
before(async () => {
  provider = await startProvider();
  server = await serveWith("console", null);
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

async function serveWith(id: string, secret: string | null): Promise<TestServer> {
  const port = await freePort();
  const { issuer } = provider;
  const claims = { role: "role", customerId: "customerId", agentId: "agentId" };
  return await serve({
    config: {
      auth: "jwt",
      port,
      console: true,
      consoleUrl: `http://127.0.0.1:${port}/console`,
      consoleClient: { id, secret, scopes: ["openid"] },
      tokens: {
        ...{ issuer, audiences: ["antechamber"], algorithms: ["RS256"], keySetUrl: `${issuer}/jwks` },
        ...{ claims, defaultRole: undefined },
      },
    },
  });
}

interface Visit {
  readonly url: string;
  readonly text: string;
}

/** Creates a browser: it keeps the cookies of each host and port, and follows redirects, at most up to `stopAt`. */
function createBrowser() {
  const jars = new Map<string, Map<string, string>>();
  const jarOf = (url: string) => {
    const { origin } = new URL(url);
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    return jar;
  };
  const visit = async (url: string, init: RequestInit = {}, stopAt?: string): Promise<Visit> => {
    if (stopAt !== undefined && url.startsWith(stopAt)) return { url, text: "" };
    const jar = jarOf(url);
    const cookie = [...jar].map((pair) => pair.join("=")).join("; ");
    const headers = new Headers(init.headers);
    headers.set("cookie", cookie);
    const response = await fetch(url, { ...init, redirect: "manual", headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) return { url, text: await response.text() };
    return visit(new URL(location, url).href, {}, stopAt);
  };
  return { visit, cookies: jarOf };
}

type TestBrowser = ReturnType<typeof createBrowser>;

/** Signs a person in at the provider, on its own pages. Returns the place in which that ends. */
async function signIn(
  browser: TestBrowser,
  name: string,
  from: TestServer,
  next = "",
  stopAt?: string,
): Promise<Visit> {
  const query = new URLSearchParams({ next }).toString();
  let page = await browser.visit(`${from.url}/console/sign-in/provider?${query}`, {}, stopAt);
  for (let step = 0; step < 3 && page.url.startsWith(provider.issuer); step++) {
    const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? "";
    const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1] ?? "";
    const body = new URLSearchParams({ prompt, login: name, password: "any" });
    page = await browser.visit(new URL(action, page.url).href, { method: "POST", body }, stopAt);
  }
  return page;
}

async function whoIs(browser: TestBrowser, at: TestServer = server): Promise<ConsoleSessionInfo> {
  const { text } = await browser.visit(`${at.url}/console/viewer`, { headers: { "antechamber-console": "1" } });
  return JSON.parse(text) as ConsoleSessionInfo;
}

const problemIn = ({ url }: Visit) => new URL(url).searchParams.get("problem");

test("people sign in at the identity provider, and return to the page that they wanted", async () => {
  const browser = createBrowser();
  assert.deepEqual(await whoIs(browser), { isSignedIn: false, signIn: "provider" });
  const { url } = await signIn(browser, "ruth", server, "session?handle=abc&tab=2");
  assert.equal(url, `${server.url}/console/session?handle=abc&tab=2`);
  const info = await whoIs(browser);
  assert.deepEqual(info.isSignedIn && [info.role, info.agentId, info.name], ["agent", "agent-ruth", "Ruth <b>"]);
  // The sign-in ends with the ID token.
  const endsAt = Date.parse((info.isSignedIn && info.endsAt) || "");
  assert.ok(Math.abs(endsAt - server.now() - 60 * MINUTE) < MINUTE);
});

test("a confidential client shows its secret, and one of several roles counts", async () => {
  await using own = await serveWith("confidential", SECRET);
  const browser = createBrowser();
  await signIn(browser, "olga", own);
  const info = await whoIs(browser, own);
  assert.deepEqual(info.isSignedIn && [info.role, info.name], ["administrator", "Olga"]);
  await using wrong = await serveWith("confidential", "another secret");
  assert.equal(problemIn(await signIn(createBrowser(), "olga", wrong)), "refused");
});

test("the sign-in shows people without a role, and customers, that their account may not use the console", async () => {
  for (const name of ["nina", "carl"]) {
    const browser = createBrowser();
    assert.equal(problemIn(await signIn(browser, name, server, "keys")), "no-role");
    assert.equal((await whoIs(browser)).isSignedIn, false);
  }
});

test("a code of another browser's sign-in, a used one, or one without a sign-in that was begun signs nobody in", async () => {
  const attacker = createBrowser();
  const callback = `${server.url}/console/callback`;
  const { url } = await signIn(attacker, "ruth", server, "", callback);
  assert.ok(new URL(url).searchParams.has("code"));
  // A victim that never began, and one that has begun another sign-in.
  const victim = createBrowser();
  assert.equal(problemIn(await victim.visit(url)), "expired");
  await victim.visit(`${server.url}/console/sign-in/provider`, {}, provider.issuer);
  assert.equal(problemIn(await victim.visit(url)), "refused");
  assert.equal((await whoIs(victim)).isSignedIn, false);
  // The attacker's own browser may use it once.
  await attacker.visit(url);
  assert.equal((await whoIs(attacker)).isSignedIn, true);
  const again = createBrowser();
  for (const [name, value] of attacker.cookies(server.url)) {
    if (name.endsWith("sign-in")) again.cookies(server.url).set(name, value);
  }
  assert.equal(problemIn(await again.visit(url)), "refused");
  for (const wrong of [`${callback}?code=x&state=y`, `${callback}?error=access_denied`, callback]) {
    assert.ok(problemIn(await createBrowser().visit(wrong)));
  }
});

test("a sign-in that takes longer than ten minutes is begun again", async () => {
  await using own = await serveWith("console", null);
  const browser = createBrowser();
  const { url } = await signIn(browser, "ruth", own, "", `${own.url}/console/callback`);
  own.pass(11 * MINUTE);
  assert.equal(problemIn(await browser.visit(url)), "expired");
});

test("after the sign-in the browser is redirected only into the console", async () => {
  for (const next of [
    "//evil.example",
    "https://evil.example",
    "/docs",
    "../docs",
    "a/../../docs",
    "a/%2e%2e/%2E./docs",
    "\\\\evil.example",
    "a\r\nb: c",
  ]) {
    const { url } = await signIn(createBrowser(), "ruth", server, next);
    assert.equal(url, `${server.url}/console/`, next);
  }
});

test("many people who begin a sign-in at a time cause one request to the provider", async () => {
  let requests = 0;
  const metadata = createServer((_, response) => {
    requests++;
    response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`;
  const keySetUrl = `${issuer}/jwks`;
  const claims = { role: "role", customerId: "customerId", agentId: "agentId" };
  const tokens = { issuer, audiences: ["a"], algorithms: ["RS256"], keySetUrl, claims, defaultRole: undefined };
  const { begin } = createProviderSignIn({
    ...{ client: { id: "console", secret: null, scopes: ["openid"] }, consoleUrl: "http://127.0.0.1/console", tokens },
    jwks: new Jwks({ url: keySetUrl, clock: Date.now, events: { fetched: () => undefined, failed: () => undefined } }),
    ...{ clock: Date.now, wallClock: Date.now, log: { warn: () => undefined } },
  });
  const begun = await Promise.all(Array.from({ length: 20 }, () => begin()));
  assert.deepEqual([new Set(begun), requests], [new Set([undefined]), 1]);
  await begin();
  assert.equal(requests, 2);
  metadata.closeAllConnections();
  await new Promise((resolve) => metadata.close(resolve));
});

test("while the provider is unavailable, the page says so, and no cookie is set", async () => {
  const gone = await startProvider();
  const port = await freePort();
  await gone[Symbol.asyncDispose]();
  const tokens = { issuer: gone.issuer, audiences: ["a"], algorithms: ["RS256"], keySetUrl: `${gone.issuer}/jwks` };
  const claims = { role: "role", customerId: "customerId", agentId: "agentId" };
  await using own = await serve({
    config: {
      ...{ auth: "jwt", port, console: true, consoleUrl: `http://127.0.0.1:${port}/console` },
      consoleClient: { id: "console", secret: null, scopes: ["openid"] },
      tokens: { ...tokens, claims, defaultRole: undefined },
    },
  });
  const browser = createBrowser();
  assert.equal(problemIn(await browser.visit(`${own.url}/console/sign-in/provider`)), "unavailable");
  assert.equal(browser.cookies(own.url).size, 0);
});
