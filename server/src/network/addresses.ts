import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * An IP address as eight groups of 16 bits. An IPv4 address is mapped into IPv6 (RFC 4291, section 2.5.5.2). So
 * `10.0.0.1` and `::ffff:10.0.0.1` are equal.
 */
export type Address = readonly number[];

/** A range of addresses that begin with the same bits (CIDR, RFC 4632). */
export interface AddressRange {
  readonly first: Address;
  /** Length of the prefix, 0 to 128. For an IPv4 range it is 96 more than in the usual notation. */
  readonly bits: number;
}

const MAPPED_BITS = 96;

/** Parses an address without brackets and port. Returns `undefined` for any other text. */
export function parseAddress(text: string): Address | undefined {
  // `isIP` is strict. ipaddr.js alone would also accept forms such as 0x7f.1.
  const version = isIP(text);
  if (version === 0) return undefined;
  if (version === 4) return ipaddr.IPv4.parse(text).toIPv4MappedAddress().parts;
  // Removes the zone of an address, which names a network interface (RFC 4007). Puts a 0 before "::10.0.0.1", because
  // ipaddr.js would otherwise parse it as a mapped IPv4 address.
  return ipaddr.IPv6.parse(text.replace(/%.*/, "").replace(/^::(?=\d+\.)/, "0::")).parts;
}

/** Returns whether the address is an IPv4 address (mapped into IPv6). */
export function isMappedAddress(address: Address): boolean {
  return ofGroups(address).isIPv4MappedAddress();
}

/** Formats an address in its usual notation: `10.0.0.1`, or the short form of IPv6 (RFC 5952). */
export function formatAddress(address: Address): string {
  const parsed = ofGroups(address);
  return (parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed).toString();
}

/** Parses `10.0.0.0/8`, `fd00::/8` or an address. Returns `undefined` if it is invalid or has bits after the prefix. */
export function parseRange(text: string): AddressRange | undefined {
  const [, written = "", length] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const first = parseAddress(written);
  if (first === undefined) return undefined;
  const bits = length === undefined ? 128 : Number(length) + (isIP(written) === 4 ? MAPPED_BITS : 0);
  if (bits > 128) return undefined;
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${ofGroups(first).toString()}/${bits}`);
  return network.match(ofGroups(first), 128) ? { first, bits } : undefined;
}

/** Returns whether one of the ranges contains the address. */
export function isInRanges(address: Address, ranges: readonly AddressRange[]): boolean {
  return ranges.some(({ first, bits }) => ofGroups(address).match(ofGroups(first), bits));
}

/** Returns whether the address is a loopback address: 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: Address): boolean {
  return isInRanges(address, loopback);
}

function ofGroups(address: Address): ipaddr.IPv6 {
  return new ipaddr.IPv6([...address]);
}

const loopback: readonly AddressRange[] = [
  { first: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 0], bits: MAPPED_BITS + 8 },
  { first: [0, 0, 0, 0, 0, 0, 0, 1], bits: 128 },
];
