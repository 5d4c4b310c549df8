import type { Lifetimes } from "../../src/session/lifetime.ts";
import type { Identity } from "../../src/session/session.ts";

/** What is known of a session. */
export interface Known {
  readonly ids: Identity;
  readonly createdAt: number;
  /** The last use that counts for the idle time. */
  readonly usedAt: number;
  /** Ended, or seen to have expired. */
  readonly over: boolean;
  /** When it was ended; `null`: it expires by itself. */
  readonly endedAt: number | null;
  /** Nothing of it is left. */
  readonly erased: boolean;
}

/** What is known of all sessions, by their ids. Never changed: an explanation makes a new one. */
export type Model = ReadonlyMap<string, Known>;

/** Whether a session lives, as far as contract.md#rules says. */
export type Life = "live" | "over" | "either";

/** Whether the session can still be used at `now`. */
export function lifeOf(known: Known, now: number, lifetimes: Lifetimes): Life {
  if (known.over) return "over";
  const { earliest, latest } = expiry(known, lifetimes);
  if (now >= latest) return "over";
  return now < earliest ? "live" : "either";
}

/** Between which times it expires by itself. */
export function expiry(known: Known, lifetimes: Lifetimes): { earliest: number; latest: number } {
  const recognized = known.ids.customerId !== null || known.ids.agentId !== null;
  const { idle, total } = recognized ? lifetimes.recognized : lifetimes.anonymous;
  const end = known.createdAt + total;
  return {
    earliest: Math.min(end, known.usedAt + idle - idle / 10),
    latest: Math.min(end, known.usedAt + idle),
  };
}

/** What an explanation starts from; times in milliseconds. */
export interface World {
  readonly model: Model;
  readonly now: number;
  readonly lifetimes: Lifetimes;
  /** How long what is over is kept. */
  readonly retention: number;
}
