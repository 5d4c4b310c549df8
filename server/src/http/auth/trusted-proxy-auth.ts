import { timingSafeEqual } from "node:crypto";
import type { HttpRequest } from "@antechamber/http1";
import { type AddressRange, isInRanges, parseAddress } from "../../addresses.ts";
import { Refusal } from "../../session/errors.ts";
import { isConsistent, type Principal, roles } from "../../session/permissions.ts";
import { readProxyId } from "../parse/identity.ts";
import type { Authenticate } from "./api-key-auth.ts";

/** What a proxy says of its callers, and what it shows to be believed. */
export const proxyHeaders = {
  secret: "antechamber-secret",
  role: "antechamber-role",
  customerId: "antechamber-customer",
  agentId: "antechamber-agent",
} as const;

/**
 * Other ways to write these, which a proxy may let through where it sets or removes the proper ones.
 * They say nothing here, and a request that has one is refused: nobody sends it by accident.
 */
const aliases = Object.values(proxyHeaders).flatMap((name) => [
  name.replace("-", "_"),
  name.replace("-", "."),
]);

/** Who may vouch for callers. */
export interface TrustedProxies {
  readonly secret: string;
  /** Their addresses; `undefined` on a Unix socket, where the file's permissions say who connects. */
  readonly ranges: readonly AddressRange[] | undefined;
}

/** How many addresses are remembered as a proxy's. */
const MAX_PEERS = 1000;

/**
 * Mode `proxy` (contract.md#mode-proxy): a proxy with a listed address and the secret says who the caller is. Every
 * fault gets the same refusal.
 */
export function createTrustedProxyAuth({ secret, ranges }: TrustedProxies): Authenticate {
  const expected = Buffer.from(secret, "latin1");
  const peers = new Set<string>();

  function isProxy(peer: string): boolean {
    if (ranges === undefined || peers.has(peer)) return true;
    const address = parseAddress(peer);
    if (address === undefined || !isInRanges(address, ranges)) return false;
    if (peers.size < MAX_PEERS) peers.add(peer);
    return true;
  }

  function hasSecret(request: HttpRequest): boolean {
    const given = Buffer.from(request.header(proxyHeaders.secret) ?? "", "latin1");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  return (request) => {
    const isBelieved = hasSecret(request) && isProxy(request.peer);
    const principal = isBelieved ? principalOf(request) : undefined;
    if (principal === undefined) throw new Refusal({ code: "invalid-credential" });
    return principal;
  };
}

/** Whoever the proxy says that calls; `undefined` when it says it in no way that is known. */
function principalOf(request: HttpRequest): Principal | undefined {
  if (aliases.some((name) => request.header(name) !== null)) return undefined;
  const named = request.header(proxyHeaders.role);
  const role = roles.find((one) => one === named);
  const customerId = readProxyId(request.header(proxyHeaders.customerId));
  const agentId = readProxyId(request.header(proxyHeaders.agentId));
  if (role === undefined || customerId === undefined || agentId === undefined) return undefined;
  const principal = { role, customerId, agentId };
  return isConsistent(principal) ? principal : undefined;
}
