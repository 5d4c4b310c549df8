import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange } from "../../src/network/addresses.ts";
import { faultsOf, folder, load } from "./loading.ts";

/* The values of settings: which are accepted, and what the code gets. */

test("a rate limit is a number and a time, or `off`", () => {
  const env = (rate: string) => ({ ANTECHAMBER_REQUESTS_PER_ADDRESS: rate });
  const read = (rate: string) => load({ env: env(rate) }).config.perAddress.requests;
  assert.deepEqual(read("600/1m"), { count: 600, period: 60_000 });
  assert.deepEqual(read(" 1/1d "), { count: 1, period: 86_400_000 });
  for (const none of ["off", "0"]) assert.equal(read(none), undefined);
  const cwd = folder("no-rate", { requestsPerAddress: 0 });
  assert.equal(load({ cwd }).config.perAddress.requests, undefined);
  for (const wrong of ["600", "600/m", "0/1m", "-1/1s", "1/500ms", "1/1500ms", "1/2d", "on"]) {
    const [fault = ""] = faultsOf({ env: env(wrong) });
    assert.match(fault, /^ANTECHAMBER_REQUESTS_PER_ADDRESS: .* such as 600\/1m, or off$/, wrong);
  }
});

test("a proxy is trusted by its address or its range", () => {
  const env = (text: string) => ({ ANTECHAMBER_TRUSTED_PROXIES: text });
  assert.deepEqual(
    load({ env: env("10.0.0.0/8, ::1") }).config.trustedProxies,
    ["10.0.0.0/8", "::1"].map((text) => parseRange(text)),
  );
  const [fault = ""] = faultsOf({ env: env("10.0.0.1/8") });
  assert.match(fault, /: 10\.0\.0\.1\/8 is no range, or has bits set after its prefix;/);
});

test("a recognized session must not have a shorter lifetime than an anonymous one", () => {
  const [fault] = faultsOf({ env: { ANTECHAMBER_RECOGNIZED_LIFETIME: "23h" } });
  assert.match(String(fault), /^recognizedLifetime \(ANTECHAMBER_RECOGNIZED_LIFETIME\): /);
  const both = { ANTECHAMBER_RECOGNIZED_LIFETIME: "1h", ANTECHAMBER_ANONYMOUS_LIFETIME: "1h" };
  assert.deepEqual(faultsOf({ env: both }), []);
});

test("hosts of webhooks are names, addresses and ranges", () => {
  const env = (hosts: string) => ({ ANTECHAMBER_WEBHOOK_ALLOWED_HOSTS: hosts });
  const { names, ranges } = load({ env: env("App.internal, 10.0.0.0/8, ::1") }).config.webhookAllowedHosts;
  assert.deepEqual([...names], ["app.internal"]);
  assert.deepEqual(
    ranges.map(({ bits }) => bits),
    [104, 128],
  );
  for (const host of ["10.0.0.1/8", "http://app.internal", "app internal", "1.2.3", "[::1]"]) {
    assert.match(String(faultsOf({ env: env(host) })[0]), /neither a host name nor an address or range/, host);
  }
});

test("an issuer of assertions needs an audience", () => {
  const [fault] = faultsOf({ flags: { assertionIssuer: "https://sessions.example" } });
  assert.match(String(fault), /^assertionIssuer .*ANTECHAMBER_ASSERTION_AUDIENCE/);
  assert.match(String(faultsOf({ flags: { assertionIssuer: " " } })[0]), /assertion-issuer: .*allowed is text/);
  const flags = { assertionIssuer: "https://sessions.example", assertionAudience: "https://shop.example" };
  const { config } = load({ flags });
  assert.deepEqual([config.assertionIssuer, config.assertionAudience], Object.values(flags));
});

test("a user name for sentinels needs a password", () => {
  const [fault] = faultsOf({ flags: { sentinelUsername: "porter" } });
  assert.match(String(fault), /^sentinelUsername .*ANTECHAMBER_SENTINEL_PASSWORD/);
  const env = { ANTECHAMBER_SENTINEL_USERNAME: "porter", ANTECHAMBER_SENTINEL_PASSWORD: " p" };
  const { config } = load({ env });
  assert.deepEqual([config.sentinelUsername, config.sentinelPassword], ["porter", " p"]);
});

test("a certificate for Redis needs its private key, and a key its certificate", () => {
  const [certFile] = faultsOf({ flags: { redisCertFile: "/certificate.pem" } });
  assert.match(String(certFile), /^redisCertFile .*ANTECHAMBER_REDIS_KEY_FILE/);
  const [keyFile] = faultsOf({ flags: { redisKeyFile: "/key.pem" } });
  assert.match(String(keyFile), /^redisKeyFile .*ANTECHAMBER_REDIS_CERT_FILE/);
});

test("durations need a unit and stay within their bounds", () => {
  const idle = (text: string) => load({ flags: { anonymousIdle: text } }).config;
  assert.equal(idle("1500ms").lifetimes.anonymous.idle, 1500);
  assert.equal(idle("90s").lifetimes.anonymous.idle, 90_000);
  assert.equal(idle("3650d").lifetimes.anonymous.idle, 315_360_000_000);
  for (const text of ["0s", "999ms", "3651d", "30", "-5m", "1.5h", "1h30m", "99999999999999d"]) {
    assert.equal(faultsOf({ flags: { anonymousIdle: text } }).length, 1, text);
  }
  assert.equal(faultsOf({ cwd: folder("bare", { anonymousIdle: 30 }) }).length, 1);
});

test("a base path can have a dialect", () => {
  const env = {
    ANTECHAMBER_BASE_PATH: "/gks-server/v1=8.5.1,/kc=current,/session/v2=v2,/a=8.5.0,/b",
  };
  assert.deepEqual(load({ env }).config.basePaths, [
    { path: "/gks-server/v1", dialect: "8.5.1" },
    { path: "/kc", dialect: "current" },
    { path: "/session/v2", dialect: "v2" },
    { path: "/a", dialect: "8.5.0" },
    { path: "/b", dialect: "8.5.0" },
  ]);
});

test("profiles are lifetimes by name", () => {
  const profiles = new Map([
    ["remember", { idle: 30 * 86_400_000, total: 90 * 86_400_000 }],
    ["Kiosk_1-a", { idle: 1000, total: 1000 }],
    ["__proto__", { idle: 1000, total: 3_600_000 }],
  ]);
  const texts = ["remember=30d/90d", "Kiosk_1-a=1s/1s", "__proto__=1s/1h"];
  assert.deepEqual(load({ env: { ANTECHAMBER_PROFILES: texts.join(", ") } }).config.lifetimes.profiles, profiles);
  assert.deepEqual(load({ flags: { profiles: texts } }).config.lifetimes.profiles, profiles);
  assert.deepEqual(load({ cwd: folder("profiles", { profiles: texts }) }).config.lifetimes.profiles, profiles);
});

test("a profile with a fault is refused, and the message says what to write", () => {
  const faulty: [text: string, message: RegExp][] = [
    ["remember", /remember is not a name, an idle time and a lifetime, such as remember=30d\/90d/],
    ["=30d/90d", /is not a name, an idle time/],
    ["a b=30d/90d", /name a b has other characters than letters, digits, - and _, or more than 32/],
    ["läden=30d/90d", /name läden has other characters/],
    [`${"x".repeat(33)}=30d/90d`, /or more than 32/],
    ["kiosk=2/1h", /profile kiosk needs an idle time and a lifetime of 1s to 3650d, such as kiosk=30d\/90d/],
    ["kiosk=2m", /kiosk=2m is not a name/],
    ["kiosk=999ms/1h", /of 1s to 3650d/],
    ["kiosk=1h/3651d", /of 1s to 3650d/],
    ["kiosk=2h/1h", /profile kiosk has an idle time \(2h\) beyond its lifetime \(1h\)/],
    ["kiosk=2m/1h,kiosk=2m/2h", /profile kiosk is in it twice/],
  ];
  for (const [text, message] of faulty) {
    const faults = faultsOf({ flags: { profiles: [text] } });
    assert.match(String(faults), /^--profiles: /);
    assert.match(String(faults), message);
  }
});

test("a cookie may be kept as long as the longest profile lets a session live", () => {
  const env = { ANTECHAMBER_COOKIE_MAX_AGE: "90d", ANTECHAMBER_PROFILES: "kiosk=2m/1h,remember=30d/90d" };
  assert.equal(load({ env }).config.cookieMaxAge, 90 * 86_400_000);
  const [fault] = faultsOf({ env: { ...env, ANTECHAMBER_COOKIE_MAX_AGE: "91d" } });
  assert.match(String(fault), /^cookieMaxAge .*the longest of profiles is 90d/);
});

test("an unknown dialect is refused, with the names of the known ones", () => {
  for (const dialect of ["8.5.2", "V2", "8.5", " v2", "v2=v2", "__proto__"]) {
    const [fault] = faultsOf({ flags: { basePath: [`/a=${dialect}`] } });
    assert.match(String(fault), /^--base-path: .*the dialects are 8\.5\.0, 8\.5\.1, current, v2/);
    assert.ok(String(fault).includes(dialect), dialect);
  }
  assert.match(String(faultsOf({ flags: { basePath: ["/a="] } })), /no dialect after =/);
  assert.match(String(faultsOf({ flags: { basePath: ["/=v2"] } })), /root .* dialect 8\.5\.0/);
});

test("a base path cannot have two dialects", () => {
  for (const paths of ["/a=v2,/a=8.5.1", "/a,/b,/a=v2", "/a,/a=8.5.0"]) {
    assert.match(String(faultsOf({ flags: { basePath: [paths] } })), /\/a is given twice/);
  }
});

test("base paths that could not be served are refused", () => {
  const bad = ["/", "v1", "/v1/", "/a//b", "/a/../b", "/a?b", "/a b", "/%41", "/healthz", "/docs/x"];
  for (const path of [...bad, "/sessions", "/a,/a"]) {
    assert.equal(faultsOf({ flags: { basePath: [path] } }).length, 1, path);
  }
});

test("origins are accepted only as browsers send them", () => {
  const good = ["https://shop.example", "http://localhost:3000", "capacitor://localhost"];
  assert.deepEqual(load({ flags: { corsOrigins: good } }).config.corsOrigins, good);
  assert.deepEqual(load({ flags: { corsOrigins: ["*"] } }).config.corsOrigins, ["*"]);
  const bad = ["https://a.example/", "https://a.example:443", "https://A.example", "a.example"];
  for (const origin of [...bad, "https://*.example", "null", "*,https://a.example"]) {
    assert.equal(faultsOf({ flags: { corsOrigins: [origin] } }).length, 1, origin);
  }
});

test("settings of records and of forward authentication are read", () => {
  const { config } = load({
    env: {
      ANTECHAMBER_FORWARD_AUTH: "required",
      ANTECHAMBER_RECORD_QUERY_KEYS: "page,q",
      ANTECHAMBER_MAX_RECORDS: "5",
    },
    flags: { retention: "1s", cookieHttpOnly: "false" },
  });
  const { forwardAuth, cookieHttpOnly, recordQueryKeys, maxRecords, retention } = config;
  assert.deepEqual(
    { forwardAuth, cookieHttpOnly, recordQueryKeys, maxRecords, retention },
    {
      forwardAuth: "required",
      cookieHttpOnly: false,
      recordQueryKeys: ["page", "q"],
      maxRecords: 5,
      retention: 1000,
    },
  );
  for (const flags of [
    { forwardAuth: "maybe" },
    { cookieHttpOnly: "perhaps" },
    { recordQueryKeys: "page,page" },
    { statisticsServices: Array.from({ length: 51 }, (_, i) => `service-${i}`).join() },
    { maxRecords: "0" },
    { maxRecords: "1000001" },
    { retention: "0s" },
    { retention: "3651d" },
    { eventRetention: "15d" },
    { events: "some" },
  ]) {
    assert.equal(faultsOf({ flags }).length, 1, JSON.stringify(flags));
  }
});

test("the console is served to local callers, and to others if it is switched on", () => {
  const consoleOf = (env: Record<string, string>) => load({ env }).config.console;
  const key = { ANTECHAMBER_AUTH: "key" };
  assert.equal(consoleOf({}), true);
  assert.equal(consoleOf({ ANTECHAMBER_CONSOLE: "false" }), false);
  assert.equal(consoleOf(key), false);
  assert.equal(consoleOf({ ...key, ANTECHAMBER_CONSOLE: "true" }), true);
});

test("settings of the cookie and of the sources of session ids are read", () => {
  const { config } = load({
    env: {
      ANTECHAMBER_FORWARD_AUTH_SOURCES: "cookie, query",
      ANTECHAMBER_COOKIE_NAME: "__Secure-sid",
      ANTECHAMBER_COOKIE_DOMAIN: ".Shop.Example",
      ANTECHAMBER_RECOGNIZED_LIFETIME: "30d",
    },
    flags: { cookieSameSite: "none", cookieMaxAge: "30d" },
  });
  assert.deepEqual(config.forwardAuthSources, ["cookie", "query"]);
  assert.equal(config.cookieName, "__Secure-sid");
  assert.equal(config.cookieDomain, "shop.example");
  assert.equal(config.cookieSameSite, "none");
  assert.equal(config.cookieMaxAge, 30 * 86_400_000);
  const inFile = { cwd: folder("sources", { forwardAuthSources: ["query", "header"] }) };
  assert.deepEqual(load(inFile).config.forwardAuthSources, ["query", "header"]);
  for (const flags of [{ cookieName: "__Host-sid" }, { cookieName: "__Host-Http-a!#$%&'*+-.^_`|~" }]) {
    assert.deepEqual(faultsOf({ flags }), []);
  }
});

test("a retired session id is answered for at most a minute, and for no time with 0s", () => {
  const { config } = load({ flags: { rotateOnRecognition: "always" }, env: { ANTECHAMBER_ROTATION_GRACE: "0s" } });
  assert.deepEqual([config.rotateOnRecognition, config.rotationGrace], ["always", 0]);
  assert.equal(load({ flags: { rotationGrace: "60s" } }).config.rotationGrace, 60_000);
  for (const flags of [{ rotationGrace: "61s" }, { rotationGrace: "10" }, { rotateOnRecognition: "never" }]) {
    assert.equal(faultsOf({ flags }).length, 1, JSON.stringify(flags));
  }
});

test("a cookie that browsers would drop, or that outlives its sessions, is refused", () => {
  for (const [flags, says] of [
    [{ forwardAuthSources: "cookie,url" }, /forward-auth-sources: .*allowed is header, cookie/],
    [{ forwardAuthSources: "cookie,cookie" }, /twice/],
    [{ forwardAuthSources: "," }, /none is named/],
    [{ cookieName: "session id" }, /cookie-name: .*allowed is 1 to 100 letters/],
    [{ cookieName: "a=b" }, /allowed is/],
    [{ cookieName: "a;b" }, /allowed is/],
    [{ cookieName: "größe" }, /allowed is/],
    [{ cookieName: '"a"' }, /allowed is/],
    [{ cookieName: "a".repeat(101) }, /allowed is/],
    [{ cookieDomain: "https://shop.example" }, /without scheme and port/],
    [{ cookieDomain: "shop.example:8080" }, /without scheme and port/],
    [{ cookieDomain: "shop.example." }, /not a domain name/],
    [{ cookieDomain: "shop..example" }, /not a domain name/],
    [{ cookieDomain: "*.shop.example" }, /not a domain name/],
    [{ cookieDomain: "a.example; Secure" }, /not a domain name/],
    [{ cookieDomain: "bücher.example" }, /xn--/],
    [{ cookieDomain: "127.0.0.1" }, /an address: leave it out/],
    [{ cookieDomain: "0x7f.1" }, /an address: leave it out/],
    [{ cookieDomain: "shop.0x1F" }, /an address: leave it out/],
    [{ cookieDomain: "::1" }, /an address: leave it out/],
    [{ cookieDomain: "example" }, /top-level/],
    [{ cookieSameSite: "Off" }, /lax, strict or none/],
    [{ cookieMaxAge: "0s" }, /none, or a duration/],
    [{ cookieMaxAge: "1500ms" }, /whole seconds/],
    [{ cookieMaxAge: "401d", recognizedLifetime: "500d" }, /400d/],
    [{ cookieMaxAge: "25h" }, /cookieMaxAge .*recognizedLifetime is 24h.*set recognizedLifetime/],
    [{ cookieName: "__Host-s", cookieDomain: "a.example" }, /leave cookieDomain out/],
    [{ cookieName: "__hOST-s", cookieDomain: "a.example" }, /leave cookieDomain out/],
    [{ cookieName: "__Host-Http-s", cookieDomain: "a.example" }, /leave cookieDomain out/],
    [{ cookieName: "__Http-s", cookieHttpOnly: "false" }, /set cookieHttpOnly to true/],
    [{ cookieName: "__Host-Http-s", cookieHttpOnly: "false" }, /set cookieHttpOnly to true/],
  ] as const) {
    const [fault = "", ...others] = faultsOf({ flags });
    assert.match(fault, says);
    assert.deepEqual(others, [], JSON.stringify(flags));
  }
});
