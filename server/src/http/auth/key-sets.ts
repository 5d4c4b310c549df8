import type { Logger } from "pino";
import type { Clock } from "../../runtime/clock.ts";
import { Jwks, type JwksEvents } from "./jwks.ts";

/** The key sets of all issuers, one for each URL, so that no URL is fetched more often than `Jwks` promises. */
export class KeySets {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #sets = new Map<string, Jwks>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Returns the key set at a URL. The first call begins to fetch it, so that the first caller need not wait for the keys.
   * The server starts even if the issuer is unavailable.
   */
  at(url: string): Jwks {
    const known = this.#sets.get(url);
    if (known !== undefined) return known;
    const added = new Jwks({ url, clock: this.#clock, events: jwksLog(this.#log, url) });
    added.refresh();
    this.#sets.set(url, added);
    return added;
  }

  /** Cancels all fetches. */
  close(): void {
    for (const set of this.#sets.values()) set.close();
  }
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
