import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../runtime/clock.ts";
import { Refusal } from "../../session/errors.ts";

/*
 * The public keys of an issuer whose tokens are accepted, a JWK set (RFC 7517). The states of the cache:
 *
 *   none --request--> fetching --keys--> fresh --MAX_AGE--> stale --request--> stale, fetching
 *                        |                 |                                     |
 *                        |                 `--unknown key--> fresh, fetching     |--keys---> fresh
 *                        `--failure--> none (503 until the next fetch)           `--failure--> stale (still used)
 *
 * However many requests there are, at most one fetch begins in `MIN_FETCH_INTERVAL`.
 */

/** The keys from one response of the issuer. If the issuer changes its keys, a new object is created. */
export interface VerificationKeys {
  readonly find: JWTVerifyGetKey;
}

/** Callbacks for the log. */
export interface JwksEvents {
  fetched(keyCount: number): void;
  /** `hasKeys`: whether the keys of an earlier fetch remain in use. */
  failed(error: unknown, hasKeys: boolean): void;
}

export interface JwksOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly events: JwksEvents;
  /** How long a fetch may take, in milliseconds. */
  readonly timeoutMs?: number;
}

/** The shortest time (ms) between the beginnings of two fetches, whatever callers send (contract.md#mode-jwt). */
const MIN_FETCH_INTERVAL = 30_000;
/** The age (ms) at which keys are fetched again. Then tokens signed with a withdrawn key are refused. */
const MAX_AGE = 10 * 60_000;
const FETCH_TIMEOUT = 5000;
/** The maximum length of a JWK set in bytes. Real sets have a few KiB. */
const MAX_BYTES = 256 * 1024;

/** A cached JWK set. */
export class Jwks {
  readonly #options: JwksOptions;
  readonly #closing = new AbortController();
  #current: VerificationKeys | undefined;
  #body = "";
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;
  /** The error of the last fetch that failed. */
  #failure: unknown;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /** The cached keys; `undefined` before the first successful fetch. */
  get current(): VerificationKeys | undefined {
    return this.#current;
  }

  /** Begins a fetch if the keys are too old, without waiting for it. */
  refresh(): void {
    if (this.#options.clock() - this.#fetchedAt >= MAX_AGE) void this.#fetch();
  }

  /**
   * Returns the keys after an attempt to fetch them if they are too old. It waits for the fetch, unlike `refresh`, so that
   * a withdrawn key is refused even if the last token came long ago. Refuses with `unavailable` if there are no keys.
   */
  async freshKeys(): Promise<VerificationKeys> {
    if (this.#options.clock() - this.#fetchedAt >= MAX_AGE) await this.#fetch();
    return this.keys();
  }

  /** Returns the keys; fetches them if none are cached. Refuses with `unavailable` if that fails. */
  async keys(): Promise<VerificationKeys> {
    if (this.#current === undefined) await this.#fetch();
    if (this.#current !== undefined) return this.#current;
    const waitMs = this.#triedAt + MIN_FETCH_INTERVAL - this.#options.clock();
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
    const cause = new Error("the key set of the issuer could not be fetched yet", { cause: this.#failure });
    throw new Refusal({ code: "unavailable", retryAfterSeconds }, cause);
  }

  /**
   * Returns newer keys than `outdated`, in which a token's key is missing, or `undefined`. Fetches them if necessary.
   */
  async newerThan(outdated: VerificationKeys): Promise<VerificationKeys | undefined> {
    if (this.#current === outdated) await this.#fetch();
    return this.#current === outdated ? undefined : this.#current;
  }

  /** Cancels a fetch in progress. */
  close(): void {
    this.#closing.abort();
  }

  /** Returns the fetch in progress, or begins one; `undefined` if the last one began too recently. */
  #fetch(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching;
    const now = this.#options.clock();
    if (now - this.#triedAt < MIN_FETCH_INTERVAL) return undefined;
    this.#triedAt = now;
    this.#fetching = this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    const { url, clock, events, timeoutMs = FETCH_TIMEOUT } = this.#options;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#closing.signal]);
      const text = await fetchText(url, signal);
      const set = parseKeySet(text);
      this.#fetchedAt = clock();
      if (text !== this.#body) {
        this.#current = { find: createLocalJWKSet(set) };
        this.#body = text;
      }
      events.fetched(set.keys.length);
    } catch (error) {
      this.#failure = error;
      if (!this.#closing.signal.aborted) events.failed(error, this.#current !== undefined);
    }
  }
}

/** Fetches a text. Rejects if the response is late, is too long, or has another status than 200. */
async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    // Redirects are not followed, because one could lead to any address within the network of the service.
    redirect: "error",
    // No connection is reused: if a reused connection is closed, Bun repeats the request by itself.
    keepalive: false,
    signal,
    headers: { accept: "application/jwk-set+json, application/json" },
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new TypeError(`the server at the address of the key set responded with status ${response.status}`);
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

/** Parses a JWK set. Throws also for an empty set: it is probably a mistake and would lock out every caller. */
function parseKeySet(text: string): JSONWebKeySet {
  let set: (Partial<JSONWebKeySet> & { readonly jwks_uri?: unknown }) | null;
  try {
    set = JSON.parse(text) as typeof set;
  } catch (cause) {
    throw new TypeError("the response is not a key set: it is not JSON", { cause });
  }
  if (typeof set?.jwks_uri === "string") {
    throw new TypeError(
      "the response is the discovery document of the provider and not a key set: configure its jwks_uri instead",
    );
  }
  if (!Array.isArray(set?.keys) || set.keys.length === 0) {
    throw new TypeError("the response is not a key set with keys");
  }
  return { keys: set.keys };
}
