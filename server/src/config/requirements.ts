import { type AddressRange, isInRanges, parseRange } from "../network/addresses.ts";
import type { ConfigFault } from "./faults.ts";
import { type Profile, parseProfile } from "./profiles.ts";
import { type SettingName, settingNames, settingOf, textOf, type Values, variableOf } from "./settings.ts";
import type { Sources } from "./source.ts";
import { formatDuration, isLoopback, parseDuration } from "./values.ts";

/* Rules about combinations of settings. */

/** The values that are valid by themselves. A value with a fault of its own is missing. */
interface Given {
  readonly values: Partial<Values>;
  /** Returns whether the value was set to something other than the default. */
  isSet(name: SettingName): boolean;
}

/** Pairs of a setting and a message about its fault. */
type Found = Iterable<readonly [name: SettingName, message: string]>;

/** Returns the faults of values that are valid by themselves but not in combination. */
export function faultsTogether(values: Partial<Values>, sources: Sources): ConfigFault[] {
  const isSet = (name: SettingName) => {
    const value = values[name];
    if (value === undefined || sources[name].kind === "default") return false;
    return textOf(name, value) !== settingOf(name).default;
  };
  const given = { values, isSet };
  return [
    ofLifetimes,
    ofOtherModes,
    ofAddress,
    ofTokens,
    ofLogout,
    ofProxy,
    ofConsole,
    ofRedisTls,
    ofSentinels,
    ofCookie,
    ofAssertions,
  ]
    .flatMap((requirements) => [...requirements(given)])
    .map(([name, message]) => ({ from: `${name} (${sources[name].from})`, message }));
}

function* ofLifetimes({ values: { anonymousLifetime, recognizedLifetime } }: Given): Found {
  if (anonymousLifetime === undefined || recognizedLifetime === undefined) return;
  if (recognizedLifetime >= anonymousLifetime) return;
  yield [
    "recognizedLifetime",
    "it is shorter than anonymousLifetime: a session could expire by being recognized. Make it at least as long",
  ];
}

/** Refuses a setting that has no effect in the chosen `auth` mode, because the operator expects an effect. */
function* ofOtherModes({ values: { auth }, isSet }: Given): Found {
  if (auth === undefined) return;
  for (const name of settingNames) {
    const { auth: needed } = settingOf(name);
    if (needed === undefined || needed === auth || !isSet(name)) continue;
    yield [name, `it is for auth ${needed} alone, and auth is ${auth}: set auth to ${needed}, or leave it out`];
  }
}

/** Maximum length of a socket's path. It fits on every system: macOS allows 104 bytes, Linux 108. */
const MAX_SOCKET_PATH_BYTES = 100;

function* ofAddress({ values: { host, auth, socket }, isSet }: Given): Found {
  if (socket === undefined) return;
  if (socket !== "") {
    for (const name of ["host", "port"] as const) {
      if (isSet(name)) yield [name, "the server listens on socket instead: leave out one of the two"];
    }
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES)
      yield ["socket", `${socket} is longer than the path of a socket can be`];
  } else if (isSet("socketMode")) {
    yield ["socketMode", "it is for socket, which is not set"];
  } else if (auth === "local" && host !== undefined && !isLoopback(host)) {
    yield [
      "host",
      `${host} can be reached from other machines, and auth is local: everybody there could do everything. ` +
        "Set auth to key (--auth key or ANTECHAMBER_AUTH=key) and make keys with antechamber keys create, " +
        "set it to jwt or proxy, or listen on 127.0.0.1 or a Unix socket",
    ];
  }
}

/** The settings that `auth` `jwt` requires to be safe, each with an example. */
const neededByTokens = [
  ["jwtIssuer", "who issues the tokens, such as https://login.example"],
  ["jwtAudience", "the service that the tokens are for, such as antechamber"],
  ["jwtAlgorithms", "the algorithms that are accepted, such as RS256"],
  ["jwtKeySetUrl", "where the public keys are, such as https://login.example/.well-known/jwks.json"],
] as const;

function* ofTokens({ values }: Given): Found {
  if (values.auth !== "jwt") return;
  for (const [name, what] of neededByTokens) {
    if (values[name]?.length === 0) yield [name, `auth jwt needs it: ${what} (${variableOf(name)})`];
  }
}

/** The settings without which no logout token can be verified, each with an example. */
const neededByLogout = [
  ["logoutIssuer", "the identity provider that issues logout tokens, such as https://login.example"],
  ["logoutAudience", "the client ids of your applications at the identity provider, such as shop"],
  ["logoutAlgorithms", "the algorithms that are accepted, such as RS256"],
  ["logoutKeySetUrl", "where the public keys are, such as https://login.example/.well-known/jwks.json"],
] as const;

/**
 * Refuses logout tokens that are configured in part. In mode `jwt` the rest is that of `jwt`, but the keys of its issuer
 * must not verify the tokens of another one.
 */
function* ofLogout({ values, isSet }: Given): Found {
  const given = neededByLogout.filter(([name]) => isSet(name)).map(([name]) => name);
  if (given.length === 0) return;
  for (const [name, what] of neededByLogout) {
    const hasDefault = values.auth === "jwt" && !(name === "logoutKeySetUrl" && isSet("logoutIssuer"));
    if (hasDefault || values[name]?.length !== 0) continue;
    yield [name, `${given.join(", ")} needs it: ${what} (${variableOf(name)})`];
  }
}

function* ofProxy({ values: { auth, proxySecret, trustedProxies, socket } }: Given): Found {
  if (auth !== "proxy") return;
  if (proxySecret === "") {
    yield [
      "proxySecret",
      "auth proxy needs it: a secret that the proxy sends, such as the output of openssl rand -base64 32, in ANTECHAMBER_PROXY_SECRET or the file",
    ];
  }
  if (trustedProxies?.length === 0 && socket === "") {
    yield [
      "trustedProxies",
      "auth proxy needs it: the addresses of the proxy, such as 127.0.0.1 or 10.0.3.0/24; or let the proxy connect to a Unix socket (socket)",
    ];
  }
  for (const range of trustedProxies?.filter(isTooWide) ?? []) {
    yield [
      "trustedProxies",
      `${range} is no list of proxies: every client in it could claim any identity. Name the proxies' own addresses`,
    ];
  }
}

/** Minimum prefix length of a trusted range: that of the widest private networks (RFC 1918, RFC 4193). */
const LEAST_BITS = { ipv4: 96 + 8, ipv6: 7 };
const ipv4 = parseRange("0.0.0.0/0") as AddressRange;

function isTooWide(text: string): boolean {
  const range = parseRange(text) as AddressRange;
  const hasIpv4 = isInRanges(range.first, [ipv4]) || isInRanges(ipv4.first, [range]);
  return range.bits < (hasIpv4 ? LEAST_BITS.ipv4 : LEAST_BITS.ipv6);
}

/** Refuses a sign-in at the identity provider that is configured in part. */
function* ofConsole({ values: { auth, consoleClientId, consoleScopes, consoleUrl }, isSet }: Given): Found {
  if (auth !== "jwt") return;
  for (const name of ["consoleClientSecret", "consoleScopes"] as const) {
    if (isSet(name) && consoleClientId === "") {
      yield [name, `it needs consoleClientId, which is not set (${variableOf("consoleClientId")})`];
    }
  }
  if (consoleClientId !== "" && consoleUrl === "") {
    yield [
      "consoleUrl",
      `consoleClientId needs it: the address to which the identity provider sends people back (${variableOf("consoleUrl")})`,
    ];
  }
  if (consoleScopes?.includes("openid") === false) {
    yield ["consoleScopes", "openid is missing: without it there is no ID token"];
  }
}

/** Refuses a certificate for Redis without its private key, and a key without its certificate. */
function* ofRedisTls({ values, isSet }: Given): Found {
  const pair = ["redisCertFile", "redisKeyFile"] as const;
  for (const [name, other] of [pair, pair.toReversed()] as [SettingName, SettingName][]) {
    if (isSet(name) && values[other] === "") yield [name, `it needs ${other}, which is not set (${variableOf(other)})`];
  }
}

/** Refuses a user name without a password, because the Redis client would not send it. */
function* ofSentinels({ values, isSet }: Given): Found {
  if (!isSet("sentinelUsername") || values.sentinelPassword !== "") return;
  yield ["sentinelUsername", `it needs sentinelPassword, which is not set (${variableOf("sentinelPassword")})`];
}

/** Refuses an issuer of assertions if there are none. */
function* ofAssertions({ values, isSet }: Given): Found {
  if (!isSet("assertionIssuer") || values.assertionAudience !== "") return;
  yield ["assertionIssuer", `it needs assertionAudience, which is not set (${variableOf("assertionAudience")})`];
}

/** Refuses cookies that browsers drop (RFC 6265bis, section 4.1.3), and cookies that outlive every session. */
function* ofCookie({ values }: Given): Found {
  const { cookieName = "", cookieDomain, cookieHttpOnly, cookieMaxAge, recognizedLifetime, profiles } = values;
  if (cookieDomain && /^__Host-/i.test(cookieName)) {
    yield [
      "cookieDomain",
      `browsers drop a cookie whose name begins with __Host- when it has a domain: leave cookieDomain out, or begin cookieName (${cookieName}) with __Secure- instead`,
    ];
  }
  if (cookieHttpOnly === false && /^__(?:Host-)?Http-/i.test(cookieName)) {
    yield [
      "cookieHttpOnly",
      `browsers drop a cookie whose name begins with __Http- or __Host-Http- when scripts may read it: set cookieHttpOnly to true, or begin cookieName (${cookieName}) with __Host- or __Secure- instead`,
    ];
  }
  const maxAge = parseDuration(cookieMaxAge ?? "none") ?? 0;
  if (recognizedLifetime === undefined || profiles === undefined) return;
  const ofProfiles = profiles.map((text) => (parseProfile(text) as Profile)[1].total);
  const longest = Math.max(recognizedLifetime, ...ofProfiles);
  if (maxAge > longest) {
    const limit = longest === recognizedLifetime ? "recognizedLifetime" : "the longest of profiles";
    yield [
      "cookieMaxAge",
      `${cookieMaxAge} is longer than any session lives (${limit} is ${formatDuration(longest)}): make it at most that, set recognizedLifetime higher, or name a longer one in profiles`,
    ];
  }
}
