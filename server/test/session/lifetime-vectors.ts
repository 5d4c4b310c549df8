import type { Lifetimes } from "../../src/session/lifetime.ts";
import type { Identity } from "../../src/session/session.ts";
import type { Traits } from "../../src/session/traits.ts";
import { MINUTE } from "../support/sessions.ts";

/*
 * Test vectors for renewal, expiry and purge. All implementations of the rules must pass them; the head of
 * `src/session/lifetime.ts` lists these. The expected values are written by hand.
 */

/** Lifetimes and retention, in ms. */
export interface Policy {
  readonly lifetimes: Lifetimes;
  readonly retention: number;
}

/** A session at one moment, the effect of using it then, and the time of its purge. Times are ms after creation. */
export interface LifetimeVector {
  readonly name: string;
  readonly policy: Policy;
  readonly ids: Partial<Identity>;
  readonly traits?: Partial<Traits>;
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  readonly isEnded?: boolean;
  readonly hasRecords?: boolean;
  readonly now: number;
  readonly expected: {
    readonly isLive: boolean;
    /** Whether a use at that moment must be stored as a renewal. */
    readonly isRenewalDue: boolean;
    /** Time of expiry after a renewal at `now`; without that renewal if the session is not live. */
    readonly expiresAt: number;
    /** Time at which the retention of its data ends after such a renewal; `null` without data. */
    readonly retentionEndsAt: number | null;
    /** Earliest time of the purge after such a renewal. */
    readonly purgeAt: number;
  };
}

function policyOf(
  [anonymousIdle, anonymousTotal]: readonly [number, number],
  [recognizedIdle, recognizedTotal]: readonly [number, number],
  retention: number,
): Policy {
  return {
    lifetimes: {
      anonymous: { idle: anonymousIdle * MINUTE, total: anonymousTotal * MINUTE },
      recognized: { idle: recognizedIdle * MINUTE, total: recognizedTotal * MINUTE },
    },
    retention: retention * MINUTE,
  };
}

const usual = policyOf([30, 120], [60, 240], 600);
const profiles = new Map([
  ["remember", { idle: 300 * MINUTE, total: 900 * MINUTE }],
  ["kiosk-1", { idle: 2 * MINUTE, total: 60 * MINUTE }],
  ["k", { idle: 1, total: 1 }],
]);
const withProfiles: Policy = { ...usual, lifetimes: { ...usual.lifetimes, profiles } };
const shortForRecognized = policyOf([30, 120], [10, 20], 0);
const idleBeyondTotal = policyOf([200, 50], [60, 240], 600);
const oddIdle = policyOf([33.333, 120], [60, 240], 600);

type State = Partial<Pick<LifetimeVector, "ids" | "traits" | "isEnded" | "hasRecords" | "policy">> & {
  /** Minutes after creation. */
  readonly active: number;
  readonly expires: number;
  readonly now: number;
};
type Expected = readonly [expiresAt: number, retentionEndsAt: number | null, purgeAt: number];

/** Creates a vector from times in minutes. */
function vector(
  name: string,
  { active, expires, now, ids = {}, policy = usual, ...more }: State,
  use: "renewed" | "not due" | "not live",
  [expiresAt, retentionEndsAt, purgeAt]: Expected,
): LifetimeVector {
  const expected = {
    isLive: use !== "not live",
    isRenewalDue: use === "renewed",
    expiresAt: ms(expiresAt),
    retentionEndsAt: retentionEndsAt === null ? null : ms(retentionEndsAt),
    purgeAt: ms(purgeAt),
  };
  const times = { lastActiveAt: ms(active), expiresAt: ms(expires), now: ms(now) };
  return { name, policy, ids, ...times, ...more, expected };
}

function ms(minutes: number): number {
  return Math.round(minutes * MINUTE);
}

/** One millisecond, in minutes. */
const MS = 1 / MINUTE;
const customer = { customerId: "c" };
const agent = { agentId: "a" };
const visit = { visitId: "v" };
const remember = { profile: "remember", label: "Firefox on Windows" };

export const lifetimeVectors: readonly LifetimeVector[] = [
  vector("an anonymous session before a tenth of the idle time", { active: 0, expires: 30, now: 3 - MS }, "not due", [
    33 - MS,
    null,
    33 - MS,
  ]),
  vector("an anonymous session after a tenth of the idle time", { active: 0, expires: 30, now: 3 }, "renewed", [
    33,
    null,
    33,
  ]),
  vector(
    "an idle time of which a tenth is no whole number, before it",
    { policy: oddIdle, active: 0, expires: 33.333, now: 3.3333 - MS },
    "not due",
    [36.6663 - MS, null, 36.6663 - MS],
  ),
  vector(
    "a session with a visit only, which is anonymous",
    { ids: visit, active: 0, expires: 30, now: 3 },
    "renewed",
    [33, 633, 633],
  ),
  vector(
    "a session with a global visit only, which has data to retain",
    { ids: { globalVisitId: "g" }, active: 0, expires: 30, now: 3 },
    "renewed",
    [33, 633, 633],
  ),
  vector(
    "a session with a customer before a tenth of the idle time",
    { ids: customer, active: 0, expires: 60, now: 6 - MS },
    "not due",
    [66 - MS, 666 - MS, 666 - MS],
  ),
  vector(
    "a session with an agent after a tenth of the idle time",
    { ids: agent, active: 0, expires: 60, now: 6 },
    "renewed",
    [66, 666, 666],
  ),
  vector(
    "a renewal that the total lifetime cuts short",
    { ids: customer, active: 175, expires: 235, now: 190 },
    "renewed",
    [240, 840, 840],
  ),
  vector(
    "a session that expires at its total lifetime already",
    { ids: customer, active: 185, expires: 240, now: 200 },
    "not due",
    [240, 840, 840],
  ),
  vector(
    "a session one millisecond before its expiry",
    { ids: visit, active: 0, expires: 30, now: 30 - MS },
    "renewed",
    [60 - MS, 660 - MS, 660 - MS],
  ),
  vector("a session at its expiry", { ids: visit, active: 0, expires: 30, now: 30 }, "not live", [30, 630, 630]),
  vector(
    "an expired session with nothing but records",
    { hasRecords: true, active: 1, expires: 31, now: 32 },
    "not live",
    [31, 631, 631],
  ),
  vector(
    "an expired session with records and a customer",
    { ids: customer, hasRecords: true, active: 0, expires: 60, now: 61 },
    "not live",
    [60, 660, 660],
  ),
  vector(
    "an ended session with a customer",
    { ids: customer, isEnded: true, active: 10, expires: 20, now: 21 },
    "not live",
    [20, 620, 620],
  ),
  vector(
    "an ended session without data, whose id would pass for an implicit session",
    { isEnded: true, active: 0, expires: 5, now: 6 },
    "not live",
    [5, null, 30],
  ),
  vector(
    "a recognized session that expires before its id does",
    { policy: shortForRecognized, ids: { ...customer, ...visit }, active: 0, expires: 10, now: 11 },
    "not live",
    [10, 10, 30],
  ),
  vector(
    "an expiry from a longer lifetime that was configured before",
    { ids: customer, active: 0, expires: 500, now: 10 },
    "not due",
    [70, 670, 670],
  ),
  vector(
    "an expiry from a shorter lifetime that was configured before",
    { ids: customer, active: 0, expires: 10, now: 7 },
    "renewed",
    [67, 667, 667],
  ),
  vector("a clock behind the last use", { ids: customer, active: 20, expires: 80, now: 15 }, "not due", [80, 680, 680]),
  vector(
    "an idle time longer than the total lifetime",
    { policy: idleBeyondTotal, active: 0, expires: 50, now: 20 },
    "not due",
    [50, null, 50],
  ),
  vector(
    "a session with a profile before a tenth of its idle time",
    { policy: withProfiles, traits: remember, ids: customer, active: 0, expires: 300, now: 30 - MS },
    "not due",
    [330 - MS, 930 - MS, 930 - MS],
  ),
  vector(
    "a session with a profile after a tenth of its idle time",
    { policy: withProfiles, traits: remember, ids: customer, active: 0, expires: 300, now: 30 },
    "renewed",
    [330, 930, 930],
  ),
  vector(
    "a session with a profile that its total lifetime cuts short",
    { policy: withProfiles, traits: remember, ids: visit, active: 590, expires: 890, now: 690 },
    "renewed",
    [900, 1500, 1500],
  ),
  vector(
    "a profile without ids, which leaves nothing to retain",
    { policy: withProfiles, traits: remember, active: 0, expires: 300, now: 30 },
    "renewed",
    [330, null, 330],
  ),
  vector(
    "a profile shorter than the lifetime of an implicit session",
    { policy: withProfiles, traits: { profile: "kiosk-1" }, active: 0, expires: 2, now: 1 },
    "renewed",
    [3, null, 30],
  ),
  vector(
    "an expired session with a profile and a label",
    { policy: withProfiles, traits: { profile: "kiosk-1", label: "k=1" }, ids: visit, active: 0, expires: 2, now: 3 },
    "not live",
    [2, 602, 602],
  ),
  vector(
    "a profile that is no longer configured",
    { policy: withProfiles, traits: { profile: "kiosk" }, ids: customer, active: 0, expires: 60, now: 6 },
    "renewed",
    [66, 666, 666],
  ),
  vector(
    "a profile where none is configured any more, in a session older than the ordinary lifetime",
    { traits: remember, ids: customer, active: 0, expires: 300, now: 270 },
    "not due",
    [240, 840, 840],
  ),
  vector("a session with only a label", { traits: { label: "Firefox" }, active: 0, expires: 30, now: 3 }, "renewed", [
    33,
    null,
    33,
  ]),
];
