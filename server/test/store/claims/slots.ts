import {
  type Claim,
  type ClaimResult,
  type Examination,
  GRACE,
  type WriteResult,
} from "../../../src/store/redis/sessions/visit-claim.ts";

/*
 * A model of the scripts in `store/redis/scripts` that change a visit and the sessions that want it. Each function is
 * one step, because Redis runs only one script at a time.
 */

/** A session in its slot. A slot is the part of a cluster's key names that one node serves. */
export interface SessionSlot {
  /** Its customer; empty for none. */
  readonly customer: string;
  readonly hasVisit: boolean;
  readonly isOver: boolean;
  /** Nonces of the fenced attempts: those that may not write any more. */
  readonly fenced: readonly string[];
}

/** The slots of one visit and of all sessions that want it. */
export interface Slots {
  readonly claim: (Claim & { readonly since: number }) | null;
  readonly sessions: Readonly<Record<string, SessionSlot>>;
}

/** A command to a slot. */
export type Command =
  | { readonly send: "claim"; readonly own: Claim; readonly replacing: Claim | null }
  | { readonly send: "write"; readonly own: Claim; readonly customer: string }
  | { readonly send: "combined"; readonly own: Claim; readonly customer: string }
  | { readonly send: "examine"; readonly claim: Claim; readonly mayFence: boolean }
  | { readonly send: "release"; readonly id: string; readonly nonce: string | null }
  | { readonly send: "end"; readonly id: string };

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
      const { id, nonce } = command;
      const isMeant = slots.claim?.id === id && (nonce === null || nonce === slots.claim.nonce || !guards.compare);
      return [isMeant ? { ...slots, claim: null } : slots, "nothing"];
    }
    case "end": {
      const slot = sessionOf(slots, command.id);
      return [withSession(slots, command.id, { ...slot, isOver: true }), "nothing"];
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
    replacing !== null && (!guards.compare || (there?.id === replacing.id && there.nonce === replacing.nonce));
  if (there !== null && !isMeant) {
    if (there.id === own.id) return [slots, { outcome: "claimed", nonce: there.nonce }];
    const { since, ...held } = there;
    return [slots, { outcome: "held", claim: held, age: (now - since) * GRACE }];
  }
  return [
    { ...slots, claim: { ...own, since: now } },
    { outcome: "claimed", nonce: own.nonce },
  ];
}

/** associate-ids.lua, with a visit and possibly a customer. */
function write(
  slots: Slots,
  { own: { id, nonce }, customer }: Extract<Command, { send: "write" }>,
  guards: Guards,
): readonly [Slots, Reply] {
  const slot = sessionOf(slots, id);
  const clashes = customer !== "" && slot.customer !== "" && customer !== slot.customer;
  if (slot.isOver || clashes) {
    if (slot.hasVisit) return [slots, guards.holding ? "refused-holding" : "refused"];
    if (!guards.refusal) return [slots, "refused"];
    return [withSession(slots, id, withFence(slot, nonce)), "refused"];
  }
  if (!slot.hasVisit && guards.fence && slot.fenced.includes(nonce)) return [slots, "fenced"];
  const written = { ...slot, hasVisit: true, customer: slot.customer || customer };
  return [withSession(slots, id, written), "done"];
}

/** associate-ids-combined.lua, and create-session-combined.lua for a session that is not stored. */
function combined(
  slots: Slots,
  { own, customer }: Extract<Command, { send: "combined" }>,
  now: number,
  guards: Guards,
): readonly [Slots, Reply] {
  const { id, nonce } = own;
  const slot = sessionOf(slots, id);
  const clashes = customer !== "" && slot.customer !== "" && customer !== slot.customer;
  if (slot.isOver || clashes) return [slots, "refused"];
  const written = { ...slot, hasVisit: true, customer: slot.customer || customer };
  if (slot.hasVisit) return [withSession(slots, id, written), "done"];
  const isHeld = slots.claim !== null && slots.claim.id !== id;
  if (isHeld || (guards.combinedFence && slot.fenced.includes(nonce))) {
    if (!guards.combinedFence) return [slots, "unprepared"];
    return [withSession(slots, id, withFence(slot, nonce)), "unprepared"];
  }
  const stays = slots.claim !== null && !guards.replacing;
  const latest = stays ? slots.claim : { ...own, since: now };
  return [withSession({ ...slots, claim: latest }, id, written), "done"];
}

/** examine-attempt.lua */
function examine(
  slots: Slots,
  { claim: { id, nonce }, mayFence }: Extract<Command, { send: "examine" }>,
): readonly [Slots, Reply] {
  const slot = sessionOf(slots, id);
  if (slot.isOver) return [slots, "over"];
  if (slot.hasVisit) return [slots, "holds"];
  if (slot.fenced.includes(nonce)) return [slots, "fenced"];
  if (!mayFence) return [slots, "in-progress"];
  return [withSession(slots, id, withFence(slot, nonce)), "fenced"];
}

function withFence(slot: SessionSlot, nonce: string): SessionSlot {
  return { ...slot, fenced: [...new Set([...slot.fenced, nonce])].toSorted() };
}

/** A session that is not stored. */
export const unstored: SessionSlot = { customer: "", hasVisit: false, isOver: false, fenced: [] };

/** Returns the session with an id. */
export function sessionOf({ sessions }: Slots, id: string): SessionSlot {
  return sessions[id] ?? unstored;
}

function withSession(slots: Slots, id: string, slot: SessionSlot): Slots {
  return { ...slots, sessions: { ...slots.sessions, [id]: slot } };
}
