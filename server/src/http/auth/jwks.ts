import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../runtime/clock.ts";
import { Refusal } from "../../session/errors.ts";

/*
 * The public keys of whoever issues the tokens of mode `jwt` (RFC 7517).
 *
 *   none --ask--> fetching --set--> fresh --MAX_AGE--> stale --ask--> stale, fetching
 *                    |                |                                    |
 *                    |                `--unknown key--> fresh, fetching    |--set--> fresh
 *                    `--fault--> none (503 until the next try)             `--fault--> stale (still used)
 *
 * Whatever asks, and however often: at most one fetch begins in `REFRESH_PAUSE`.
 */

/** A set as it was fetched; another object as soon as the issuer has another. */
export interface VerificationKeys {
  readonly find: JWTVerifyGetKey;
}

/** The keys at hand, and how they are renewed. */
export interface Jwks {
  /** `undefined` as long as the issuer gave none. */
  readonly current: VerificationKeys | undefined;
  /** Begins a fetch if it is time for one; nobody waits for it. */
  refresh(): void;
  /**
   * The keys, fetched first if none are there yet. Refuses with `unavailable` when the issuer gave
   * none so far.
   */
  keys(): Promise<VerificationKeys>;
  /** Keys that are newer than `known`, which did not have the one that was looked for. */
  newerThan(known: VerificationKeys): Promise<VerificationKeys | undefined>;
  /** Gives up what is under way. */
  close(): void;
}

/** What a key set tells of its fetches. */
export interface JwksEvents {
  fetched(keys: number): void;
  /** `hasKeys`: whether keys of an earlier fetch are used meanwhile. */
  failed(error: unknown, hasKeys: boolean): void;
}

/** What a key set is fetched with. */
export interface JwksParts {
  readonly url: string;
  readonly clock: Clock;
  /** Hears of each set that could not be fetched, and of each that could. */
  readonly events: JwksEvents;
  /** How long (ms) the issuer may take for its answer. */
  readonly timeout?: number;
}

/** Least time (ms) between two fetches, whatever callers send (contract.md#mode-jwt). */
const REFRESH_PAUSE = 30_000;
/** Keys of this age (ms) are fetched again: one that the issuer withdrew is refused from then on. */
const MAX_AGE = 10 * 60_000;
const FETCH_TIMEOUT = 5000;
/** Real sets have some KiB. */
const MAX_BYTES = 256 * 1024;

/** A key set; the first fetch begins with the first call. */
export function createJwks({ url, clock, events, timeout = FETCH_TIMEOUT }: JwksParts): Jwks {
  const closing = new AbortController();
  let current: VerificationKeys | undefined;
  let body = "";
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | undefined;

  async function fetchOnce(): Promise<void> {
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(timeout), closing.signal]);
      const text = await fetchText(url, signal);
      const set = parseKeySet(text);
      fetchedAt = clock();
      if (text !== body) {
        current = { find: createLocalJWKSet(set) };
        body = text;
      }
      events.fetched(set.keys.length);
    } catch (error) {
      if (!closing.signal.aborted) events.failed(error, current !== undefined);
    }
  }

  /** The fetch under way, or a new one if it is time; `undefined` when it is not. */
  function attempt(): Promise<void> | undefined {
    if (underWay !== undefined) return underWay;
    const now = clock();
    if (now - triedAt < REFRESH_PAUSE) return undefined;
    triedAt = now;
    underWay = fetchOnce().finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  return {
    refresh() {
      if (clock() - fetchedAt >= MAX_AGE) void attempt();
    },
    async keys() {
      if (current === undefined) await attempt();
      if (current !== undefined) return current;
      const wait = Math.max(1, Math.ceil((triedAt + REFRESH_PAUSE - clock()) / 1000));
      throw new Refusal({ code: "unavailable", retryAfterSeconds: wait });
    },
    async newerThan(known) {
      if (current === known) await attempt();
      return current === known ? undefined : current;
    },
    get current() {
      return current;
    },
    close: () => closing.abort(),
  };
}

/** Rejects when the answer is late, too long, a redirect or anything but 200. */
async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    // A redirect could lead anywhere, from within our network.
    redirect: "error",
    // Bun tries again by itself when a connection that was kept is cut.
    keepalive: false,
    signal,
    headers: { accept: "application/jwk-set+json, application/json" },
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new TypeError(
      `the address of the key set (jwtKeySetUrl) was answered with status ${response.status}`,
    );
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new TypeError(`the key set is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A set without keys is taken for a slip of the issuer: it would lock everybody out. */
function parseKeySet(text: string): JSONWebKeySet {
  let set: (Partial<JSONWebKeySet> & { readonly jwks_uri?: unknown }) | null;
  try {
    set = JSON.parse(text) as typeof set;
  } catch (cause) {
    throw new TypeError("the response is not a key set: it is not JSON", { cause });
  }
  if (typeof set?.jwks_uri === "string") {
    throw new TypeError(
      "the response is the discovery document of the provider and not a key set: set jwtKeySetUrl to its jwks_uri",
    );
  }
  if (!Array.isArray(set?.keys) || set.keys.length === 0) {
    throw new TypeError("the answer is no key set with keys");
  }
  return { keys: set.keys };
}
