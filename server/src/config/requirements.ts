import { type AddressRange, isInRanges, parseRange } from "../addresses.ts";
import type { ConfigFault } from "./faults.ts";
import type { Source } from "./load.ts";
import {
  type SettingName,
  settingNames,
  settingOf,
  textOf,
  type Values,
  variableOf,
} from "./settings.ts";
import { formatDuration, isLoopback, isSocketPath, parseDuration } from "./values.ts";

/** The values so far (one at fault is missing), and where each was written. */
interface Given {
  readonly values: Partial<Values>;
  readonly sources: Readonly<Record<SettingName, Source>>;
}

/** Values that are right each by itself and wrong together, and what a mode lacks to be safe. */
export function faultsTogether(
  values: Partial<Values>,
  sources: Readonly<Record<SettingName, Source>>,
): ConfigFault[] {
  const given = { values, sources };
  return [
    ...ofLifetimes(given),
    ...ofOtherModes(given),
    ...ofAddress(given),
    ...ofTokens(given),
    ...ofProxy(given),
    ...ofSentinels(given),
    ...ofCookie(given),
  ];
}

function fault({ sources }: Given, name: SettingName, message: string): ConfigFault {
  return { from: `${name} (${sources[name].from})`, message };
}

/** Whether somebody wanted another value than the default. */
function isSet({ values, sources }: Given, name: SettingName): boolean {
  const value = values[name];
  if (value === undefined || sources[name].kind === "default") return false;
  return textOf(name, value) !== settingOf(name).default;
}

function ofLifetimes(given: Given): ConfigFault[] {
  const { anonymousLifetime, recognizedLifetime } = given.values;
  if (anonymousLifetime === undefined || recognizedLifetime === undefined) return [];
  if (recognizedLifetime >= anonymousLifetime) return [];
  const message =
    "it is shorter than anonymousLifetime: a session could expire by being recognized. " +
    "Make it at least as long";
  return [fault(given, "recognizedLifetime", message)];
}

/** Who forgets to set the mode would run with another, and never learn why nothing is checked. */
function ofOtherModes(given: Given): ConfigFault[] {
  const { auth } = given.values;
  if (auth === undefined) return [];
  return settingNames.flatMap((name) => {
    const { auth: needed } = settingOf(name);
    if (needed === undefined || needed === auth || !isSet(given, name)) return [];
    const message = `it is for auth ${needed} alone, and auth is ${auth}: set auth to ${needed}, or leave it out`;
    return [fault(given, name, message)];
  });
}

function ofAddress(given: Given): ConfigFault[] {
  const { host, auth, socket } = given.values;
  if (socket === undefined) return [];
  if (socket !== "") return ofSocket(given, socket);
  if (isSet(given, "socketMode")) {
    return [fault(given, "socketMode", "it is for socket, which is not set")];
  }
  if (auth !== "local" || host === undefined || isLoopback(host)) return [];
  const message =
    `${host} can be reached from other machines, and auth is local: everybody there would be allowed everything. ` +
    "Set auth to key (--auth key or ANTECHAMBER_AUTH=key) and make keys with antechamber keys create, " +
    "set it to jwt or proxy, or listen on 127.0.0.1 or a Unix socket";
  return [fault(given, "host", message)];
}

function ofSocket(given: Given, path: string): ConfigFault[] {
  const unused = (["host", "port"] as const)
    .filter((name) => isSet(given, name))
    .map((name) =>
      fault(given, name, "the server listens on socket instead: leave out one of the two"),
    );
  if (isSocketPath(path)) return unused;
  return [...unused, fault(given, "socket", `${path} is longer than the path of a socket can be`)];
}

/** What `auth` `jwt` cannot be safe without, and an example of each. */
const neededByTokens = {
  jwtIssuer: "who issues the tokens, such as https://login.example",
  jwtAudience: "whom the tokens are for, such as antechamber",
  jwtAlgorithms: "the algorithms that are accepted, such as RS256",
  jwtKeySetUrl: "where the public keys are, such as https://login.example/.well-known/jwks.json",
} as const satisfies Partial<Record<SettingName, string>>;

function ofTokens(given: Given): ConfigFault[] {
  if (given.values.auth !== "jwt") return [];
  return Object.entries(neededByTokens).flatMap(([key, what]) => {
    const name = key as keyof typeof neededByTokens;
    if (given.values[name]?.length !== 0) return [];
    return [fault(given, name, `auth jwt needs it: ${what} (${variableOf(name)})`)];
  });
}

function ofProxy(given: Given): ConfigFault[] {
  const { auth, proxySecret, trustedProxies, socket } = given.values;
  if (auth !== "proxy") return [];
  const faults: ConfigFault[] = [];
  if (proxySecret === "") {
    const message =
      "auth proxy needs it: a secret that the proxy sends, such as openssl rand -base64 32 makes, in ANTECHAMBER_PROXY_SECRET or the file";
    faults.push(fault(given, "proxySecret", message));
  }
  if (trustedProxies?.length === 0 && socket === "") {
    const message =
      "auth proxy needs it: the addresses of the proxy, such as 127.0.0.1 or 10.0.3.0/24; or let the proxy come over a Unix socket (socket)";
    faults.push(fault(given, "trustedProxies", message));
  }
  for (const range of trustedProxies?.filter(isTooWide) ?? []) {
    const message = `${range} is no list of proxies: whoever comes from there would be believed who they are. Name the proxies' own addresses`;
    faults.push(fault(given, "trustedProxies", message));
  }
  return faults;
}

/** Refuses cookies that browsers would drop (RFC 6265bis, section 4.1.3), and one that outlives every session. */
function ofCookie(given: Given): ConfigFault[] {
  const { cookieName, cookieDomain, cookieHttpOnly, cookieMaxAge, recognizedLifetime } =
    given.values;
  const faults: ConfigFault[] = [];
  if (cookieDomain && /^__Host-/i.test(cookieName ?? "")) {
    const message = `browsers drop a cookie whose name begins with __Host- when it has a domain: leave cookieDomain out, or begin cookieName (${cookieName}) with __Secure- instead`;
    faults.push(fault(given, "cookieDomain", message));
  }
  if (cookieHttpOnly === false && /^__(?:Host-)?Http-/i.test(cookieName ?? "")) {
    const message = `browsers drop a cookie whose name begins with __Http- or __Host-Http- when scripts may read it: set cookieHttpOnly to true, or begin cookieName (${cookieName}) with __Host- or __Secure- instead`;
    faults.push(fault(given, "cookieHttpOnly", message));
  }
  const maxAge = parseDuration(cookieMaxAge ?? "none") ?? 0;
  if (recognizedLifetime !== undefined && maxAge > recognizedLifetime) {
    const message = `${cookieMaxAge} is longer than any session lives (recognizedLifetime is ${formatDuration(recognizedLifetime)}): make it at most that, or set recognizedLifetime higher`;
    faults.push(fault(given, "cookieMaxAge", message));
  }
  return faults;
}

/** Without a password the client would not say who it is. */
function ofSentinels(given: Given): ConfigFault[] {
  if (!isSet(given, "sentinelUsername") || given.values.sentinelPassword !== "") return [];
  const message = `it needs sentinelPassword, which is not set (${variableOf("sentinelPassword")})`;
  return [fault(given, "sentinelUsername", message)];
}

/** The widest ranges that a network of one's own has: 10.0.0.0/8, and fc00::/7 (RFC 1918, RFC 4193). */
const LEAST_BITS = { ipv4: 96 + 8, ipv6: 7 };
/** All addresses of IPv4, which some ranges of IPv6 have in them. */
const ipv4 = parseRange("0.0.0.0/0") as AddressRange;

function isTooWide(text: string): boolean {
  const range = parseRange(text) as AddressRange;
  const hasIpv4 = isInRanges(range.first, [ipv4]) || isInRanges(ipv4.first, [range]);
  return range.bits < (hasIpv4 ? LEAST_BITS.ipv4 : LEAST_BITS.ipv6);
}
