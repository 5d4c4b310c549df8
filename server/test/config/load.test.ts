import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { placeOfJsonFault } from "../../src/config/json-fault.ts";
import { parseRange } from "../../src/network/addresses.ts";
import { faultsOf, load, nowhere } from "./loading.ts";

const root = mkdtempSync(join(tmpdir(), "antechamber-config-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Creates a folder, with a configuration file if `members` is given. */
function folder(name: string, members?: unknown): string {
  const path = join(root, name);
  mkdirSync(path);
  if (members !== undefined) {
    const text = typeof members === "string" ? members : JSON.stringify(members);
    writeFileSync(join(path, "antechamber.json"), text);
  }
  return path;
}

test("without any settings the documented defaults apply", () => {
  const { config, sources } = load({});
  assert.deepEqual(config, {
    host: "127.0.0.1",
    port: 8080,
    dataDir: join(nowhere, "data"),
    basePaths: [],
    socket: undefined,
    auth: "local",
    tokens: undefined,
    logout: undefined,
    proxySecret: undefined,
    trustedProxies: [],
    corsOrigins: [],
    perAddress: {
      creates: { count: 6000, period: 60_000 },
      misses: { count: 6000, period: 60_000 },
      requests: { count: 60_000, period: 60_000 },
    },
    perCredential: {
      creates: { count: 60_000, period: 60_000 },
      misses: { count: 60_000, period: 60_000 },
      requests: { count: 600_000, period: 60_000 },
    },
    maxSessionsPerCustomer: 0,
    lifetimes: {
      anonymous: { idle: 1_800_000, total: 86_400_000 },
      recognized: { idle: 1_800_000, total: 86_400_000 },
      profiles: new Map(),
    },
    rotateOnRecognition: "asked",
    rotationGrace: 10_000,
    forwardAuth: "create",
    forwardAuthSources: ["header", "cookie"],
    cookieName: "sessionId",
    cookieDomain: null,
    cookieSameSite: "lax",
    cookieHttpOnly: true,
    cookieMaxAge: null,
    assertionAudience: null,
    assertionIssuer: "antechamber",
    webhookAllowedHosts: { names: new Set(), ranges: [] },
    storeVisitors: "returning",
    console: true,
    consoleClient: undefined,
    consoleUrl: null,
    traceUrl: null,
    auditReads: false,
    recordQueryKeys: [],
    maxRecords: 10_000,
    retention: 1_209_600_000,
    events: "on",
    eventRetention: 86_400_000,
    store: { engine: "sqlite" },
    redisPrefix: "ac:",
    redisTimeout: 2000,
    redisCaFile: null,
    sentinelUsername: null,
    sentinelPassword: null,
    minReplicasAck: 0,
    cacheSessions: 100_000,
    maxPendingWrites: 10_000,
    storeTimeout: 10_000,
    shutdownTimeout: 10_000,
    logLevel: "info",
    accessLog: "errors",
  });
  assert.ok(Object.values(sources).every(({ kind }) => kind === "default"));
});

test("flags override the environment, which overrides the file, which overrides the defaults", () => {
  const cwd = folder("precedence", { port: 1, logLevel: "warn", accessLog: "all" });
  const env = { ANTECHAMBER_PORT: "2", ANTECHAMBER_LOG_LEVEL: "error" };
  const { config, sources } = load({ cwd, env, flags: { port: "3" } });
  assert.equal(config.port, 3);
  assert.equal(config.logLevel, "error");
  assert.equal(config.accessLog, "all");
  assert.equal(sources.port.from, "--port");
  assert.equal(sources.logLevel.from, "ANTECHAMBER_LOG_LEVEL");
  assert.equal(sources.accessLog.from, `accessLog in ${join(cwd, "antechamber.json")}`);
  assert.equal(sources.host.from, "default");
});

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

test("one error lists every fault, where it is and what is allowed", () => {
  const cwd = folder("faults", { prot: 1, cacheSessions: "many" });
  const faults = faultsOf({
    cwd,
    flags: { port: "65536" },
    env: { ANTECHAMBER_AUTH: "none", ANTECHAMBER_STORE_TIMEOUT: "10", ANTECHAMBER_HOTS: "::1" },
  });
  const file = join(cwd, "antechamber.json");
  assert.deepEqual(faults, [
    "ANTECHAMBER_HOTS: there is no such setting (did you mean ANTECHAMBER_HOST?)",
    `prot in ${file}: there is no such setting (did you mean port?)`,
    '--port: "65536" is not allowed; allowed is a whole number of 0 to 65535',
    'ANTECHAMBER_AUTH: "none" is not allowed; allowed is local, key, jwt or proxy',
    'ANTECHAMBER_STORE_TIMEOUT: "10" is not allowed; allowed is a duration of 10ms to 10m',
    `cacheSessions in ${file}: "many" is not allowed; allowed is a whole number of 1 to 100000000`,
  ]);
});

test("a variable of applications is refused with what to do, and nothing is suggested for one that resembles none", () => {
  assert.deepEqual(faultsOf({ env: { ANTECHAMBER_KEY: "ak_x", ANTECHAMBER_XY: "1" } }), [
    "ANTECHAMBER_KEY: there is no such setting: it is for the applications that call the service. Remove it here (unset ANTECHAMBER_KEY, or env -u ANTECHAMBER_KEY antechamber …)",
    "ANTECHAMBER_XY: there is no such setting",
  ]);
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

test("a list comes from repeated flags, commas, or an array in the file", () => {
  const paths = ["/gks-server/v1", "/b"];
  const spoken = paths.map((path) => ({ path, dialect: "8.5.0" }));
  assert.deepEqual(load({ flags: { basePath: paths } }).config.basePaths, spoken);
  assert.deepEqual(load({ env: { ANTECHAMBER_BASE_PATH: "/gks-server/v1, /b," } }).config.basePaths, spoken);
  const cwd = folder("list", { basePath: paths, corsOrigins: "https://a.example" });
  assert.deepEqual(load({ cwd }).config.basePaths, spoken);
  assert.deepEqual(load({ cwd }).config.corsOrigins, ["https://a.example"]);
  assert.deepEqual(load({ cwd, flags: { basePath: [""] } }).config.basePaths, []);
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

test("an empty variable counts as not set", () => {
  const env = { ANTECHAMBER_PORT: "", ANTECHAMBER_CONFIG: "" };
  assert.equal(load({ env }).sources.port.kind, "default");
});

test("a named file must exist; a file that is not an object of settings is refused", () => {
  const [missing] = faultsOf({ flags: { config: "missing.json" } });
  assert.match(String(missing), /^--config missing\.json: the file cannot be read: /);
  assert.match(String(faultsOf({ cwd: folder("broken", "{") })[0]), /antechamber\.json: the file is not JSON: /);
  assert.match(String(faultsOf({ cwd: folder("array", []) })[0]), /contain one JSON object/);
});

test("the error for invalid JSON has its position; valid JSON is read", () => {
  const faulty: [text: string, line: number, column: number][] = [
    ['{"port": 1,\n  "host": "a"', 2, 14],
    ['{"port": 1\n"host": "a"}', 2, 1],
    ['{\r\n\t"port": 08 }', 2, 10],
    ['{"port": 1,}', 1, 12],
    ["{'port': 1}", 1, 2],
    ['// a comment\n{"port": 1}', 1, 1],
    ['{"port": 1} x', 1, 13],
    ['{"host": "a\nb"}', 1, 10],
    ['{"corsOrigins": ["a", ]}', 1, 23],
    ['{"port": tru}', 1, 10],
    ['{"port": 1.}', 1, 10],
    ['{"port" 1}', 1, 9],
  ];
  for (const [i, [text, line, column]] of faulty.entries()) {
    const name = `place-${i}`;
    const [fault] = faultsOf({ cwd: folder(name, text) });
    assert.ok(fault?.includes(`line ${line}, column ${column},`), `${text}: ${fault}`);
    assert.throws(() => JSON.parse(text));
  }
  const odd = '\n[ 1e5, -0, -1.5E-3, "\\u00e9\\"", "\u007f", {}, [], [[]], {"a":{"b":null}}, true ]\n';
  assert.equal(placeOfJsonFault(odd), undefined);
  assert.doesNotThrow(() => JSON.parse(odd) as unknown);
  assert.match(String(faultsOf({ cwd: folder("blank", " \n") })[0]), /the file is empty/);
  assert.equal(load({ cwd: folder("marked", '\u{FEFF}{"port":1}') }).config.port, 1);
});

test("a relative data folder in a configuration file is relative to that file", () => {
  const elsewhere = folder("elsewhere", { dataDir: "kept" });
  const flags = { config: join(elsewhere, "antechamber.json") };
  assert.equal(load({ flags }).config.dataDir, join(elsewhere, "kept"));
  assert.equal(load({ flags: { ...flags, dataDir: "own" } }).config.dataDir, join(nowhere, "own"));
});

test("no message repeats a password or the whole of a long value", () => {
  const text = faultsOf({ flags: { store: "redis://user:s3cret@host", host: "x ".repeat(500) } });
  assert.doesNotMatch(text.join(), /s3cret|user/);
  assert.ok(text.join().length < 500, text.join());
});

test("an error explains the variables that Kubernetes sets for a Service named antechamber", () => {
  const env = { ANTECHAMBER_SERVICE_HOST: "10.0.0.1", ANTECHAMBER_PORT: "tcp://10.0.0.1:8080" };
  const faults = faultsOf({ env });
  assert.equal(faults.length, 2);
  assert.ok(faults.every((fault) => fault.includes("enableServiceLinks: false")));
});

test("variables of the launcher and of the tests are not treated as settings", () => {
  assert.deepEqual(faultsOf({ env: { ANTECHAMBER_RUNTIME: "node", ANTECHAMBER_LONG: "1" } }), []);
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
