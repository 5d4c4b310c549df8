import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { faultsOf, load, nowhere } from "./loading.ts";

/* The settings that decide who may call: auth modes, identity providers, trusted proxies, address and socket. */

test("an address that other machines can reach is refused with auth local", () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.7", "sessions.example", "::ffff:127.0.0.1"]) {
    const [fault, ...others] = faultsOf({ flags: { host } });
    assert.match(String(fault), /^host \(--host\): .*Set auth to key/, host);
    assert.deepEqual(others, []);
    assert.equal(load({ flags: { host, auth: "key" } }).config.host, host);
  }
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost", "[::1]"]) {
    assert.deepEqual(faultsOf({ flags: { host } }), [], host);
  }
  for (const host of ["", "127.0.0.1:80", "a b", "300.1.1.1", "http://localhost"]) {
    assert.equal(faultsOf({ flags: { host } }).length, 1, host);
  }
});

const tokens = {
  auth: "jwt",
  jwtIssuer: "https://login.example/",
  jwtAudience: ["antechamber"],
  jwtAlgorithms: ["RS256", "ES256"],
  jwtKeySetUrl: "https://login.example/keys",
};
const vouched = {
  flags: { auth: "proxy", trustedProxies: ["127.0.0.1", "fd00::/8"] },
  env: { ANTECHAMBER_PROXY_SECRET: "x".repeat(32) },
};

test("auth jwt is refused without issuer, audience, algorithms and key set", () => {
  const { config } = load({ flags: { ...tokens, host: "0.0.0.0" } });
  assert.deepEqual(config.tokens, {
    issuer: "https://login.example/",
    audiences: ["antechamber"],
    algorithms: ["RS256", "ES256"],
    keySetUrl: "https://login.example/keys",
    claims: { role: "role", customerId: "customerId", agentId: "agentId" },
    defaultRole: undefined,
  });
  assert.deepEqual(
    faultsOf({ flags: { auth: "jwt" } }).map((fault) => fault.replace(/:.*(\(\w+\))$/, " $1")),
    [
      "jwtIssuer (default) (ANTECHAMBER_JWT_ISSUER)",
      "jwtAudience (default) (ANTECHAMBER_JWT_AUDIENCE)",
      "jwtAlgorithms (default) (ANTECHAMBER_JWT_ALGORITHMS)",
      "jwtKeySetUrl (default) (ANTECHAMBER_JWT_KEY_SET_URL)",
    ],
  );
});

const logout = {
  logoutIssuer: "https://other.example/",
  logoutAudience: ["shop", "portal"],
  logoutAlgorithms: ["EdDSA"],
  logoutKeySetUrl: "https://other.example/keys",
};

test("logout tokens are those of mode jwt, except for the settings of their own", () => {
  const usual = {
    issuer: "https://login.example/",
    audiences: ["antechamber"],
    algorithms: ["RS256", "ES256"],
    keySetUrl: "https://login.example/keys",
  };
  assert.deepEqual(load({ flags: tokens }).config.logout, usual);
  const { config } = load({ flags: { ...tokens, logoutAudience: ["shop"], logoutAlgorithms: ["PS256"] } });
  assert.deepEqual(config.logout, { ...usual, audiences: ["shop"], algorithms: ["PS256"] });
  const own = {
    issuer: "https://other.example/",
    audiences: ["shop", "portal"],
    algorithms: ["EdDSA"],
    keySetUrl: "https://other.example/keys",
  };
  for (const flags of [logout, { ...logout, ...tokens }, { ...logout, auth: "key" }]) {
    assert.deepEqual(load({ flags }).config.logout, own);
  }
});

test("logout tokens that are configured in part are refused", () => {
  for (const name of Object.keys(logout) as (keyof typeof logout)[]) {
    const { [name]: _, ...flags } = logout;
    const [fault, ...others] = faultsOf({ flags });
    assert.match(
      String(fault),
      new RegExp(`^${name} \\(default\\): logout\\w+, .* needs? it: .*ANTECHAMBER_LOGOUT_`),
      name,
    );
    assert.deepEqual(others, [], name);
  }
  // The keys of one issuer must not verify the tokens of another.
  const faults = faultsOf({ flags: { ...tokens, logoutIssuer: "https://other.example/" } });
  assert.match(faults.join(), /^logoutKeySetUrl \(default\): logoutIssuer needs it: [^,]*, such as/);
});

test("logout settings are validated as those of mode jwt", () => {
  const faults = faultsOf({ flags: { ...logout, logoutAlgorithms: ["HS256"], logoutKeySetUrl: "http://a.example/" } });
  assert.match(faults.join("\n"), /^--logout-algorithms: .*\n--logout-key-set-url: /);
});

test("no algorithm that a public key could forge is accepted", () => {
  for (const name of ["none", "NONE", "HS256", "HS512", "rs256", "RSA1_5", "dir"]) {
    const [fault, ...others] = faultsOf({ flags: { ...tokens, jwtAlgorithms: [name] } });
    assert.match(String(fault), /^--jwt-algorithms: .* is none of RS256, /, name);
    assert.deepEqual(others, []);
  }
});

test("key sets are fetched over https, or from this machine", () => {
  const faults = (jwtKeySetUrl: string) => faultsOf({ flags: { ...tokens, jwtKeySetUrl } });
  for (const url of ["https://a.example/k", "http://127.0.0.1:9/k", "http://[::1]/", "http://localhost/k"]) {
    assert.deepEqual(faults(url), [], url);
  }
  for (const url of [
    "http://login.example/keys",
    "http://127.0.0.1.example/keys",
    "http://10.0.0.1/keys",
    "file:///etc/keys.json",
    "login.example/keys",
    "https://user:word@login.example/keys",
  ]) {
    const [fault, ...others] = faults(url);
    assert.match(String(fault), /^--jwt-key-set-url: /, url);
    assert.ok(!String(fault).includes("word@"), "a password is not repeated");
    assert.deepEqual(others, [], url);
  }
});

test("auth proxy is refused without a secret, without proxies, and with ranges that are too wide", () => {
  const { config } = load(vouched);
  assert.equal(config.proxySecret, "x".repeat(32));
  assert.equal(config.trustedProxies.length, 2);
  const [secret, proxies, ...others] = faultsOf({ flags: { auth: "proxy" } });
  assert.match(String(secret), /^proxySecret \(default\): .*ANTECHAMBER_PROXY_SECRET/);
  assert.match(String(proxies), /^trustedProxies \(default\): .*10\.0\.3\.0\/24.*socket/);
  assert.deepEqual(others, []);
  const onSocket = { ...vouched, flags: { auth: "proxy", socket: "http.sock" } };
  assert.deepEqual(load(onSocket).config.socket, { path: join(nowhere, "http.sock"), mode: 0o600 });
  for (const range of ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3", "::ffff:0.0.0.0/96"]) {
    const wide = { ...vouched, flags: { auth: "proxy", trustedProxies: ["127.0.0.1", range] } };
    const [fault, ...more] = faultsOf(wide);
    assert.match(String(fault), /^trustedProxies \(--trusted-proxies\): .* is no list of proxies/);
    assert.deepEqual(more, [], range);
  }
});

test("a secret that is too short is refused, and its value is not shown", () => {
  for (const word of ["short", "x".repeat(31), `${"x".repeat(32)}é`, `${"x".repeat(20)} ${"y".repeat(20)}`]) {
    const faults = faultsOf({ ...vouched, env: { ANTECHAMBER_PROXY_SECRET: word } });
    assert.deepEqual(faults, [
      "ANTECHAMBER_PROXY_SECRET: the value is not allowed; allowed is 32 to 512 visible ASCII characters",
    ]);
  }
});

test("a setting of another auth mode is refused", () => {
  const { auth: _, ...forgotten } = tokens;
  const faults = faultsOf({ flags: forgotten });
  assert.equal(faults.length, 4);
  for (const fault of faults) assert.match(fault, /for auth jwt alone, and auth is local/);
  const [secret] = faultsOf({ flags: { auth: "key" }, env: vouched.env });
  assert.match(String(secret), /^proxySecret \(ANTECHAMBER_PROXY_SECRET\): it is for auth proxy/);
});

test("a server listens on an address or on a socket", () => {
  const { config } = load({ flags: { socket: "run/http.sock", socketMode: "0660" } });
  assert.deepEqual(config.socket, { path: join(nowhere, "run/http.sock"), mode: 0o660 });
  assert.equal(load({}).config.socket, undefined);
  const both = faultsOf({
    flags: { socket: "a.sock", port: "80" },
    env: { ANTECHAMBER_HOST: "::1" },
  });
  assert.match(both.join("\n"), /^host \(ANTECHAMBER_HOST\): .*\nport \(--port\): .*leave out one/);
  const [long] = faultsOf({ flags: { socket: `/${"x".repeat(100)}` } });
  assert.match(String(long), /longer than the path of a socket/);
  assert.match(String(faultsOf({ flags: { socketMode: "0660" } })[0]), /^socketMode .* not set/);
});
