import type { Logger } from "pino";
import type { Config } from "../../config/config.ts";
import type { Clock, WallClock } from "../../runtime/clock.ts";
import { type Authenticate, authenticateLocal, type KeyRing } from "./api-key-auth.ts";
import { createJwks, type JwksEvents } from "./jwks.ts";
import { createJwtAuth } from "./jwt-auth.ts";
import { createTrustedProxyAuth } from "./trusted-proxy-auth.ts";

/** How a server finds out who calls. */
export interface Authenticator {
  readonly authenticate: Authenticate;
  close(): void;
}

/** What the modes need, each a part of it. */
export interface AuthenticatorParts {
  readonly config: Pick<Config, "auth" | "socket" | "tokens" | "proxySecret" | "trustedProxies">;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly log: Logger;
  readonly keyRing: KeyRing;
}

/**
 * The mode that the configuration names, and no other. Throws `TypeError` when that lacks what the mode
 * cannot be safe without.
 */
export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  switch (parts.config.auth) {
    case "local":
      return { authenticate: authenticateLocal, close: nothing };
    case "key":
      return { authenticate: parts.keyRing.authenticate, close: nothing };
    case "jwt":
      return accessByToken(parts);
    case "proxy":
      return { authenticate: vouched(parts.config), close: nothing };
  }
}

const nothing = () => undefined;

function accessByToken({ config, clock, wallClock, log }: AuthenticatorParts): Authenticator {
  const { tokens } = config;
  if (tokens === undefined) throw new TypeError("auth mode jwt needs to know its issuer");
  const events = keySetLog(log, tokens.keySetUrl);
  const keySet = createJwks({ url: tokens.keySetUrl, clock, events });
  // The first caller need not wait; without an issuer the server starts all the same.
  keySet.refresh();
  return {
    authenticate: createJwtAuth({ config: tokens, keySet, wallClock, log }),
    close: keySet.close,
  };
}

function vouched({
  proxySecret,
  trustedProxies,
  socket,
}: AuthenticatorParts["config"]): Authenticate {
  const isUnnamed = socket === undefined && trustedProxies.length === 0;
  if (proxySecret === undefined || isUnnamed) {
    throw new TypeError("auth mode proxy needs a secret, and proxies to trust");
  }
  const ranges = socket === undefined ? trustedProxies : undefined;
  return createTrustedProxyAuth({ secret: proxySecret, ranges });
}

/** Logs a line only when the state or its reason changes; otherwise an unavailable issuer would fill the log. */
function keySetLog(log: Logger, url: string): JwksEvents {
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
      if (hasKeys) {
        log.warn(
          { url, err: error },
          "key set not fetched: tokens are checked with the cached keys",
        );
        return;
      }
      const message =
        "key set not fetched, and there are no keys yet: every token is refused with 503 until it can be fetched (tried again every 30 s while there are requests)";
      log.error({ url, err: error }, message);
    },
  };
}
