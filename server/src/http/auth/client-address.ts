import type { HttpRequest } from "@antechamber/http1";
import {
  type Address,
  type AddressRange,
  formatAddress,
  isInRanges,
  isLoopbackAddress,
  isMappedAddress,
  parseAddress,
} from "../../network/addresses.ts";
import { memoize } from "./text-cache.ts";

/** The client for whom a request was made, perhaps through proxies. */
export interface Client {
  /** The whole address, to be shown to people; `unix socket` or `unknown` if there is no address. */
  readonly address: string;
  /**
   * The part of the address that all addresses of one internet subscriber share: a whole IPv4 address, or the first 64
   * bits of an IPv6 address. `unknown` if there is no address; `undefined` for this machine itself and for a Unix
   * socket, to which the limits do not apply.
   */
  readonly subscriber: string | undefined;
}

export type ClientAddress = (request: HttpRequest) => Client;

/**
 * Creates the function that returns the client of a request. `X-Forwarded-For` and `Forwarded` (RFC 7239) are used only
 * from peers within `trusted`: the client is the rightmost address that is not a trusted proxy. If both headers are
 * present and differ, the client may have made up one of them, so the proxy itself counts as the client. On a Unix
 * socket, `trusted` is `undefined` and every peer is trusted, because the permissions of the socket file decide who can
 * connect.
 */
export function createClientAddress(trusted: readonly AddressRange[] | undefined): ClientAddress {
  const proxies = trusted ?? [];
  // Memoized, because parsing an address takes as long as retrieving a session.
  const peerOf = memoize((text) => {
    if (trusted === undefined) return { isProxy: true, proxy: onSocket, client: onSocket };
    const address = parseAddress(text);
    if (address === undefined) return { isProxy: false, proxy: unknown, client: unknown };
    const proxy = clientOf(address);
    const isProxy = isInRanges(address, proxies);
    const client = isLoopbackAddress(address) ? { ...proxy, subscriber: undefined } : proxy;
    return { isProxy, proxy, client };
  });
  const ofForwardedFor = memoize((list) => clientIn(list, addressOfEntry));
  const ofForwarded = memoize((list) => clientIn(list, addressOfElement));

  function clientIn(list: string, read: (entry: string) => Address | undefined) {
    let found: Address | undefined;
    for (const entry of list.split(",").toReversed()) {
      const address = read(entry.trim());
      // This entry is not the address of a trusted proxy, so the entries to its left cannot be trusted.
      if (address === undefined) break;
      found = address;
      if (!isInRanges(address, proxies)) break;
    }
    return found && clientOf(found);
  }

  return (request) => {
    const peer = peerOf(request.peer);
    if (!peer.isProxy) return peer.client;
    const forwardedFor = request.header("x-forwarded-for");
    const forwarded = request.header("forwarded");
    if (forwardedFor === null && forwarded === null) return peer.client;
    const first = forwardedFor === null ? undefined : ofForwardedFor(forwardedFor);
    const second = forwarded === null ? undefined : ofForwarded(forwarded);
    const isSame = !first || !second || first.subscriber === second.subscriber;
    return (isSame ? (first ?? second) : undefined) ?? peer.proxy;
  };
}

const onSocket: Client = { address: "unix socket", subscriber: undefined };
/** A client whose address is unknown. The listener closes such connections; limits would apply all the same. */
const unknown: Client = { address: "unknown", subscriber: "unknown" };

/**
 * Returns the client at an address. An internet provider gives each subscriber at least a whole /64 network of IPv6, so
 * addresses with the same first 64 bits belong to the same subscriber.
 */
function clientOf(address: Address): Client {
  const text = formatAddress(address);
  if (isMappedAddress(address)) return { address: text, subscriber: text };
  const network = address.slice(0, 4).map((group) => group.toString(16));
  return { address: text, subscriber: network.join(":") };
}

/** Parses an entry of `X-Forwarded-For`: an address, perhaps with a port. */
function addressOfEntry(entry: string): Address | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(entry) ?? [];
  return parseAddress(bracketed ?? plain ?? entry);
}

/** Parses `for` in `Forwarded`; `undefined` for `unknown` or an obfuscated identifier (RFC 7239, section 6). */
function addressOfElement(element: string): Address | undefined {
  const pair = element.split(";").find((each) => /^\s*for=/i.test(each));
  const value = pair?.slice(pair.indexOf("=") + 1).trim() ?? "";
  return addressOfEntry(value.replace(/^"(.*)"$/, "$1"));
}
