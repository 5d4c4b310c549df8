import type { HttpRequest } from "@antechamber/http1";
import type { AddressRange } from "../../addresses.ts";
import type { Rate } from "../../limits/rate.ts";
import type { RateLimiter } from "../../limits/rate-limiter.ts";
import { type Quota, Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";
import { createClientAddress } from "../auth/client-address.ts";

/**
 * What is counted: sessions created on request, sessions created where there was none to retrieve
 * (misses), and all other requests. A request whose session is a miss counts as both of the latter, and
 * an update that creates a session (dialect 8.5.1) as a request and as a create.
 */
export type Action = "creates" | "misses" | "requests";

/** The rate of each action; `undefined`: no limit. */
export type Rates = Readonly<Record<Action, Rate | undefined>>;

/** What limits are made of. */
export interface LimitOptions {
  /** Of one client address; `undefined` where no peer can have one that counts. */
  readonly perAddress: Rates | undefined;
  /** Of one credential; `undefined` where there are none. */
  readonly perCredential: Rates | undefined;
  /** Whose word on the address of their clients counts; `undefined`: everybody's, on a Unix socket. */
  readonly proxies: readonly AddressRange[] | undefined;
  /** Creates a limiter of this name: of this process, or shared by several. */
  readonly limiterOf: (name: string, rate: Rate) => RateLimiter;
  /** Milliseconds since some moment. */
  readonly now: () => number;
}

/** Holds callers to their rates. Each refuses with `too-many-requests`. */
export interface RateLimits {
  /** Before anybody knows who calls: whoever tries credentials is counted too. */
  byAddress(action: Action, request: HttpRequest): void;
  byCredential(action: Action, principal: Principal): void;
  /** A session is about to be created where there was none to retrieve. */
  miss(request: HttpRequest, principal: Principal): void;
  /** Also counts a create: a session is about to be created by a request that counted as another kind. */
  create(request: HttpRequest, principal: Principal): void;
}

/** The limits, or `undefined` where there are none: then requests are asked nothing. */
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
  whose: "address" | "credential",
  { limiterOf }: LimitOptions,
): NamedLimiter[] {
  const actions: readonly Action[] = ["creates", "misses", "requests"];
  return actions.flatMap((action) => {
    const rate = rates?.[action];
    if (rate === undefined) return [];
    const windowSeconds = rate.period / 1000;
    const quota = { name: `${action}-per-${whose}`, count: rate.count, windowSeconds };
    return [{ action, limiter: limiterOf(quota.name, rate), quota }];
  });
}

/** Asks who it is only where that action has a limit. */
function limiter<Whose>(
  limiters: readonly NamedLimiter[],
  subjectOf: (whose: Whose) => string | undefined,
  now: () => number,
): (action: Action, whose: Whose) => void {
  const byAction = Object.fromEntries(limiters.map((each) => [each.action, each]));
  return (action, whose) => {
    const named = byAction[action];
    if (named === undefined) return;
    const subject = subjectOf(whose);
    if (subject === undefined) return;
    const wait = named.limiter.take(subject, now());
    if (wait === 0) return;
    const retryAfterSeconds = Math.max(1, Math.ceil(wait / 1000));
    throw new Refusal({ code: "too-many-requests", retryAfterSeconds, quota: named.quota });
  };
}

/** The name of a key; of a credential that has none, whom it stands for. */
function credentialOf(principal: Principal & { readonly id?: string }): string {
  const { id, role, customerId, agentId } = principal;
  return id ?? JSON.stringify([role, customerId, agentId]);
}
