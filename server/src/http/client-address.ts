import {
  type Address,
  type AddressRange,
  isInRanges,
  isLoopbackAddress,
  parseAddress,
} from "../addresses.ts";
import type { ApiRequest } from "./messages.ts";

/**
 * Who asks, in a form that is the same for all addresses of one subscriber: an IPv4 address, or the
 * first 64 bits of an IPv6 address. `undefined`: this machine itself, or a peer without an address.
 */
export type ClientAddress = (request: ApiRequest) => string | undefined;

/**
 * Finds out for whom a request was made. `X-Forwarded-For` and `Forwarded` (RFC 7239) count only from
 * peers within `proxies`: from the right, the first address that is no such proxy. Where both are there
 * and differ, one of them is the client's invention: the request counts as the proxy's own. On a Unix
 * socket (`undefined`), whose permissions say who connects, every peer is a proxy.
 */
export function createClientAddress(listed: readonly AddressRange[] | undefined): ClientAddress {
  const proxies = listed ?? [];
  const peerOf = remembering((text) => {
    if (listed === undefined) return { isProxy: true, subject: undefined, own: undefined };
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    const subject = subjectOf(address);
    const isProxy = isInRanges(address, proxies);
    return { isProxy, subject, own: isLoopbackAddress(address) ? undefined : subject };
  });
  const ofEntries = remembering((list) => clientIn(list, addressOfEntry));
  const ofElements = remembering((list) => clientIn(list, addressOfElement));

  function clientIn(list: string, read: (entry: string) => Address | undefined) {
    let found: Address | undefined;
    for (const entry of list.split(",").toReversed()) {
      const address = read(entry.trim());
      // A hop that hides itself: what stands left of it is known to nobody.
      if (address === undefined) break;
      found = address;
      if (!isInRanges(address, proxies)) break;
    }
    return found && subjectOf(found);
  }

  return (request) => {
    const peer = peerOf(request.peer);
    if (peer?.isProxy !== true) return peer?.own;
    const entries = request.header("x-forwarded-for");
    const elements = request.header("forwarded");
    if (entries === null && elements === null) return peer.own;
    const first = entries === null ? undefined : ofEntries(entries);
    const second = elements === null ? undefined : ofElements(elements);
    const areOne = first === undefined || second === undefined || first === second;
    return (areOne ? (first ?? second) : undefined) ?? peer.subject;
  };
}

/** So many answers are kept, to texts of so many characters: the same clients come again and again. */
const MAX_REMEMBERED = 10_000;
const MAX_REMEMBERED_LENGTH = 100;

/** The function, which keeps its answers: reading an address takes as long as a retrieval. */
function remembering<Value>(read: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, Value>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const value = read(text);
    if (text.length > MAX_REMEMBERED_LENGTH) return value;
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(text, value);
    return value;
  };
}

/** An entry of `X-Forwarded-For`: an address, with a port where the proxy adds one. */
function addressOfEntry(entry: string): Address | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(entry) ?? [];
  return parseAddress(bracketed ?? plain ?? entry);
}

/** The `for` of an element of `Forwarded`, where it is an address and no name (RFC 7239, section 6). */
function addressOfElement(element: string): Address | undefined {
  const pair = element.split(";").find((each) => /^\s*for=/i.test(each));
  const value = pair?.slice(pair.indexOf("=") + 1).trim() ?? "";
  return addressOfEntry(value.replace(/^"(.*)"$/, "$1"));
}

/** Subscribers get 64 bits of IPv6 and more: whoever has one of these addresses has them all. */
function subjectOf(address: Address): string {
  const isMapped = address[5] === 0xffff && address.slice(0, 5).every((group) => group === 0);
  if (!isMapped)
    return address
      .slice(0, 4)
      .map((group) => group.toString(16))
      .join(":");
  return address
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join(".");
}
