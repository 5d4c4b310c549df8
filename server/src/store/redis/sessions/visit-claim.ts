/*
 * Decides who gets a visit. A visit and its session lie in different slots, which no script can change together. Only
 * the session counts: a live session with the visit written in it holds the visit. The claim, in the slot of the
 * visit, is a pointer to the one session that may get it, and to that session's attempt.
 *
 *   visit    free --claim--> claimed by (session, nonce) --release, or replacement by another claim--> ...
 *   attempt  in progress --write--> the session holds the visit --end, expiry--> over
 *            in progress --fence--> fenced: its write is refused from now on
 *
 * An attempt claims the visit, then writes it into the session, by a script that checks the fence. Attempts for the
 * same session share its claim and nonce. A contender that finds the claim of another session examines that session,
 * by one script:
 *
 *   holds        the session is live and has the visit: the contender has lost
 *   over         the session is over or has another visit. This is final (an expired session is marked), and the claim
 *                may be replaced at once
 *   fenced       this attempt will not get the visit: the claim may be replaced at once
 *   in-progress  the attempt continues, or its process died between claim and write: the contender retries until the
 *                claim is `GRACE` old, and then fences the attempt
 *
 * A claim is replaced or released only if it still is the examined one. So at any time at most one session can be
 * written a visit, and it is the one in the claim:
 * - A claim is removed only after its attempt cannot write any more: it is fenced, or its session is over.
 * - Fence and write are scripts in the slot of the session, so one comes first. If it is the write, the contender finds
 *   that the session holds the visit.
 * - A refused attempt fences itself in the script that refuses it, and then releases the claim; unless the session has
 *   the visit by another attempt under the same claim, which stays.
 * - A fence lasts for `FENCE_LIFE`, much longer than a write can be delayed: none is sent after its deadline.
 * - A claim outlives every session that was written under it (`claimLife`).
 *
 * If one server holds all keys, a creation or association first tries to claim and write in one script
 * (`scripts/prelude/claim-combined.lua`). If another session has a claim, the script does neither and fences its
 * attempt, as it may have been sent twice. It replaces a claim of its own session without examining that attempt,
 * which can only write this visit into this session, where it is already; and whoever is about to replace or release
 * that claim no longer finds it.
 */

/** Milliseconds for which contenders do not fence an attempt; less than the deadline of a request. */
export const GRACE = 1000;
/** Milliseconds until a contender examines an attempt again. */
export const PAUSE = 10;
/** Lifetime of a fence in ms. */
export const FENCE_LIFE = 60 * 60 * 1000;
const SLACK = 60 * 60 * 1000;

/** Returns the lifetime (ms) of a claim if sessions live for at most `total` ms. */
export function claimLife(total: number): number {
  return total + SLACK;
}

/** The claim of a visit: a session id and the nonce of its attempt. */
export interface Claim {
  readonly id: string;
  readonly nonce: string;
}

/** The result of claiming a visit. */
export type ClaimResult =
  /** The session has the claim, by its own attempt or by one that it shares. */
  | { readonly outcome: "claimed"; readonly nonce: string }
  /** Another session has had the claim for `age` ms. */
  | { readonly outcome: "held"; readonly claim: Claim; readonly age: number };

/** The state of another session's attempt. */
export type Examination = "holds" | "over" | "fenced" | "in-progress";

/** The result of writing the visit into the session. */
export type WriteResult =
  | "done"
  | "fenced"
  /** Refused for another reason, and the attempt is fenced. */
  | "refused"
  /** Refused for another reason, but the session has the visit by another attempt: the claim stays. */
  | "refused-holding";

/** The next step of an attempt. */
export type Step =
  | { readonly do: "claim"; readonly replacing: Claim | null }
  | { readonly do: "write"; readonly nonce: string }
  | { readonly do: "examine"; readonly claim: Claim; readonly mayFence: boolean }
  | { readonly do: "pause" }
  | { readonly do: "release"; readonly claim: Claim }
  /** The attempt won, lost, or was refused for another reason and left nothing behind. */
  | { readonly do: "finish"; readonly outcome: "won" | "lost" | "refused" };

/** The first step of every attempt, and the step after a pause. */
export const firstStep: Step = { do: "claim", replacing: null };

/** Returns the step after a claim. */
export function afterClaim(result: ClaimResult): Step {
  if (result.outcome === "claimed") return { do: "write", nonce: result.nonce };
  return { do: "examine", claim: result.claim, mayFence: result.age >= GRACE };
}

/** Returns the step after an examination of another session's claim. */
export function afterExamination(claim: Claim, examination: Examination): Step {
  switch (examination) {
    case "holds":
      return { do: "finish", outcome: "lost" };
    case "in-progress":
      return { do: "pause" };
    default:
      return { do: "claim", replacing: claim };
  }
}

/** Returns the step after a write under the session's own claim. */
export function afterWrite(claim: Claim, result: WriteResult): Step {
  switch (result) {
    case "done":
      return { do: "finish", outcome: "won" };
    case "fenced":
      return { do: "claim", replacing: claim };
    case "refused":
      return { do: "release", claim };
    case "refused-holding":
      return { do: "finish", outcome: "refused" };
  }
}
