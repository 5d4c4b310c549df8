import {
  type Claim,
  type ClaimResult,
  type Examination,
  GRACE,
  type WriteResult,
} from "../../../src/store/redis/sessions/visit-claim.ts";

/*
 * A model of the scripts in `store/redis/scripts` that change a visit and the sessions that want it, and of the move of a
 * claim with an old key name (`sessions/old-claims.ts`). Each function is one step, because Redis runs only one script at
 * a time.
 */

/** A session in its slot. A slot is the part of a cluster's key names that one node serves. */
export interface SessionSlot {
  /** Its customer; empty for none. */
  readonly customer: string;
  readonly hasVisit: boolean;
  readonly isOver: boolean;
  readonly generation: number;
  /** Nonce of the last rotation; empty for none. */
  readonly rotation: string;
  /** Nonces of the fenced attempts: those that may not write any more. */
  readonly fenced: readonly string[];
}

/** The slots of one visit and of all sessions that want it. */
export interface Slots {
  readonly claim: (Claim & { readonly since: number }) | null;
  readonly sessions: Readonly<Record<string, SessionSlot>>;
}

/** The data that a request writes into its session besides the visit. */
export interface Addition {
  /** Empty for none. */
  readonly customer: string;
  /** Nonce of the rotation of the session's id from generation 0 to 1; empty for none. */
  readonly rotation: string;
}

/** A command to a slot. */
export type Command =
  | { readonly send: "claim"; readonly own: Claim; readonly replacing: Claim | null }
  | { readonly send: "write"; readonly own: Claim; readonly addition: Addition }
  | { readonly send: "combined"; readonly own: Claim; readonly addition: Addition }
  | { readonly send: "examine"; readonly claim: Claim; readonly mayFence: boolean }
  | { readonly send: "release"; readonly handle: string; readonly nonce: string | null }
  | { readonly send: "end"; readonly handle: string }
  | { readonly send: "move"; readonly claim: Claim };

export type Reply = ClaimResult | WriteResult | Examination | "unprepared" | "nothing";

/** Checks in the scripts. Without one of them there is a bug, which the exploration must find. */
export interface Guards {
  /** Before a write, checks whether its attempt is fenced. */
  readonly fence: boolean;
  /** Replaces or releases a claim only if it is the examined one. */
  readonly compare: boolean;
  /** Gives each attempt its own nonce. */
  readonly nonce: boolean;
  /** Fences a refused attempt before its claim is released. */
  readonly refusal: boolean;
  /** Keeps the claim if the session got the visit by another attempt. */
  readonly holding: boolean;
  /** A combined attempt checks whether it is fenced, and fences itself if it changes nothing. */
  readonly combinedFence: boolean;
  /** A combined attempt replaces a claim of its own session. */
  readonly replacing: boolean;
  /** A fenced attempt writes nothing, even if its session has the visit by another attempt. */
  readonly fenceForAll: boolean;
  /** A claim with an old key name does not replace a claim. */
  readonly moving: boolean;
  /** Before a write, checks whether the session still has the generation of the request's id. */
  readonly generation: boolean;
  /** A rotation that is sent again is recognized by its nonce. */
  readonly recognition: boolean;
}

/** Executes a command at `now`, in units of `GRACE`. */
export function execute(slots: Slots, command: Command, now: number, guards: Guards): readonly [Slots, Reply] {
  switch (command.send) {
    case "claim":
      return claim(slots, command, now, guards);
    case "write":
      return write(slots, command, guards);
    case "combined":
      return combined(slots, command, now, guards);
    case "examine":
      return examine(slots, command);
    case "release": {
      const { handle, nonce } = command;
      const isMeant =
        slots.claim?.handle === handle && (nonce === null || nonce === slots.claim.nonce || !guards.compare);
      return [isMeant ? { ...slots, claim: null } : slots, "nothing"];
    }
    case "end": {
      const slot = sessionOf(slots, command.handle);
      return [withSession(slots, command.handle, { ...slot, isOver: true }), "nothing"];
    }
    case "move": {
      const isMoved = slots.claim === null || !guards.moving;
      return [isMoved ? { ...slots, claim: { ...command.claim, since: 0 } } : slots, "nothing"];
    }
  }
}

/** claim-visit.lua */
function claim(
  slots: Slots,
  { own, replacing }: Extract<Command, { send: "claim" }>,
  now: number,
  guards: Guards,
): readonly [Slots, Reply] {
  const there = slots.claim;
  const isMeant =
    replacing !== null && (!guards.compare || (there?.handle === replacing.handle && there.nonce === replacing.nonce));
  if (there !== null && !isMeant) {
    if (there.handle === own.handle) return [slots, { outcome: "claimed", nonce: there.nonce }];
    const { since, ...held } = there;
    return [slots, { outcome: "held", claim: held, age: (now - since) * GRACE }];
  }
  return [
    { ...slots, claim: { ...own, since: now } },
    { outcome: "claimed", nonce: own.nonce },
  ];
}

/** prelude/association.lua: the checks before a write. */
function check(slot: SessionSlot, { customer, rotation }: Addition, guards: Guards) {
  if (slot.isOver) return "refused";
  if (guards.recognition && rotation !== "" && rotation === slot.rotation) return "done";
  if (guards.generation && slot.generation > 0) return "refused";
  return customer !== "" && slot.customer !== "" && customer !== slot.customer ? "refused" : "possible";
}

/** Returns the session after a write. */
function written(slot: SessionSlot, { customer, rotation }: Addition): SessionSlot {
  const rotated = rotation === "" ? {} : { generation: slot.generation + 1, rotation };
  return { ...slot, ...rotated, hasVisit: true, customer: slot.customer || customer };
}

/** associate-ids.lua, with a visit and possibly more. */
function write(
  slots: Slots,
  { own: { handle, nonce }, addition }: Extract<Command, { send: "write" }>,
  guards: Guards,
): readonly [Slots, Reply] {
  const slot = sessionOf(slots, handle);
  const outcome = check(slot, addition, guards);
  if (outcome === "done") return [slots, "done"];
  if (outcome === "refused") {
    if (slot.hasVisit) return [slots, guards.holding ? "refused-holding" : "refused"];
    if (!guards.refusal) return [slots, "refused"];
    return [withSession(slots, handle, withFence(slot, nonce)), "refused"];
  }
  const isChecked = guards.fenceForAll || !slot.hasVisit;
  if (isChecked && guards.fence && slot.fenced.includes(nonce)) return [slots, "fenced"];
  return [withSession(slots, handle, written(slot, addition)), "done"];
}

/** store-sessions.lua, for one session. */
function combined(
  slots: Slots,
  { own, addition }: Extract<Command, { send: "combined" }>,
  now: number,
  guards: Guards,
): readonly [Slots, Reply] {
  const { handle, nonce } = own;
  const slot = sessionOf(slots, handle);
  const outcome = check(slot, addition, guards);
  if (outcome !== "possible") return [slots, outcome];
  const isFenced = guards.combinedFence && slot.fenced.includes(nonce);
  if (slot.hasVisit) {
    if (isFenced && guards.fenceForAll) return [slots, "unprepared"];
    return [withSession(slots, handle, written(slot, addition)), "done"];
  }
  const isHeld = slots.claim !== null && slots.claim.handle !== handle;
  if (isHeld || isFenced) {
    if (!guards.combinedFence) return [slots, "unprepared"];
    return [withSession(slots, handle, withFence(slot, nonce)), "unprepared"];
  }
  const stays = slots.claim !== null && !guards.replacing;
  const latest = stays ? slots.claim : { ...own, since: now };
  return [withSession({ ...slots, claim: latest }, handle, written(slot, addition)), "done"];
}

/** examine-attempt.lua */
function examine(
  slots: Slots,
  { claim: { handle, nonce }, mayFence }: Extract<Command, { send: "examine" }>,
): readonly [Slots, Reply] {
  const slot = sessionOf(slots, handle);
  if (slot.isOver) return [slots, "over"];
  if (slot.hasVisit) return [slots, "holds"];
  if (slot.fenced.includes(nonce)) return [slots, "fenced"];
  if (!mayFence) return [slots, "in-progress"];
  return [withSession(slots, handle, withFence(slot, nonce)), "fenced"];
}

function withFence(slot: SessionSlot, nonce: string): SessionSlot {
  return { ...slot, fenced: [...new Set([...slot.fenced, nonce])].toSorted() };
}

/** A session that is not stored. */
export const unstored: SessionSlot = {
  customer: "",
  hasVisit: false,
  isOver: false,
  generation: 0,
  rotation: "",
  fenced: [],
};

/** Returns the session with a handle. */
export function sessionOf({ sessions }: Slots, handle: string): SessionSlot {
  return sessions[handle] ?? unstored;
}

function withSession(slots: Slots, handle: string, slot: SessionSlot): Slots {
  return { ...slots, sessions: { ...slots.sessions, [handle]: slot } };
}
