/*
 * Decides which session gets a visit. A visit and its session may be in different slots, so that no script can change
 * both. Only the session counts: if a session is live and the visit is written in it, it holds the visit. The claim is in
 * the slot of the visit. It names the only session that may get the visit, and the nonce of that session's attempt.
 *
 *   visit    free --claim--> claimed by (session, nonce) --release, or replacement by another claim--> ...
 *   attempt  in progress --write--> the session holds the visit --end, expiry--> over
 *            in progress --fence--> fenced: its write is refused from now on
 *
 * An attempt first claims the visit. Then it writes the visit into the session, by a script that checks the fence.
 * Several attempts for the same session share one claim and its nonce.
 *
 * A contender is an attempt that finds the claim of another session. It examines that session by one script, which
 * returns one of:
 *
 *   holds        The session is live and has the visit. The contender has lost.
 *   over         The session has ended or expired, or has another visit. This is final, because the script marks an
 *                expired session. The claim may be replaced at once.
 *   fenced       The other attempt cannot get the visit any more. The claim may be replaced at once.
 *   in-progress  The other attempt continues, or its process died between claim and write. The contender examines it
 *                again and again. As soon as the claim is `GRACE` old, the contender fences the other attempt. The age
 *                is the part of the claim's lifetime that has passed. Renewals of a session that holds the visit extend
 *                the lifetime, but then the age does not matter.
 *
 * A contender replaces or releases a claim only if it is still the claim that was examined. So at any time a visit can
 * be written into at most one session, which is the session in the claim. The reasons:
 * - A claim is removed only when its attempt cannot write any more, because it is fenced or its session is over.
 * - Fence and write are scripts in the slot of the session, so one of them runs first. If the write runs first, the
 *   contender finds that the session holds the visit.
 * - The script that refuses an attempt also fences it. After that, the attempt releases the claim. The exception: if
 *   another attempt with the same claim has written the visit into the session, the claim stays.
 * - A fenced attempt writes nothing, even if its session has got the visit by another attempt meanwhile: its request
 *   may have been refused already, and a copy of its command may arrive late.
 * - A fence lasts for `FENCE_LIFE`. No write is delayed for that time, because none is sent after its deadline.
 * - A claim is kept longer than any session into which the visit was written (`claimLife`).
 *
 * If session and claim share a slot, or one server holds all keys, creating a session or associating ids first tries to
 * claim and write in one script, for many sessions at a time (`scripts/store-sessions.lua`). If another session has a claim, this script does neither. It
 * fences its own attempt, because the same command may have been sent twice. All its attempts share a nonce and a fence, so
 * a copy of the command then writes nothing for any of its sessions.
 *
 * If its own session has an earlier claim, this script replaces that claim without examining the earlier attempt. That
 * is safe. The earlier attempt could only write the same visit into the same session, which has the visit already. And
 * a contender that is about to replace or release the earlier claim does not find it any more.
 */

/** Time (ms) for which no contender fences an attempt. Shorter than a request's deadline, so contenders can wait. */
export const GRACE = 1000;
/** Time (ms) until a contender examines an attempt again. */
export const PAUSE = 10;
/** Lifetime of a fence in ms. */
export const FENCE_LIFE = 60 * 60 * 1000;
/** Time (ms) by which a claim is kept longer than any session. */
const SLACK = 60 * 60 * 1000;

/** Returns the lifetime (ms) of a claim. `total` is the longest total lifetime of a session in ms. */
export function claimLife(total: number): number {
  return total + SLACK;
}

/** The claim of a visit: the handle of a session and the nonce of that session's attempt. */
export interface Claim {
  readonly handle: string;
  readonly nonce: string;
}

/** The result of claiming a visit. */
export type ClaimResult =
  /** The session has the claim. `nonce` is that of this attempt or of an earlier one for the same session. */
  | { readonly outcome: "claimed"; readonly nonce: string }
  /** Another session has the claim, which was made `age` ms ago. */
  | { readonly outcome: "held"; readonly claim: Claim; readonly age: number };

/** The state of another session's attempt, as the head of this file explains. */
export type Examination = "holds" | "over" | "fenced" | "in-progress";

/** The result of writing the visit into the session. */
export type WriteResult =
  | "done"
  /** The write was refused, because a contender had fenced the attempt. */
  | "fenced"
  /** The write was refused for another reason, and the attempt is now fenced. */
  | "refused"
  /** The write was refused for another reason. The claim stays, because another attempt gave the session the visit. */
  | "refused-holding";

/** The next step of an attempt. */
export type Step =
  /** Claims the visit. May replace the claim `replacing`. */
  | { readonly do: "claim"; readonly replacing: Claim | null }
  | { readonly do: "write"; readonly nonce: string }
  | { readonly do: "examine"; readonly claim: Claim; readonly mayFence: boolean }
  | { readonly do: "pause" }
  | { readonly do: "release"; readonly claim: Claim }
  /** `won`: the session holds the visit. `lost`: another session does. `refused`: the write was refused. */
  | { readonly do: "finish"; readonly outcome: "won" | "lost" | "refused" };

/** The first step of every attempt, also repeated after each pause. */
export const firstStep: Step = { do: "claim", replacing: null };

/** Returns the step that follows a claim. */
export function afterClaim(result: ClaimResult): Step {
  if (result.outcome === "claimed") return { do: "write", nonce: result.nonce };
  return { do: "examine", claim: result.claim, mayFence: result.age >= GRACE };
}

/** Returns the step that follows the examination of another session's `claim`. */
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

/** Returns the step that follows a write. `claim` is the session's own claim. */
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
