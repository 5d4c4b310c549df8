import {
  type Claim,
  type Claiming,
  type Examination,
  GRACE,
  type Writing,
} from "../../../src/store/redis/sessions/visit-claim.ts";

/*
 * What the scripts of `store/redis/scripts` do to a visit and to the sessions that want it, as plain
 * functions. Each is one step: it is carried out by one server, which does one thing at a time.
 */

/** A session in its slot. */
export interface SessionSlot {
  /** Its customer; empty where it has none. */
  readonly customer: string;
  readonly hasVisit: boolean;
  readonly isOver: boolean;
  /** The attempts that are barred. */
  readonly barred: readonly string[];
}

/** The slots of one visit and of all sessions that want it. */
export interface Slots {
  readonly claim: (Claim & { readonly since: number }) | null;
  readonly sessions: Readonly<Record<string, SessionSlot>>;
}

/** What a client sends to a slot. */
export type Command =
  | { readonly send: "claim"; readonly own: Claim; readonly replacing: Claim | null }
  | { readonly send: "write"; readonly own: Claim; readonly customer: string }
  | { readonly send: "at-once"; readonly own: Claim; readonly customer: string }
  | { readonly send: "examine"; readonly claim: Claim; readonly mayBar: boolean }
  | { readonly send: "release"; readonly id: string; readonly nonce: string | null }
  | { readonly send: "end"; readonly id: string };

export type Reply = Claiming | Writing | Examination | "unprepared" | "nothing";

/** What the scripts check. A guard that is off stands for a bug, which must be found. */
export interface Guards {
  /** A write looks whether its attempt is barred. */
  readonly bar: boolean;
  /** A claim is replaced or released only if it is the one that was meant. */
  readonly compare: boolean;
  /** Each attempt has a nonce of its own. */
  readonly nonce: boolean;
  /** An attempt that is refused is barred before its claim is released. */
  readonly refusal: boolean;
  /** The claim stays where the session has the visit by another attempt. */
  readonly holding: boolean;
  /** An attempt at once that leaves it to others bars itself, and looks whether it is barred. */
  readonly once: boolean;
  /** An attempt at once puts its own claim in the place of its session's. */
  readonly replacing: boolean;
}

/** Carries a command out at `now`, counted in times of grace. */
export function execute(
  slots: Slots,
  command: Command,
  now: number,
  guards: Guards,
): readonly [Slots, Reply] {
  switch (command.send) {
    case "claim":
      return claim(slots, command, now, guards);
    case "write":
      return write(slots, command, guards);
    case "at-once":
      return atOnce(slots, command, now, guards);
    case "examine":
      return examine(slots, command);
    case "release": {
      const { id, nonce } = command;
      const isMeant =
        slots.claim?.id === id &&
        (nonce === null || nonce === slots.claim.nonce || !guards.compare);
      return [isMeant ? { ...slots, claim: null } : slots, "nothing"];
    }
    case "end": {
      const slot = sessionOf(slots, command.id);
      return [withSession(slots, command.id, { ...slot, isOver: true }), "nothing"];
    }
  }
}

/** claim.lua */
function claim(
  slots: Slots,
  { own, replacing }: Extract<Command, { send: "claim" }>,
  now: number,
  guards: Guards,
): readonly [Slots, Reply] {
  const there = slots.claim;
  const isMeant =
    replacing !== null &&
    (!guards.compare || (there?.id === replacing.id && there.nonce === replacing.nonce));
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

/** associate.lua, of a visit and perhaps a customer */
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
    return [withSession(slots, id, barring(slot, nonce)), "refused"];
  }
  if (!slot.hasVisit && guards.bar && slot.barred.includes(nonce)) return [slots, "barred"];
  const written = { ...slot, hasVisit: true, customer: slot.customer || customer };
  return [withSession(slots, id, written), "done"];
}

/** associate-at-once.lua, and create-at-once.lua of a session that nobody has written to. */
function atOnce(
  slots: Slots,
  { own, customer }: Extract<Command, { send: "at-once" }>,
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
  if (isHeld || (guards.once && slot.barred.includes(nonce))) {
    if (!guards.once) return [slots, "unprepared"];
    return [withSession(slots, id, barring(slot, nonce)), "unprepared"];
  }
  const stays = slots.claim !== null && !guards.replacing;
  const latest = stays ? slots.claim : { ...own, since: now };
  return [withSession({ ...slots, claim: latest }, id, written), "done"];
}

/** examine.lua */
function examine(
  slots: Slots,
  { claim: { id, nonce }, mayBar }: Extract<Command, { send: "examine" }>,
): readonly [Slots, Reply] {
  const slot = sessionOf(slots, id);
  if (slot.isOver) return [slots, "over"];
  if (slot.hasVisit) return [slots, "holds"];
  if (slot.barred.includes(nonce)) return [slots, "barred"];
  if (!mayBar) return [slots, "under-way"];
  return [withSession(slots, id, barring(slot, nonce)), "barred"];
}

function barring(slot: SessionSlot, nonce: string): SessionSlot {
  return { ...slot, barred: [...new Set([...slot.barred, nonce])].toSorted() };
}

/** A session that nobody has written to. */
export const unstored: SessionSlot = { customer: "", hasVisit: false, isOver: false, barred: [] };

/** The session of an id. */
export function sessionOf({ sessions }: Slots, id: string): SessionSlot {
  return sessions[id] ?? unstored;
}

function withSession(slots: Slots, id: string, slot: SessionSlot): Slots {
  return { ...slots, sessions: { ...slots.sessions, [id]: slot } };
}
