import type { HttpRequest } from "@antechamber/http1";
import type { Rate } from "../limits/rate.ts";
import type { RateLimiter } from "../limits/rate-limiter.ts";
import type { AddressRange } from "../network/addresses.ts";
import { type Quota, Refusal } from "../session/errors.ts";
import type { Principal } from "../session/permissions.ts";
import { createClientAddress } from "./auth/client-address.ts";

/**
 * The actions that have a rate limit. `creates` counts requests to create a session, and `requests` counts all other
 * requests. `misses` counts retrievals that create a session because no session has the given id; such a retrieval also
 * counts as one of `requests`. An update that creates a session (dialect 8.5.1) counts as one of `requests` and one of
 * `creates`.
 */
export type Action = "creates" | "misses" | "requests";

/** The rate of each action; `undefined` if the action has no limit. */
export type Rates = Readonly<Record<Action, Rate | undefined>>;

export interface LimitOptions {
  /** The rates of one client address; `undefined` if no client address can be determined. */
  readonly perAddress: Rates | undefined;
  /** The rates of one credential; `undefined` if the auth mode has no credentials. */
  readonly perCredential: Rates | undefined;
  /** The proxies that report their clients' addresses; `undefined` on a Unix socket, where every peer is one. */
  readonly proxies: readonly AddressRange[] | undefined;
  /** Creates a limiter for this process, or one that processes share under its name. */
  readonly limiterOf: (name: string, rate: Rate) => RateLimiter;
  /** Returns the time of a monotonic clock, in milliseconds. */
  readonly now: () => number;
}

/** The rate limits. Each method counts an action, and refuses with `too-many-requests` beyond the limit. */
export interface RateLimits {
  /** Must be called before authentication, so that callers who guess credentials are counted too. */
  byAddress(action: Action, request: HttpRequest): void;
  byCredential(action: Action, principal: Principal): void;
  /** Counts a session that is about to be created because there was none to retrieve. */
  miss(request: HttpRequest, principal: Principal): void;
  /** Counts a session that is about to be created by a request that was counted as another action. */
  create(request: HttpRequest, principal: Principal): void;
}

/** Creates the limits; returns `undefined` if no limit is configured. */
export function createRateLimits(options: LimitOptions): RateLimits | undefined {
  const { perAddress, perCredential, now } = options;
  const addresses = limitersOf(perAddress, "address", options);
  const credentials = limitersOf(perCredential, "credential", options);
  if (addresses.length === 0 && credentials.length === 0) return undefined;
  const clientOf = createClientAddress(options.proxies);
  const subscriberOf = (request: HttpRequest) => clientOf(request).subscriber;

  const limits: RateLimits = {
    byAddress: limiter(addresses, subscriberOf, now),
    byCredential: limiter(credentials, credentialOf, now),
    miss(request, principal) {
      limits.byAddress("misses", request);
      limits.byCredential("misses", principal);
    },
    create(request, principal) {
      limits.byAddress("creates", request);
      limits.byCredential("creates", principal);
    },
  };
  return limits;
}

interface NamedLimiter {
  readonly action: Action;
  readonly limiter: RateLimiter;
  readonly quota: Quota;
}

function limitersOf(
  rates: Rates | undefined,
  per: "address" | "credential",
  { limiterOf }: LimitOptions,
): NamedLimiter[] {
  const actions: readonly Action[] = ["creates", "misses", "requests"];
  return actions.flatMap((action) => {
    const rate = rates?.[action];
    if (rate === undefined) return [];
    const windowSeconds = rate.period / 1000;
    const quota = { name: `${action}-per-${per}`, count: rate.count, windowSeconds };
    return [{ action, limiter: limiterOf(quota.name, rate), quota }];
  });
}

/** Returns a function that counts an action. It finds the subject (address or credential) only if necessary. */
function limiter<Caller>(
  limiters: readonly NamedLimiter[],
  subjectOf: (caller: Caller) => string | undefined,
  now: () => number,
): (action: Action, caller: Caller) => void {
  const byAction = Object.fromEntries(limiters.map((each) => [each.action, each]));
  return (action, caller) => {
    const named = byAction[action];
    if (named === undefined) return;
    const subject = subjectOf(caller);
    if (subject === undefined) return;
    const wait = named.limiter.take(subject, now());
    if (wait === 0) return;
    const retryAfterSeconds = Math.max(1, Math.ceil(wait / 1000));
    throw new Refusal({ code: "too-many-requests", retryAfterSeconds, quota: named.quota });
  };
}

/** Returns the id of an API key. Other credentials have no id, so their callers are distinguished by role and ids. */
function credentialOf(principal: Principal & { readonly id?: string }): string {
  const { id, role, customerId, agentId } = principal;
  return id ?? JSON.stringify([role, customerId, agentId]);
}
