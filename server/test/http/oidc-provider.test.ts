// runs: once

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt, exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { createApi, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";

/*
 * Signs a person in and out at a real OpenID provider, with its own pages, as a browser does.
 */

const CALLBACK = "https://shop.example/callback";
const form = (members: Record<string, string>) => ({ method: "POST", body: new URLSearchParams(members) });

/** Starts a provider with one client, `shop`. It calls `logoutUri` when somebody signs out. */
async function startProvider(logoutUri: () => string) {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = {
    client_id: "shop",
    client_secret: "a secret of the shop",
    redirect_uris: [CALLBACK],
    // The address is known only later, so the provider's `fetch` replaces this one.
    backchannel_logout_uri: "https://sessions.example/oidc/backchannel-logout",
  };
  const provider = new Provider(issuer, {
    clients: [client],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "RS256", use: "sig" }] },
    cookies: { keys: ["a key for the cookies of the test"] },
    features: { backchannelLogout: { enabled: true } },
    // Without the provider's dispatcher, which refuses to call this machine.
    fetch: (_url: string, { headers = {}, body = null }: RequestInit) =>
      fetch(logoutUri(), { method: "POST", headers, body }),
  });
  const calls: string[] = [];
  provider.on("backchannel.success", (_context, _client, accountId) => calls.push(`${accountId} signed out`));
  provider.on("backchannel.error", (_context, error) => calls.push(String(error)));
  server.on("request", provider.callback());
  return {
    issuer,
    /** The results of the provider's calls of the client. */
    calls,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Creates a browser: it keeps cookies, and follows redirects within `origin`. */
function createBrowser(origin: string) {
  const cookies = new Map<string, string>();
  const visit = async (url: string, init: RequestInit = {}): Promise<{ url: string; text: string }> => {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url, { ...init, redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) return { url, text: await response.text() };
    const next = new URL(location, url).href;
    return next.startsWith(origin) ? visit(next) : { url: next, text: "" };
  };
  return visit;
}

onEachEngine(({ test, serve }) => {
  test("signing out at an OpenID provider ends the sessions of the person here", async () => {
    let logoutUri = "";
    await using provider = await startProvider(() => logoutUri);
    const { issuer } = provider;
    const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<
      string,
      string
    >;
    const logout = {
      issuer: metadata["issuer"] as string,
      audiences: ["shop"],
      algorithms: ["RS256"],
      keySetUrl: metadata["jwks_uri"] as string,
    };
    await using server = await serve({ config: { logout } });
    logoutUri = `${server.url}/oidc/backchannel-logout`;

    // Alice signs in at the provider, and allows the shop to know her.
    const visit = createBrowser(issuer);
    const query = new URLSearchParams({
      client_id: "shop",
      response_type: "code",
      scope: "openid",
      redirect_uri: CALLBACK,
    });
    const signIn = await visit(`${issuer}/auth?${String(query)}`);
    const consent = await visit(signIn.url, form({ prompt: "login", login: "alice", password: "any" }));
    const back = await visit(consent.url, form({ prompt: "consent" }));
    const code = new URL(back.url).searchParams.get("code");
    assert.ok(code, back.url);

    // The shop gets the token that names her, and associates her sessions.
    const authorization = `Basic ${Buffer.from("shop:a+secret+of+the+shop").toString("base64")}`;
    const response = await fetch(metadata["token_endpoint"] as string, {
      ...form({ grant_type: "authorization_code", code, redirect_uri: CALLBACK }),
      headers: { authorization },
    });
    const { id_token: idToken = "" } = (await response.json()) as { id_token?: string };
    const { sub } = decodeJwt(idToken);
    assert.equal(sub, "alice");
    const api = createApi(server.url);
    const create = async (customerId: string) => {
      const { sessionId } = sessionOf(await api.create());
      return sessionOf(await api.update(sessionId, { headers: { gkc_customerId: customerId } })).sessionId;
    };
    const isLive = async (id: string) => (await api.call("HEAD", `/sessions/${id}`)).status === 200;
    const ofAlice = [await create(sub), await create(sub)];
    const ofBob = await create("bob");
    assert.deepEqual(await Promise.all(ofAlice.map(isLive)), [true, true]);

    // She signs out at the provider.
    const page = await visit(`${metadata["end_session_endpoint"]}?id_token_hint=${idToken}`);
    const [, xsrf = ""] = /name="xsrf" value="([^"]+)"/.exec(page.text) ?? [];
    await visit(`${issuer}/session/end/confirm`, form({ xsrf, logout: "yes" }));
    assert.deepEqual(provider.calls, ["alice signed out"]);
    assert.deepEqual(await Promise.all(ofAlice.map(isLive)), [false, false]);
    assert.equal(await isLive(ofBob), true);
  });
});
