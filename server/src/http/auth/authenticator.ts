import type { Logger } from "pino";
import type { Config } from "../../config/config.ts";
import type { Clock, WallClock } from "../../runtime/clock.ts";
import { type Authenticate, authenticateLocal, type KeyRing } from "./api-key-auth.ts";
import { Jwks, type JwksEvents } from "./jwks.ts";
import { createJwtAuth } from "./jwt-auth.ts";
import { createTrustedProxyAuth } from "./trusted-proxy-auth.ts";

export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Cancels a fetch of the issuer's keys. */
  close(): void;
}

/** The dependencies of all auth modes. */
export interface AuthenticatorParts {
  readonly config: Pick<Config, "auth" | "socket" | "tokens" | "proxySecret" | "trustedProxies">;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly log: Logger;
  readonly keyRing: KeyRing;
}

/** Creates the authenticator for `config.auth`. Throws `TypeError` if a setting that this mode requires is missing. */
export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  switch (parts.config.auth) {
    case "local":
      return { authenticate: authenticateLocal, close: nothing };
    case "key":
      return { authenticate: parts.keyRing.authenticate, close: nothing };
    case "jwt":
      return createJwtAuthenticator(parts);
    case "proxy":
      return { authenticate: createProxyAuthenticate(parts.config), close: nothing };
  }
}

const nothing = () => undefined;

function createJwtAuthenticator({ config, clock, wallClock, log }: AuthenticatorParts): Authenticator {
  const { tokens } = config;
  if (tokens === undefined) throw new TypeError("auth mode jwt requires the settings of the issuer");
  const events = jwksLog(log, tokens.keySetUrl);
  const jwks = new Jwks({ url: tokens.keySetUrl, clock, events });
  // The keys are fetched now, so that the first caller need not wait for them. The server starts even if the issuer is
  // unavailable.
  jwks.refresh();
  return {
    authenticate: createJwtAuth({ config: tokens, jwks, wallClock, log }),
    close: () => jwks.close(),
  };
}

function createProxyAuthenticate(config: AuthenticatorParts["config"]): Authenticate {
  const { proxySecret, trustedProxies, socket } = config;
  const hasNoProxies = socket === undefined && trustedProxies.length === 0;
  if (proxySecret === undefined || hasNoProxies) {
    throw new TypeError("auth mode proxy requires a secret and trusted proxies");
  }
  const ranges = socket === undefined ? trustedProxies : undefined;
  return createTrustedProxyAuth({ secret: proxySecret, ranges });
}

const NO_KEYS =
  "key set not fetched, and there are no keys yet: every token is refused with 503 until it can be fetched (tried again every 30 s while there are requests)";

/** Logs a fetch of keys if its result differs from the last one. An unavailable issuer must not fill the log. */
function jwksLog(log: Logger, url: string): JwksEvents {
  let last = "";
  return {
    fetched(keys) {
      if (last !== "fetched") log.info({ url, keys }, "key set fetched");
      last = "fetched";
    },
    failed(error, hasKeys) {
      const reason = String(error);
      if (last === reason) return;
      last = reason;
      const fields = { url, err: error };
      if (hasKeys) log.warn(fields, "key set not fetched: tokens are checked with the cached keys");
      else log.error(fields, NO_KEYS);
    },
  };
}
