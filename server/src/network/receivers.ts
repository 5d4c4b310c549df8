import ipaddr from "ipaddr.js";
import {
  type Address,
  type AddressRange,
  isInRanges,
  isLoopbackAddress,
  parseAddress,
  parseRange,
} from "./addresses.ts";

/*
 * Which addresses the service may connect to when an operator has chosen the URL (server-side request forgery). Every
 * address that is not a public unicast address is refused: private, link-local, loopback, shared (RFC 6598), unique
 * local, multicast, reserved, and the forms that embed an IPv4 address in an IPv6 address, such as NAT64 and 6to4, since
 * a gateway could lead them to an inner address.
 */

/** Hosts that may be connected to although their addresses are not public. */
export interface AllowedHosts {
  /** Host names, lower case. Any address of these is allowed. */
  readonly names: ReadonlySet<string>;
  readonly ranges: readonly AddressRange[];
}

/** Parses host names, addresses and ranges. A text that is neither an address nor a range counts as a host name. */
export function parseAllowedHosts(entries: readonly string[]): AllowedHosts {
  const names = new Set<string>();
  const ranges: AddressRange[] = [];
  for (const entry of entries) {
    const range = parseRange(entry.replace(/^\[(.*)\]$/, "$1"));
    if (range === undefined) names.add(entry.toLowerCase());
    else ranges.push(range);
  }
  return { names, ranges };
}

/**
 * Returns the fault of a URL to which an operator wants requests to be sent, as the end of a sentence; `undefined` if it
 * is valid. Addresses behind a host name are checked when they are connected to (`isAllowedAddress`).
 */
export function faultOfReceiverUrl(text: string, allowed: AllowedHosts): string | undefined {
  if (text.length > MAX_URL_LENGTH) return `is longer than ${MAX_URL_LENGTH} characters`;
  if (/[\p{Cc}\s]/u.test(text) || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return NO_URL;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    return "has a user or a password in it: let the receiver verify the signature instead";
  }
  if (url.hash !== "") return "has a fragment (#), which is never sent";
  const host = hostOf(url);
  const address = parseAddress(host);
  if (address !== undefined && !isAllowedAddress(address, host, url.protocol, allowed)) {
    return isPublicAddress(address) ? HTTP_FAULT : "has an address that is not public: list it in webhookAllowedHosts";
  }
  const mayBePlain = isThisMachine(host) || isListed(host, allowed) || allowed.ranges.length > 0;
  return url.protocol === "http:" && address === undefined && !mayBePlain ? HTTP_FAULT : undefined;
}

const MAX_URL_LENGTH = 2048;
const NO_URL = "is not a complete URL that begins with https:// or http://";
const HTTP_FAULT = "is not https: http is for this machine and for the hosts in webhookAllowedHosts";

/** Returns the host of a URL without the brackets of an IPv6 address and without the dot at the end of a name. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

/** Returns whether a connection to `address` is allowed for a URL with this host and protocol (`http:` or `https:`). */
export function isAllowedAddress(address: Address, host: string, protocol: string, allowed: AllowedHosts): boolean {
  if (isListed(host, allowed) || isInRanges(address, allowed.ranges)) return true;
  // A name of this machine that leads elsewhere is a mistake or an attack.
  if (isThisMachine(host)) return isLoopbackAddress(address);
  return protocol === "https:" && isPublicAddress(address);
}

function isListed(host: string, { names }: AllowedHosts): boolean {
  return names.has(host);
}

/** Returns whether a host means this machine by itself: `localhost` (RFC 6761), or a loopback address. */
function isThisMachine(host: string): boolean {
  if (host === "localhost" || host.endsWith(".localhost")) return true;
  const address = parseAddress(host);
  return address !== undefined && isLoopbackAddress(address);
}

/** Global unicast, the only IPv6 addresses that are in use on the Internet (RFC 4291, section 2.4). */
const globalUnicast: AddressRange = { first: [0x2000, 0, 0, 0, 0, 0, 0, 0], bits: 3 };

/** Returns whether an address is a public unicast address of the Internet. */
export function isPublicAddress(address: Address): boolean {
  const parsed = new ipaddr.IPv6([...address]);
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().range() === "unicast";
  return isInRanges(address, [globalUnicast]) && parsed.range() === "unicast";
}
