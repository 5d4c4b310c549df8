import {
  afterClaim,
  afterExamination,
  afterWrite,
  type ClaimResult,
  type Step as Decision,
  type Examination,
  firstStep,
  type WriteResult,
} from "../../../src/store/redis/sessions/visit-claim.ts";
import type { Step, System } from "./explore.ts";
import { type Command, execute, type Guards, type Reply, type Slots, sessionOf, unstored } from "./slots.ts";

/*
 * Contenders in different processes for one visit. Every event is a step: a command, the repetition of a command that
 * was sent twice, the death of a process between two commands, the end of a session, and the passing of time. A pause
 * of a process needs no step: the others just continue. The engine's own functions decide what a contender does next.
 */

/**
 * A contender: wants the visit for a session, possibly with a customer, a rotation of the session's id, or by a
 * combined script; or ends the session. Its id has generation 0.
 */
export interface Wish {
  readonly handle: string;
  readonly isCombined?: boolean;
  readonly customer?: string;
  readonly rotates?: boolean;
  readonly ends?: boolean;
}

export interface Setting {
  readonly wishes: readonly Wish[];
  /** The customer of the session `s` at the beginning. */
  readonly customer?: string;
  readonly guards: Guards;
  /** Number of processes that may die, at any time. */
  readonly deaths: number;
  /** Number of commands that may be executed twice: because the first reply is lost, or because a copy arrives late. */
  readonly repetitions: number;
  /** Time that may pass, in units of `GRACE`. */
  readonly time: number;
  /**
   * The session `s` has a claim that was moved from an old key name. A second process has read it under that name, and
   * may write it again at any time.
   */
  readonly moved?: {
    /** Whether the session has the visit too. Otherwise the process that has claimed it has died. */
    readonly isHeld: boolean;
  };
}

type Doing =
  | Decision
  | { readonly do: "combined" | "end" | "free" | "die" }
  | { readonly do: "finish"; readonly outcome: string };

interface Contender {
  readonly doing: Doing;
  /** Number of this contender's nonces that a slot has seen. */
  readonly nonces: number;
}

/** A state of slots and contenders. */
export interface World {
  readonly now: number;
  readonly slots: Slots;
  readonly contenders: readonly Contender[];
  /** Commands that will be executed once more. */
  readonly late: readonly Command[];
  readonly deaths: number;
  readonly repetitions: number;
}

/** Creates the system of all contenders. */
export function contention(setting: Setting): System<World> {
  const { wishes, customer = "", moved } = setting;
  const claim = moved === undefined ? null : { handle: "s", nonce: "moved" };
  return {
    initial: {
      now: 0,
      slots: {
        claim: claim && { ...claim, since: 0 },
        sessions: { s: { ...unstored, customer, hasVisit: moved?.isHeld ?? false } },
      },
      contenders: wishes.map(({ ends = false, isCombined = false }) => ({
        doing: ends ? { do: "end" } : isCombined ? { do: "combined" } : firstStep,
        nonces: 0,
      })),
      late: claim === null ? [] : [{ send: "move", claim }],
      deaths: setting.deaths,
      repetitions: setting.repetitions,
    },
    next: (world) => [
      ...world.contenders.flatMap((contender, i) => stepsOf(setting, world, contender, i)),
      ...world.late.map((command, i) => ({
        name: `late: ${JSON.stringify(command)}`,
        state: {
          ...world,
          slots: execute(world.slots, command, world.now, setting.guards)[0],
          late: world.late.toSpliced(i, 1),
        },
      })),
      ...(world.now < setting.time ? [{ name: "time passes", state: { ...world, now: world.now + 1 } }] : []),
    ],
    fault: (world) => faultOf(setting, world),
    key: (world) => JSON.stringify(world),
  };
}

function stepsOf(setting: Setting, world: World, contender: Contender, i: number): Step<World>[] {
  const { doing } = contender;
  if (doing.do === "finish" || doing.do === "die") return [];
  const steps = [{ name: `${i} ${doing.do}`, state: advanced(setting, world, i, false) }];
  const doesSend = doing.do !== "pause";
  if (doesSend && world.repetitions > 0) {
    steps.push({ name: `${i} ${doing.do}, twice`, state: advanced(setting, world, i, true) });
    steps.push({ name: `${i} ${doing.do}, no reply`, state: unanswered(setting, world, i) });
  }
  if (world.deaths > 0) {
    const dead = { ...contender, doing: { do: "die" } } as const;
    const contenders = world.contenders.with(i, dead);
    steps.push({ name: `${i} dies`, state: { ...world, contenders, deaths: world.deaths - 1 } });
  }
  return steps;
}

/** Returns the world after the next step of a contender. `isTwice`: its command will be executed a second time. */
function advanced(setting: Setting, world: World, i: number, isTwice: boolean): World {
  const contender = world.contenders[i] as Contender;
  const command = commandOf(setting, contender, i);
  if (command === undefined) {
    const waited = { ...contender, doing: firstStep };
    return { ...world, contenders: world.contenders.with(i, waited) };
  }
  const [slots, reply] = execute(world.slots, command, world.now, setting.guards);
  const isUsed = command.send === "combined" || (command.send === "claim" && (isTwice || slots !== world.slots));
  const after = {
    doing: decided(contender.doing, command, reply),
    nonces: contender.nonces + (isUsed ? 1 : 0),
  };
  const contenders = world.contenders.with(i, after);
  if (!isTwice) return { ...world, slots, contenders };
  const late = [...world.late, command];
  return { ...world, slots, contenders, late, repetitions: world.repetitions - 1 };
}

/** Returns the world after a command whose reply is lost, so that its contender will send it again. */
function unanswered(setting: Setting, world: World, i: number): World {
  const command = commandOf(setting, world.contenders[i] as Contender, i) as Command;
  const [slots] = execute(world.slots, command, world.now, setting.guards);
  return { ...world, slots, repetitions: world.repetitions - 1 };
}

function commandOf({ wishes, guards }: Setting, { doing, nonces }: Contender, i: number): Command | undefined {
  const { handle, customer = "", rotates = false } = wishes[i] as Wish;
  const addition = { customer, rotation: rotates ? `rotation ${i}` : "" };
  const nonce = guards.nonce ? `${i}.${nonces}` : "only";
  switch (doing.do) {
    case "claim":
      return { send: "claim", own: { handle, nonce }, replacing: doing.replacing };
    case "combined":
      return { send: "combined", own: { handle, nonce }, addition };
    case "write":
      return { send: "write", own: { handle, nonce: doing.nonce }, addition };
    case "examine":
      return { send: "examine", claim: doing.claim, mayFence: doing.mayFence };
    case "release":
      return { send: "release", ...doing.claim };
    case "end":
      return { send: "end", handle };
    case "free":
      return { send: "release", handle, nonce: null };
    case "pause":
    case "finish":
    case "die":
      return undefined;
  }
}

function decided(doing: Doing, command: Command, reply: Reply): Doing {
  switch (command.send) {
    case "claim":
      return afterClaim(reply as ClaimResult);
    case "combined":
      if (reply === "unprepared") return firstStep;
      return { do: "finish", outcome: reply === "done" ? "won" : "refused" };
    case "write":
      return afterWrite(command.own, reply as WriteResult);
    case "examine":
      return afterExamination(command.claim, reply as Examination);
    case "release":
      return { do: "finish", outcome: doing.do === "free" ? "ended" : "refused" };
    case "end":
    case "move":
      return { do: "free" };
  }
}

function faultOf(setting: Setting, world: World): string | undefined {
  const holders = Object.entries(world.slots.sessions).filter(([, slot]) => slot.hasVisit && !slot.isOver);
  if (holders.length > 1) return `${holders.map(([handle]) => handle).join(" and ")} hold the visit`;
  const [holder] = holders[0] ?? [];
  const isEarlier = holder === "s" && setting.moved?.isHeld === true;
  if (holder !== undefined && !isEarlier && isDenied(setting, world, holder)) {
    return `${holder} has the visit although all its requests were refused`;
  }
  for (const [i, { doing }] of world.contenders.entries()) {
    const { handle } = setting.wishes[i] as Wish;
    const slot = sessionOf(world.slots, handle);
    const hasWon = doing.do === "finish" && doing.outcome === "won";
    if (hasWon && !slot.hasVisit && !slot.isOver) return `${handle} has lost what it had won`;
    if (slot.generation > 1) return `the id of ${handle} was rotated twice`;
    const isRefused = doing.do === "finish" && !hasWon;
    const hasRotated = slot.rotation === `rotation ${i}` && !slot.isOver;
    if (isRefused && hasRotated) return `${i} has rotated the id of ${handle} although it was refused`;
    const waits = timeAlone(setting, world, i);
    if (waits > 1) return `${i} has to wait ${waits} times as long as GRACE although nobody does anything`;
  }
  return undefined;
}

/** Returns whether all requests for the session were refused. */
function isDenied({ wishes }: Setting, world: World, handle: string): boolean {
  return world.contenders.every(({ doing }, i) => {
    const wish = wishes[i] as Wish;
    if (wish.handle !== handle || wish.ends) return true;
    return doing.do === "finish" && doing.outcome !== "won";
  });
}

/** A number of steps that is more than a contender needs if the others do nothing. */
const MANY = 20;

/** Returns how long a contender waits, in units of `GRACE`, if the others do nothing from now on. */
function timeAlone(setting: Setting, world: World, i: number): number {
  let [at, waits] = [world, 0];
  for (let steps = 0; steps < MANY; steps++) {
    const doing = at.contenders[i]?.doing.do;
    if (doing === "finish" || doing === "die") return waits;
    if (doing === "pause") {
      waits++;
      at = { ...at, now: at.now + 1 };
    }
    at = advanced(setting, at, i, false);
  }
  return Number.POSITIVE_INFINITY;
}
