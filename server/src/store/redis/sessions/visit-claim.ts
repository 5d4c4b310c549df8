/*
 * Who gets a visit. A visit and its session lie in different slots, which no script can change together.
 * What counts is the session alone: a live session in which the visit is written holds it. The claim, in
 * the slot of the visit, is only a pointer to the one session that may get it, and to the attempt.
 *
 *   visit          free --claim--> claimed by (session, nonce) --release, or claim in its place--> ...
 *   the attempt    under way --write--> the session holds the visit --end, expiry--> over
 *                  under way --bar--> barred: its write is refused from now on
 *
 * An attempt claims the visit, then writes it into the session, in one script that looks whether the
 * attempt is barred. Attempts for the same session share the claim and its nonce. Whoever meets the claim
 * of another session examines that session, in one script:
 *
 *   holds      live, and the visit is its own: the contender has lost
 *   over       the session is over or has another visit. It stays so (one that is found expired is marked)
 *              and the claim may be replaced at once
 *   barred     it will not get the visit by this attempt: as above
 *   under-way  the attempt goes on, or its process died between claim and write: the contender looks
 *              again, until the claim is `GRACE` old, and then has the attempt barred
 *
 * A claim is replaced or released only by comparing it with the one that was examined. So at every moment
 * at most one session can be written a visit, and it is the one of the claim:
 * - A claim goes only after its attempt can write no more: it was barred, or its session is over.
 * - Barring and writing are scripts in the slot of the session, so one of them comes first. If it is the
 *   write, the bar finds the visit held.
 * - An attempt that is refused bars itself in the script that refuses it, and then lets go of the claim;
 *   unless the session has the visit by another attempt under the same claim, which stays then.
 * - A bar stays for `BAR_LIFE`, much longer than a write can be late: none is sent after the deadline of
 *   its request.
 * - A claim outlives every session that was written under it (`claimLife`).
 *
 * Where one server has all keys, a creation or association first tries to claim and write in one script
 * (`scripts/claiming-at-once.lua`): both steps with nothing in between, and neither where another session has
 * a claim. The attempt is barred then, as the script may have been sent twice. A claim of the same session is
 * replaced without a look at its attempt: that one, barred or not, can write this visit into this session
 * alone, where it stands by now; and who is about to replace or release that claim does not find it any more.
 *
 * Where a process dies, its claim is left: replaced by the next who wants the visit, or forgotten.
 */

/** For how long (ms) a contender leaves an attempt alone: less than the deadline of a request. */
export const GRACE = 1000;
/** After how long (ms) a contender looks again. */
export const PAUSE = 10;
/** How long (ms) a barred attempt is remembered. */
export const BAR_LIFE = 60 * 60 * 1000;
const SLACK = 60 * 60 * 1000;

/** How long (ms) a claim is kept where sessions live for `total` ms at the most. */
export function claimLife(total: number): number {
  return total + SLACK;
}

/** Who has claimed a visit, by which attempt. */
export interface Claim {
  readonly id: string;
  readonly nonce: string;
}

/** What claiming came to. */
export type Claiming =
  /** The session has the claim, by its own attempt or by one that it shares. */
  | { readonly outcome: "claimed"; readonly nonce: string }
  /** Another session has had it for `age` ms. */
  | { readonly outcome: "held"; readonly claim: Claim; readonly age: number };

/** What examining the session of a claim came to. */
export type Examination = "holds" | "over" | "barred" | "under-way";

/** What writing into the session came to, as far as the claim is concerned. */
export type Writing =
  | "done"
  | "barred"
  /** For another reason, and the attempt is barred. */
  | "refused"
  /** For another reason, but the session has the visit by another attempt: the claim stays. */
  | "refused-holding";

/** What an attempt does next. */
export type Step =
  | { readonly do: "claim"; readonly replacing: Claim | null }
  | { readonly do: "write"; readonly nonce: string }
  | { readonly do: "examine"; readonly claim: Claim; readonly mayBar: boolean }
  | { readonly do: "pause" }
  | { readonly do: "release"; readonly claim: Claim }
  /** It is over: it won, it lost, or it was refused for another reason and left nothing. */
  | { readonly do: "finish"; readonly outcome: "won" | "lost" | "refused" };

/** How every attempt begins; and how it goes on after a pause. */
export const firstStep: Step = { do: "claim", replacing: null };

/** After a claim. */
export function afterClaim(claiming: Claiming): Step {
  if (claiming.outcome === "claimed") return { do: "write", nonce: claiming.nonce };
  return { do: "examine", claim: claiming.claim, mayBar: claiming.age >= GRACE };
}

/** After an examination of another session's claim. */
export function afterExamination(claim: Claim, examination: Examination): Step {
  switch (examination) {
    case "holds":
      return { do: "finish", outcome: "lost" };
    case "under-way":
      return { do: "pause" };
    default:
      return { do: "claim", replacing: claim };
  }
}

/** After the write under the session's own claim. */
export function afterWriting(claim: Claim, writing: Writing): Step {
  switch (writing) {
    case "done":
      return { do: "finish", outcome: "won" };
    case "barred":
      return { do: "claim", replacing: claim };
    case "refused":
      return { do: "release", claim };
    case "refused-holding":
      return { do: "finish", outcome: "refused" };
  }
}
