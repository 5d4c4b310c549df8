import { isIP, isIPv4 } from "node:net";

/**
 * An IP address as eight groups of 16 bits, so that one compares like another. An IPv4 address stands
 * in the last two as IPv6 maps it (RFC 4291, section 2.5.5.2): `10.0.0.1` is `::ffff:10.0.0.1`.
 */
export type Address = readonly number[];

/** Addresses that begin with the same bits (CIDR, RFC 4632). */
export interface AddressRange {
  readonly first: Address;
  /** How many of the 128 bits are given; of an IPv4 range 96 more than it says. */
  readonly bits: number;
}

const GROUPS = 8;
const GROUP_BITS = 16;
const MAPPED_BITS = 96;

/** The address that `text` writes, without brackets or port; `undefined` when it writes none. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return [0, 0, 0, 0, 0, 0xffff, ...groupsOfIPv4(text)];
  if (isIP(text) === 0) return undefined;
  // A zone names an interface of this machine (RFC 4007): the address is the same on each.
  const [address = ""] = text.split("%");
  const [before = "", after] = address.split("::");
  const left = groupsOf(before);
  if (after === undefined) return left;
  const right = groupsOf(after);
  const between = GROUPS - left.length - right.length;
  return [...left, ...Array.from({ length: between }, () => 0), ...right];
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text
    .split(":")
    .flatMap((group) => (group.includes(".") ? groupsOfIPv4(group) : Number.parseInt(group, 16)));
}

function groupsOfIPv4(text: string): [number, number] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

/** Whether the address is one of IPv4. */
export function isMappedAddress(address: Address): boolean {
  return address[5] === 0xffff && address.slice(0, 5).every((group) => group === 0);
}

/** The address as it is usually written: `10.0.0.1`, and of IPv6 the short form (RFC 5952). */
export function formatAddress(address: Address): string {
  if (isMappedAddress(address)) {
    return address
      .slice(GROUPS - 2)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join(".");
  }
  const groups = address.map((group) => group.toString(16)).join(":");
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

/**
 * The range that `text` writes: `10.0.0.0/8`, `fd00::/8`, or one address. `undefined` when it writes
 * none, also where bits are set beyond its length: whoever wrote them meant something else.
 */
export function parseRange(text: string): AddressRange | undefined {
  const [, written = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const first = parseAddress(written);
  if (first === undefined || written.includes("%")) return undefined;
  const skipped = isIPv4(written) ? MAPPED_BITS : 0;
  const bits = length === undefined ? GROUPS * GROUP_BITS : Number(length) + skipped;
  if (bits > GROUPS * GROUP_BITS) return undefined;
  return first.every((group, i) => (group & ~maskOf(i, bits)) === 0) ? { first, bits } : undefined;
}

/** The bits of the group at `index` that are among the first `bits` of an address. */
function maskOf(index: number, bits: number): number {
  const given = Math.min(GROUP_BITS, Math.max(0, bits - index * GROUP_BITS));
  return 0xffff & (0xffff << (GROUP_BITS - given));
}

/** Whether the address lies in one of the ranges. */
export function isInRanges(address: Address, ranges: readonly AddressRange[]): boolean {
  return ranges.some(({ first, bits }) =>
    first.every((group, i) => (((address[i] as number) ^ group) & maskOf(i, bits)) === 0),
  );
}

/** Whether the address is this machine's own: 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: Address): boolean {
  return isInRanges(address, loopback);
}

const loopback: readonly AddressRange[] = [
  { first: [0, 0, 0, 0, 0, 0xffff, 0x7f00, 0], bits: MAPPED_BITS + 8 },
  { first: [0, 0, 0, 0, 0, 0, 0, 1], bits: GROUPS * GROUP_BITS },
];
