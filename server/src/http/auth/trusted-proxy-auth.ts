import { timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import { type AddressRange, isInRanges, parseAddress } from "../../network/addresses.ts";
import { Refusal } from "../../session/errors.ts";
import { isConsistent, type Principal, roles } from "../../session/permissions.ts";
import { readProxyId } from "../parse/identity.ts";
import type { Authenticate, CredentialSource } from "./api-key-auth.ts";
import { memoize } from "./text-cache.ts";

/** The headers with which a trusted proxy authenticates itself and names the caller of a request. */
export const proxyHeaders = {
  secret: "antechamber-secret",
  role: "antechamber-role",
  customerId: "antechamber-customer",
  agentId: "antechamber-agent",
} as const;

/**
 * Other spellings of these headers, with "_" or "." instead of "-". A proxy sets or removes the headers in the right
 * spelling, but may pass on other spellings from its clients. A request with such a header is refused, because nobody
 * sends it by accident.
 */
const aliases = Object.values(proxyHeaders).flatMap((name) => [name.replace("-", "_"), name.replace("-", ".")]);

/** The proxies that may name their callers. */
export interface TrustedProxies {
  readonly secret: string;
  /** The proxies' addresses; `undefined` on a Unix socket, where the file's permissions decide who can connect. */
  readonly ranges: readonly AddressRange[] | undefined;
  readonly log: Logger;
}

/**
 * Creates the authentication of mode `proxy` (contract.md#mode-proxy): a proxy that has a listed address and sends the
 * secret names the caller. Every fault leads to the same refusal; the log has its reason, at level debug.
 */
export function createTrustedProxyAuth({ secret, ranges, log }: TrustedProxies): Authenticate {
  const expected = Buffer.from(secret, "latin1");
  const isProxy = memoize((peer) => {
    const address = parseAddress(peer);
    return ranges === undefined || (address !== undefined && isInRanges(address, ranges));
  });

  function hasSecret(request: CredentialSource): boolean {
    const given = Buffer.from(request.header(proxyHeaders.secret) ?? "", "latin1");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  return (request) => {
    const isTrusted = hasSecret(request) && isProxy(request.peer);
    const principal = isTrusted ? principalOf(request) : undefined;
    if (principal === undefined) {
      log.debug({ reason: reasonOf(request) }, "proxy refused");
      throw new Refusal({ code: "invalid-credential" });
    }
    return principal;
  };

  /** Returns why a request is refused. The text contains no secret and no id. */
  function reasonOf(request: CredentialSource): string {
    if (!isProxy(request.peer)) return `${request.peer} is not in trustedProxies`;
    if (request.header(proxyHeaders.secret) === null) return `the header ${proxyHeaders.secret} is missing`;
    if (!hasSecret(request)) return `${proxyHeaders.secret} is not the value of proxySecret`;
    const alias = aliases.find((name) => request.header(name) !== null);
    if (alias !== undefined) return `the header ${alias} is present: the proxy has to remove it`;
    if (roleOf(request) === undefined) return `${proxyHeaders.role} is none of ${roles.join(", ")}`;
    return `${proxyHeaders.customerId} or ${proxyHeaders.agentId} is no valid id, or does not belong to the role`;
  }
}

function roleOf(request: CredentialSource): Principal["role"] | undefined {
  const named = request.header(proxyHeaders.role);
  return roles.find((one) => one === named);
}

/** Returns the caller that the proxy names; `undefined` if its headers are invalid or contradict each other. */
function principalOf(request: CredentialSource): Principal | undefined {
  if (aliases.some((name) => request.header(name) !== null)) return undefined;
  const role = roleOf(request);
  const customerId = readProxyId(request.header(proxyHeaders.customerId));
  const agentId = readProxyId(request.header(proxyHeaders.agentId));
  if (role === undefined || customerId === undefined || agentId === undefined) return undefined;
  const principal = { role, customerId, agentId };
  return isConsistent(principal) ? principal : undefined;
}
