import type { HttpRequest } from "@antechamber/http1";
import {
  type Address,
  type AddressRange,
  formatAddress,
  isInRanges,
  isLoopbackAddress,
  isMappedAddress,
  parseAddress,
} from "../../addresses.ts";

/** For whom a request was made. */
export interface Client {
  /** The address in full, for people; `unix socket` or `unknown` where there is none. */
  readonly address: string;
  /**
   * What is the same for all addresses of one subscriber: an IPv4 address, or the first 64 bits of an
   * IPv6 address; `unknown` for all peers without one. `undefined`: this machine itself, or a Unix socket.
   */
  readonly subscriber: string | undefined;
}

/** Finds out for whom a request was made. */
export type ClientAddress = (request: HttpRequest) => Client;

/**
 * Finds out for whom a request was made. `X-Forwarded-For` and `Forwarded` (RFC 7239) count only from
 * peers within `proxies`: from the right, the first address that is no such proxy. Where both are there
 * and differ, one of them is the client's invention: the request counts as the proxy's own. On a Unix
 * socket (`undefined`), whose permissions say who connects, every peer is a proxy.
 */
export function createClientAddress(listed: readonly AddressRange[] | undefined): ClientAddress {
  const proxies = listed ?? [];
  const peerOf = remembering((text) => {
    if (listed === undefined) return { isProxy: true, named: onSocket, own: onSocket };
    const address = parseAddress(text);
    if (address === undefined) return { isProxy: false, named: unknown, own: unknown };
    const named = clientOf(address);
    const isProxy = isInRanges(address, proxies);
    const own = isLoopbackAddress(address) ? { ...named, subscriber: undefined } : named;
    return { isProxy, named, own };
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
    return found && clientOf(found);
  }

  return (request) => {
    const peer = peerOf(request.peer);
    if (!peer.isProxy) return peer.own;
    const entries = request.header("x-forwarded-for");
    const elements = request.header("forwarded");
    if (entries === null && elements === null) return peer.own;
    const first = entries === null ? undefined : ofEntries(entries);
    const second = elements === null ? undefined : ofElements(elements);
    const areOne = !first || !second || first.subscriber === second.subscriber;
    return (areOne ? (first ?? second) : undefined) ?? peer.named;
  };
}

const onSocket: Client = { address: "unix socket", subscriber: undefined };
/** The client without an address. Sockets do not deliver such connections; if one came, limits would still apply. */
const unknown: Client = { address: "unknown", subscriber: "unknown" };

/** Subscribers get 64 bits of IPv6 and more: whoever has one of these addresses has them all. */
function clientOf(address: Address): Client {
  const text = formatAddress(address);
  if (isMappedAddress(address)) return { address: text, subscriber: text };
  const network = address.slice(0, 4).map((group) => group.toString(16));
  return { address: text, subscriber: network.join(":") };
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
