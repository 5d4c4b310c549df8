import type { Logger } from "pino";
import type { Config } from "../../config/config.ts";
import type { WallClock } from "../../runtime/clock.ts";
import { type Authenticate, authenticateLocal, type KeyRing } from "./api-key-auth.ts";
import { createJwtAuth } from "./jwt-auth.ts";
import type { KeySets } from "./key-sets.ts";
import { createTrustedProxyAuth } from "./trusted-proxy-auth.ts";

/** The dependencies of all auth modes. */
export interface AuthenticatorParts {
  readonly config: Pick<Config, "auth" | "socket" | "tokens" | "proxySecret" | "trustedProxies">;
  readonly wallClock: WallClock;
  readonly log: Logger;
  readonly keyRing: KeyRing;
  readonly keySets: KeySets;
}

/** Creates the authenticator for `config.auth`. Throws `TypeError` if a setting that this mode requires is missing. */
export function createAuthenticator(parts: AuthenticatorParts): Authenticate {
  switch (parts.config.auth) {
    case "local":
      return authenticateLocal;
    case "key":
      return parts.keyRing.authenticate;
    case "jwt":
      return createJwtAuthenticate(parts);
    case "proxy":
      return createProxyAuthenticate(parts);
  }
}

function createJwtAuthenticate({ config: { tokens }, wallClock, log, keySets }: AuthenticatorParts): Authenticate {
  if (tokens === undefined) throw new TypeError("auth mode jwt requires the settings of the issuer");
  return createJwtAuth({ config: tokens, jwks: keySets.at(tokens.keySetUrl), wallClock, log });
}

function createProxyAuthenticate({ config, log }: AuthenticatorParts): Authenticate {
  const { proxySecret, trustedProxies, socket } = config;
  const hasNoProxies = socket === undefined && trustedProxies.length === 0;
  if (proxySecret === undefined || hasNoProxies) {
    throw new TypeError("auth mode proxy requires a secret and trusted proxies");
  }
  const ranges = socket === undefined ? trustedProxies : undefined;
  return createTrustedProxyAuth({ secret: proxySecret, ranges, log });
}
