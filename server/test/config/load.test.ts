import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { placeOfJsonFault } from "../../src/config/json-fault.ts";
import { faultsOf, folder, load, nowhere } from "./loading.ts";

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
    customerData: "change",
    auditReads: false,
    recordQueryKeys: [],
    statisticsServices: [],
    maxRecords: 10_000,
    retention: 1_209_600_000,
    events: "on",
    eventRetention: 86_400_000,
    store: { engine: "sqlite" },
    redisPrefix: "ac:",
    redisTimeout: 2000,
    redisCaFile: null,
    redisCertFile: null,
    redisKeyFile: null,
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

test("a variable whose prefix is misspelt is refused too, and others that begin alike are not", () => {
  const env = { ANTECHMBER_AUTH: "key", antechamber_port: "1", ANT_HOME: "/opt/ant", APACHE_PORT: "80" };
  assert.deepEqual(faultsOf({ env }), [
    "ANTECHMBER_AUTH: there is no such setting (did you mean ANTECHAMBER_AUTH?)",
    "antechamber_port: there is no such setting (did you mean ANTECHAMBER_PORT?)",
  ]);
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
